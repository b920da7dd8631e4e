"""How a set that is asked for meets the set that something has."""

import enum
from collections.abc import Collection, Hashable
from typing import TypeVar

from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T", bound=Hashable)


class Match(enum.Enum):
    """SPIRE's MatchBehavior, with its numbers (spire-wire section 3)."""

    EXACT = 0
    SUBSET = 1
    SUPERSET = 2
    ANY = 3

    def accepts(self, has: Collection[T], asked: frozenset[T]) -> bool:
        """Whether what something `has` meets what is `asked` for in this way."""
        if self is Match.EXACT:
            return len(has) == len(asked) and asked.issuperset(has)
        if self is Match.SUBSET:
            return asked.issuperset(has)
        if self is Match.SUPERSET:
            return len(has) >= len(asked) and asked.issubset(has)
        return not asked.isdisjoint(has)


def judge_asked(asked: Collection[object] | None, field: str) -> None:
    """Refuse a filter by an empty set, which SPIRE holds for a mistake.

    Raises: Refusal of kind INVALID.
    """
    if asked is not None and not asked:
        raise Refusal(
            Kind.INVALID,
            f"the filter by {field} names none",
            field=field,
            remedy="leave the filter out to list everything",
        )
