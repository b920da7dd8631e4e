"""Which identity has which attributes, by the entries that grant it."""

from collections.abc import Iterable, Mapping
from typing import Final

from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId

Values = dict[str, list[str]]
_FEW: Final = 64


class AttributeTable:
    """Remembers, until entries change, who has the attributes that rules ask for.

    An identity that several entries grant has what any of them gives it.
    """

    def __init__(self) -> None:
        self._found: dict[frozenset[str], Mapping[SpiffeId, Values]] = {}

    def forget(self) -> None:
        """Entries have changed."""
        self._found.clear()

    def of(self, entries: Iterable[Entry], names: frozenset[str]) -> Mapping[SpiffeId, Values]:
        """The identities that have one of these attributes, with the values of these."""
        if not names:
            return {}
        if names not in self._found:
            if len(self._found) >= _FEW:
                self._found.clear()
            self._found[names] = _gather(entries, names)
        return self._found[names]


def _gather(entries: Iterable[Entry], names: frozenset[str]) -> Mapping[SpiffeId, Values]:
    found: dict[SpiffeId, dict[str, set[str]]] = {}
    for entry in entries:
        for name, value in entry.attributes:
            if name in names:
                found.setdefault(entry.spiffe_id, {}).setdefault(name, set()).add(value)
    return {
        spiffe_id: {name: sorted(values) for name, values in sorted(has.items())}
        for spiffe_id, has in found.items()
    }
