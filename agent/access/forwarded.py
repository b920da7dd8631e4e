"""What a proxy says of the client certificate that it saw: `x-forwarded-client-cert`.

The header is a list of elements, one for each proxy that added one, the last by the nearest.
An element is a list of pairs `Key=value` divided by semicolons; a value may stand in quotes, in
which a backslash escapes.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_HEADER: Final = 64 * 1024
"""Characters of the whole header: an element may hold a chain of certificates."""
MAX_ELEMENTS: Final = 16

_pair = re.compile(
    r'(?P<key>[A-Za-z]{1,16})=(?P<value>"(?:[^"\\]|\\.)*+"|[^",;]*+)(?P<end>[,;]|\Z)', re.ASCII
)
_escape = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Element:
    """One certificate that one proxy saw: its URIs, and the certificate itself if it is there."""

    uris: tuple[str, ...]
    certificate: str = ""


def read_forwarded(header: str) -> tuple[Element, ...] | None:
    """The elements, in the order of the header; None for a header that is none."""
    if not header or len(header) > MAX_HEADER:
        return None
    elements: list[Element] = []
    pairs: list[tuple[str, str]] = []
    at = 0
    while True:
        found = _pair.match(header, at)
        if found is None or len(elements) == MAX_ELEMENTS:
            return None
        pairs.append((found["key"].lower(), _plain(found["value"])))
        if found["end"] != ";":
            elements.append(_element(pairs))
            pairs = []
        if not found["end"]:
            return tuple(elements)
        at = found.end()
        while header[at : at + 1] == " ":
            at += 1


def _plain(value: str) -> str:
    return _escape.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _element(pairs: list[tuple[str, str]]) -> Element:
    # An empty URI is how a certificate without one is told of.
    uris = tuple(value for key, value in pairs if key == "uri" and value)
    certificate = next((value for key, value in pairs if key == "cert"), "")
    return Element(uris, certificate)
