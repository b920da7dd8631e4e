"""Text becomes a value here; a refusal names the member or parameter that held it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from finial.spiffe.refusal import Refusal

T = TypeVar("T")


def required(name: str, text: str, parse: Callable[[str], T]) -> T:
    """Read one member.

    Raises: Refusal of kind INVALID, which names it.
    """
    try:
        return parse(text)
    except Refusal as refusal:
        raise Refusal(
            refusal.kind, refusal.detail, field=name, value=text[:80], remedy=refusal.remedy
        ) from None


def parsed(name: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    """Read one parameter, or none.

    Raises: Refusal of kind INVALID, which names it.
    """
    return None if text is None else required(name, text, parse)


def parsed_set(
    name: str, texts: Sequence[str] | None, parse: Callable[[str], T]
) -> frozenset[T] | None:
    """Read a parameter that may be repeated, or none.

    Raises: Refusal of kind INVALID, which names it.
    """
    return frozenset(required(name, text, parse) for text in texts) if texts else None
