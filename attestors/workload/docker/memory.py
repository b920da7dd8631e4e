"""What was found out about a process, for that process alone.

A process is told from all others by its pid, its start and its cgroups: whoever has the same pid
later started later, and whoever was moved to another container has other cgroups. What an engine
says of a container stays true while it runs, except its name, so that it is asked again after
`REFRESHED` seconds; if it is away then, what it said before holds. Where it says of two processes
of a container the same, that is kept once: an image may bring along megabytes of labels.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

from attestors.contract import Attested, Process

K = TypeVar("K")
V = TypeVar("V")

REFRESHED: Final = 60.0
MAX_PROCESSES: Final = 4096
MAX_CONTAINERS: Final = 512


@dataclass(frozen=True, slots=True)
class Key:
    """One process in one place; `started` is in clock ticks since boot, `cgroups` a digest."""

    pid: int
    started: int
    cgroups: bytes

    @classmethod
    def of(cls, process: Process, cgroups: bytes) -> "Key":
        """Read when the process started. Raises: OSError, ValueError."""
        with open(f"{process.proc}/stat", "rb") as file:
            stat = file.read(4096)
        digest = hashlib.blake2b(cgroups).digest()
        # The program's name, field 2, stands in parentheses and may hold anything, also these.
        return cls(process.pid, int(stat[stat.rindex(b")") + 2 :].split()[19]), digest)


class Memory:
    """Keeps the newest `MAX_PROCESSES` findings."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, tuple[Attested, float]] = OrderedDict()
        self._of_container: OrderedDict[str, Attested] = OrderedDict()

    def find(self, key: Key) -> Attested | None:
        """What was found out about this very process, however long ago."""
        known = self._found.get(key)
        return known[0] if known else None

    def is_fresh(self, key: Key, now: float) -> bool:
        """Whether nobody needs to ask again yet; `now` is in monotonic seconds."""
        known = self._found.get(key)
        return known is not None and now < known[1]

    def keep(self, key: Key, container: str, attested: Attested, now: float) -> Attested:
        """Remember it; what is equal to the container's last is the last, so that sets stay one."""
        known = self._of_container.get(container)
        kept = known if known == attested else attested
        _put(self._of_container, container, kept, MAX_CONTAINERS)
        _put(self._found, key, (kept, now + REFRESHED), MAX_PROCESSES)
        return kept


def _put(kept: "OrderedDict[K, V]", key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
