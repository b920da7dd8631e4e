"""From a process to the systemd unit that it runs in (QW-04, BW-05)."""

from attestors.workload.systemd.attestor import Settings, SystemdAttestor, create
from attestors.workload.systemd.grammar import GRAMMAR

__all__ = ["GRAMMAR", "Settings", "SystemdAttestor", "create"]
