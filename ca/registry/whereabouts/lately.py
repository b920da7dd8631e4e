"""What became of entries lately, in bounded memory: which are gone, and when each last changed."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ca.registry.entry import Entry

MOST_GONE: Final = 1000
MOST_CHANGED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Gone:
    """An entry that was deleted; `at` is when this server learned of it, in Unix seconds."""

    entry: Entry
    at: float

    @property
    def expired(self) -> bool:
        """Whether it had come to its own end."""
        return 0 < self.entry.expires_at <= self.at


class Lately:
    """Remembers the newest changes of entries; belongs to one thread."""

    def __init__(self) -> None:
        self._gone: deque[Gone] = deque(maxlen=MOST_GONE)
        self._changed: OrderedDict[str, int] = OrderedDict()

    def note(self, ids: Iterable[str], sequence: int) -> None:
        """Remember that these entries changed with that version of the entries."""
        for id_ in ids:
            self._changed[id_] = sequence
            self._changed.move_to_end(id_)
        while len(self._changed) > MOST_CHANGED:
            self._changed.popitem(last=False)

    def lost(self, entries: Iterable[Entry], now: float) -> None:
        """Remember entries that are gone."""
        self._gone.extend(Gone(entry, now) for entry in entries)

    def gone(self) -> Iterator[Gone]:
        """The entries that are gone, the newest first."""
        return reversed(self._gone)

    def version(self, entry_id: str) -> int:
        """The version of the entries with which that one changed last, 0 if it is not known."""
        return self._changed.get(entry_id, 0)
