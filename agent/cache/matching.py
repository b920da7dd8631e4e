"""Finding the entries that a set of selectors satisfies, in a few microseconds."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Generic, TypeVar

from finial.spiffe.selector import Selector

T = TypeVar("T")


class SelectorIndex(Generic[T]):
    """Values by the rarest selector that each of them demands.

    A caller can satisfy only values filed under one of its own selectors, so that a workload is
    compared with a handful of values instead of all of them.
    """

    __slots__ = ("_by_rarest",)

    def __init__(self, demands: Iterable[tuple[Collection[Selector], T]]) -> None:
        listed = [(frozenset(selectors), value) for selectors, value in demands]
        frequency = Counter(selector for selectors, _ in listed for selector in selectors)
        self._by_rarest: dict[Selector, list[tuple[frozenset[Selector], T]]] = {}
        for selectors, value in listed:
            rarest = min(selectors, key=lambda each: (frequency[each], each))
            self._by_rarest.setdefault(rarest, []).append((selectors, value))

    def matching(self, selectors: Collection[Selector]) -> list[T]:
        """The values all of whose selectors are among the given ones."""
        have = frozenset(selectors)
        return [
            value
            for selector in have
            for demanded, value in self._by_rarest.get(selector, ())
            if demanded <= have
        ]
