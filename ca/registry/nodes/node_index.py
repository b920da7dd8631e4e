"""All attested nodes in memory."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from ca.registry.index.ordered import Ordered
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_filter import NodeFilter
from ca.registry.page import Page, cut, foreign_token
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


def _path(node: Node) -> str:
    return node.id.path


class NodeIndex:
    """The nodes of the trust domain; belongs to one thread."""

    def __init__(self) -> None:
        self._nodes: dict[SpiffeId, Node] = {}
        self._by_path: Ordered[Node] = Ordered(_path)
        self._having: dict[Selector, set[SpiffeId]] = {}
        self._types: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_path)

    def apply(self, upserts: Iterable[Node], deleted: Iterable[SpiffeId] = ()) -> None:
        """Take in nodes that are new or other than before, and IDs of those that are gone."""
        new = {node.id: node for node in upserts}
        for id_ in {*new, *deleted}:
            self._remove(id_)
        for node in new.values():
            self._add(node)

    def get(self, agent: SpiffeId) -> Node | None:
        """Find the node of that agent."""
        return self._nodes.get(agent)

    def having(self, selectors: Collection[Selector]) -> tuple[Node, ...]:
        """The nodes that have all these selectors, by path: those that an alias describes."""
        sets = sorted((self._having.get(each, set()) for each in selectors), key=len)
        if not sets:
            return ()
        found = sets[0].intersection(*sets[1:])
        return tuple(sorted((self._nodes[id_] for id_ in found), key=_path))

    def knows(self, selectors: Collection[Selector]) -> bool:
        """Whether a node has all these selectors."""
        fewest, *others = sorted((self._having.get(each, set()) for each in selectors), key=len)
        return any(all(id_ in other for other in others) for id_ in fewest)

    def types(self) -> frozenset[str]:
        """The types of the nodes' selectors."""
        return frozenset(self._types)

    def count(self, which: NodeFilter | None = None) -> int:
        """How many nodes the filter asks for."""
        return len(self) if which is None else sum(map(which.matches, self._by_path))

    def page(self, which: NodeFilter | None, size: int, token: str = "") -> Page[Node]:
        """One page in the order of their paths; a size of 0 takes everything.

        Raises: Refusal of kind INVALID for a negative size and a token of someone else.
        """
        if token and not token.startswith("/"):
            raise foreign_token(token)
        candidates = self._by_path.after(token)
        items, more = cut(filter(which.matches, candidates) if which else candidates, size)
        return Page(items, items[-1].id.path if more else "")

    def _add(self, node: Node) -> None:
        self._nodes[node.id] = node
        self._by_path.add(node)
        for selector in node.selectors:
            having = self._having.setdefault(selector, set())
            if not having:
                self._types[selector.type] += 1
            having.add(node.id)

    def _remove(self, id_: SpiffeId) -> None:
        node = self._nodes.pop(id_, None)
        if node is None:
            return
        self._by_path.remove(node)
        for selector in frozenset(node.selectors):
            having = self._having[selector]
            having.discard(id_)
            if not having:
                del self._having[selector]
                self._types -= Counter([selector.type])
