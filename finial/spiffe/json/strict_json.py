"""JSON as the standards need it: no duplicate names, no NaN, bounded in size and depth (TDB-21)."""

import json
import re
from collections import Counter
from typing import Final, NoReturn

from finial.spiffe.refusal import Kind, Refusal

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 32

# Possessive, and content with a string that never ends: no text makes it go back.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)


def loads(document: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> object:
    """Read one JSON value in UTF-8, refusing whatever two parsers could read in two ways.

    `max_bytes` bounds the document, `max_depth` how deeply its arrays and objects nest.

    Raises: Refusal of kind INVALID.
    Spec: Trust Domain and Bundle sections 5.1.1 and 6.3 (TDB-21).
    """
    if len(document) > max_bytes:
        raise _invalid(f"the JSON document is longer than {max_bytes} bytes")
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("the JSON document is not UTF-8") from error
    _judge_depth(text, max_depth)
    try:
        found: object = json.loads(
            text,
            object_pairs_hook=_object_of,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except ValueError as error:
        raise _invalid(f"the document is not JSON ({error})") from error
    if _SURROGATE_ESCAPE.search(text):
        _judge_text(found)
    return found


def loads_object(document: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """Read one JSON object under the rules of `loads`.

    Raises: Refusal of kind INVALID.
    """
    found = loads(document, max_bytes=max_bytes)
    if not isinstance(found, dict):
        raise _invalid("the JSON document is not an object")
    return found


def _judge_depth(text: str, max_depth: int) -> None:
    # Counted before parsing, since the parser itself recurses.
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        mark = token.group()
        if mark in ("[", "{"):
            depth += 1
            if depth > max_depth:
                raise _invalid(f"the JSON document nests deeper than {max_depth} levels")
        elif mark in ("]", "}"):
            depth -= 1


def _object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("the JSON object has a name twice", value=_first_repeated(pairs))
    return found


def _first_repeated(pairs: list[tuple[str, object]]) -> str:
    counted = Counter(name for name, _ in pairs)
    return next(name for name, count in counted.items() if count > 1)


def _refuse_constant(constant: str) -> NoReturn:
    raise _invalid("the JSON document holds a number that JSON does not know", value=constant)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _invalid("the JSON document holds a number out of range", value=text)
    return number


def _judge_text(value: object) -> None:
    # An escaped lone surrogate parses, but is not text: it could never be written out again.
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _invalid("the JSON document holds an escaped lone surrogate") from error
    elif isinstance(value, dict):
        for name, content in value.items():
            _judge_text(name)
            _judge_text(content)
    elif isinstance(value, list):
        for content in value:
            _judge_text(content)


def _invalid(fault: str, value: str = "") -> Refusal:
    return Refusal(Kind.INVALID, fault, value=ascii(value[:80])[1:-1])
