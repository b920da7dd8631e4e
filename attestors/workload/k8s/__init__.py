"""From a process to its pod and container, by its cgroup and the kubelet's pods (QW-02, BW-04)."""

from attestors.workload.k8s.grammar import GRAMMAR
from attestors.workload.k8s.settings import Settings, create

__all__ = ["GRAMMAR", "Settings", "create"]
