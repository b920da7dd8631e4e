"""Free text about an entry, such as its role or team."""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from finial.spiffe.refusal import Kind, Refusal

MAX_ATTRIBUTES: Final = 64
MAX_NAME_BYTES: Final = 128
MAX_VALUE_BYTES: Final = 1024
# BE-10: SPIRE's bound on what it stores beside an entry; a pair costs four bytes of punctuation.
MAX_TOTAL_BYTES: Final = 65535
_PAIR_COST: Final = 4


def judge_attributes(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Sort the pairs by name; at most 64, a name of 128 bytes, a value of 1024, 65535 together.

    Raises: Refusal of kind INVALID.
    """
    judged = tuple(sorted(pairs))
    if len(judged) > MAX_ATTRIBUTES:
        raise _invalid(str(len(judged)), "an entry has at most 64 attributes", "leave some out")
    for name, value in judged:
        _judge_pair(name, value)
    if len({name for name, _ in judged}) < len(judged):
        raise _invalid(_repeated(judged), "an attribute is given twice", "give it once")
    if sum(len(f"{n}{v}".encode()) + _PAIR_COST for n, v in judged) > MAX_TOTAL_BYTES:
        raise _invalid("", "the attributes take more than 65535 bytes", "shorten their values")
    return judged


def judge_text(text: str, field: str, longest: int) -> str:
    """Give the text back when it has at most `longest` bytes and no control characters.

    Raises: Refusal of kind INVALID.
    """
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        fault = "the text holds a control character or half a character"
    elif len(text.encode()) > longest:
        fault = f"the text is longer than {longest} bytes"
    else:
        return text
    raise Refusal(Kind.INVALID, fault, field=field, value=text[:80], remedy="write plain text")


def _judge_pair(name: str, value: str) -> None:
    if not name:
        raise _invalid(value[:80], "an attribute has a name", "write it like team=payments")
    judge_text(name, "attributes", MAX_NAME_BYTES)
    judge_text(value, "attributes", MAX_VALUE_BYTES)


def _repeated(pairs: tuple[tuple[str, str], ...]) -> str:
    return next(one[0] for one, other in pairwise(pairs) if one[0] == other[0])


def _invalid(value: str, fault: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="attributes", value=value, remedy=remedy)
