"""From a process to its uid, gid, groups and program (QW-01, BW-01)."""

from attestors.workload.unix.attestor import Settings, UnixAttestor, create
from attestors.workload.unix.grammar import GRAMMAR

__all__ = ["GRAMMAR", "Settings", "UnixAttestor", "create"]
