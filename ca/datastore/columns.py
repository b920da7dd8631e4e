"""Values of several kinds as one column, and back."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector

T = TypeVar("T")

# A statement's parameters are limited, in SQLite to 32,766.
AT_ONCE: Final = 2000

_texts = msgspec.json.Decoder(list[str])
_pairs = msgspec.json.Decoder(list[tuple[str, str]])
_documents = msgspec.json.Decoder(list[bytes])
_encode = msgspec.json.encode


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into parts that one statement can take."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def write_texts(texts: Iterable[str]) -> str:
    """Write a list of texts."""
    return _encode(list(texts)).decode()


def read_texts(column: str) -> tuple[str, ...]:
    """Read a list of texts."""
    return tuple(_texts.decode(column))


def write_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Write a list of pairs of texts."""
    return _encode(list(pairs)).decode()


def read_pairs(column: str) -> tuple[tuple[str, str], ...]:
    """Read a list of pairs of texts."""
    return tuple(_pairs.decode(column))


def write_documents(documents: Iterable[bytes]) -> str:
    """Write a list of binary documents, each in base64."""
    return _encode(list(documents)).decode()


def read_documents(column: str) -> tuple[bytes, ...]:
    """Read a list of binary documents."""
    return tuple(_documents.decode(column))


def write_selectors(selectors: Iterable[Selector]) -> str:
    """Write selectors, each as its text `type:value`."""
    return write_texts(map(str, selectors))


def read_selectors(column: str) -> tuple[Selector, ...]:
    """Read selectors, judged when they were written."""
    return tuple(selector(text) for text in _texts.decode(column))


def selector(text: str) -> Selector:
    """Read one selector, judged when it was written."""
    kind, _, value = text.partition(":")
    return Selector(kind, value)


def write_id(spiffe_id: SpiffeId | None) -> str:
    """Write a SPIFFE ID, or nothing."""
    return "" if spiffe_id is None else str(spiffe_id)


def read_id(column: str) -> SpiffeId:
    """Read a SPIFFE ID, judged when it was written."""
    name, slash, path = column.removeprefix("spiffe://").partition("/")
    return SpiffeId(TrustDomain(name), slash + path)


def read_optional_id(column: str) -> SpiffeId | None:
    """Read a SPIFFE ID that may be missing."""
    return read_id(column) if column else None
