"""The one place that wires the agent together."""

from agent.assemble.serve import Running, run

__all__ = ["Running", "run"]
