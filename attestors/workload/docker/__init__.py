"""From a process to its container and what the container's engine says of it (QW-03, BW-03)."""

from attestors.workload.docker.attestor import DockerAttestor, create
from attestors.workload.docker.grammar import GRAMMAR
from attestors.workload.docker.settings import Settings

__all__ = ["GRAMMAR", "DockerAttestor", "Settings", "create"]
