"""All registration entries in memory, in the shapes in which they are asked for."""

from ca.registry.index.entry_index import EntryIndex, Touched

__all__ = ["EntryIndex", "Touched"]
