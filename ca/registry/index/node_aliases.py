"""Entries that name nodes by their selectors, so that many agents share a parent ID."""

from collections.abc import Collection, Iterator

from ca.registry.entry import Entry
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import SERVER_PATH


def is_alias(entry: Entry) -> bool:
    """Whether the entry describes nodes: its parent is the server itself."""
    return entry.parent_id.path == SERVER_PATH


class NodeAliases:
    """The aliases, each filed under its rarest selector; `version` grows at each change."""

    def __init__(self) -> None:
        self.version = 0
        self._filed: dict[Selector, dict[str, Entry]] = {}
        self._place: dict[str, Selector] = {}

    def add(self, alias: Entry) -> None:
        """Take in an alias that is not here yet."""
        self.version += 1
        rarest = min(alias.selectors, key=lambda selector: len(self._filed.get(selector, ())))
        self._filed.setdefault(rarest, {})[alias.id] = alias
        self._place[alias.id] = rarest

    def remove(self, alias: Entry) -> None:
        """Let go of an alias that is here."""
        self.version += 1
        place = self._place.pop(alias.id)
        filed = self._filed[place]
        del filed[alias.id]
        if not filed:
            del self._filed[place]

    def of_node(self, selectors: Collection[Selector]) -> Iterator[Entry]:
        """The aliases all of whose selectors are among the node's."""
        if not self._filed:
            return
        own = frozenset(selectors)
        for selector in own:
            for alias in self._filed.get(selector, {}).values():
                if own.issuperset(alias.selectors):
                    yield alias
