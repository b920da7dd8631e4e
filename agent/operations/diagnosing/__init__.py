"""Whether everything that the agent depends on is well, and what to do if not."""

from agent.operations.diagnosing.diagnose import Diagnosing

__all__ = ["Diagnosing"]
