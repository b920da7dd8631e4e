"""A page of a list, and the token that leads to the next one."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list in its order; an empty `next_token` means that nothing follows."""

    items: tuple[T, ...]
    next_token: str = ""


def cut(matching: Iterable[T], size: int) -> tuple[tuple[T, ...], bool]:
    """Take one page off what matches, and whether there is more; a size of 0 takes everything.

    Raises: Refusal of kind INVALID for a negative size.
    """
    if size < 0:
        raise Refusal(
            Kind.INVALID,
            "a page has no negative size",
            field="page_size",
            value=str(size),
            remedy="give 0 for everything",
        )
    if not size:
        return tuple(matching), False
    taken = tuple(islice(matching, size + 1))
    return taken[:size], len(taken) > size


def foreign_token(token: str) -> Refusal:
    """The refusal of a page token that was not given by this server."""
    return Refusal(
        Kind.INVALID,
        "the page token was not given by this server",
        field="page_token",
        value=token[:80],
        remedy="begin again without one",
    )
