"""The one place that wires the server together."""

from ca.assemble.serve import Running, run

__all__ = ["Running", "run"]
