"""Whether everything that the server depends on is well, and what to do if not."""

from ca.operations.diagnosing.diagnose import diagnose

__all__ = ["diagnose"]
