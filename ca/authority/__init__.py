"""Pure: our own keys, X.509 and JWT alike, and when they rotate."""
