"""How a process lives: clock, entropy, watches, settings, logging, supervision. Knows no SPIFFE."""
