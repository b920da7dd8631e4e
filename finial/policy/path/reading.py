"""What a server may take an HTTP path for.

A rule is about the resource that the callee will serve, and callees differ in how they read a path.
So nothing is guessed:

1. the query is cut off, and percent-encoding is undone, once;
2. a path that only an attacker writes is not read at all: encoded slashes, backslashes, control
   characters, encoded dot segments, an encoding of an encoding, a climb above the root;
3. doubled slashes, dot segments and `;parameters` are kept by some servers and removed by others;
   and where a path begins with two slashes, some take what follows for a host (RFC 3986 section
   4.2). Such a path has all these readings, and has to be allowed in each; two such things in one
   path are too many to tell.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from finial.policy.grounds import Ground

MAX_PATH: Final = 8192
"""Characters of a path, its query not counted."""

Readings = tuple[str, ...]
"""One path, or more: as it is written, and as servers that tidy up read it; decoded."""

# Every path that is nothing but ordinary, in one match: no percent sign, semicolon, dot segment or
# empty segment but the last one.
_plain = re.compile(r"/(?:(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]++(?:/|\Z))*+", re.ASCII)
_raw = re.compile(r"[!-\[\]-~]*", re.ASCII)
_broken_encoding = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_still_encoded = re.compile(r"%[0-9A-Fa-f]{2}", re.ASCII)
_controls = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_parameters = re.compile(r";[^/]*")
_slashes = re.compile(r"//+")
_DOTS: Final = frozenset({".", ".."})


def read_path(target: str) -> Readings | Ground:
    """The readings of a request's target (`/a/b?c=d`), or why it has none that can be trusted.

    Spec: RFC 3986 sections 3.3 and 6.2.2, RFC 9110 section 4.2.3.
    """
    path = target.partition("?")[0]
    if len(path) > MAX_PATH:
        return Ground.PATH_TOO_LONG
    if _plain.fullmatch(path):
        return (path,)
    if not path.startswith("/"):
        return Ground.PATH_NOT_ABSOLUTE
    if not _raw.fullmatch(path):
        return Ground.PATH_CHARACTERS
    decoded = _decode(path)
    return decoded if isinstance(decoded, Ground) else _tidied(decoded)


def _decode(path: str) -> str | Ground:
    if "#" in path:
        return Ground.PATH_AMBIGUOUS
    if _broken_encoding.search(path):
        return Ground.PATH_ENCODING
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return Ground.PATH_ENCODING
    if _controls.search(decoded) or _still_encoded.search(decoded):
        return Ground.PATH_AMBIGUOUS
    if decoded.count("/") != path.count("/") or _hides_dots(path, decoded):
        return Ground.PATH_AMBIGUOUS
    return decoded


def _hides_dots(path: str, decoded: str) -> bool:
    segments = zip(path.split("/"), decoded.split("/"), strict=True)
    return any(shown in _DOTS and shown != written for written, shown in segments)


def _tidied(decoded: str) -> Readings | Ground:
    odd = _oddities(decoded)
    if not odd:
        return (decoded,)
    if len(odd) > 1:
        return Ground.PATH_AMBIGUOUS
    if odd == [_EMPTY_SEGMENTS]:
        return _without_doubled_slashes(decoded)
    other = _without_dots(decoded) if odd == [_DOT_SEGMENTS] else _parameters.sub("", decoded)
    return Ground.PATH_AMBIGUOUS if not other or _oddities(other) else (decoded, other)


_DOT_SEGMENTS: Final = "dots"
_EMPTY_SEGMENTS: Final = "slashes"
_PARAMETERS: Final = "parameters"


def _oddities(path: str) -> list[str]:
    found = []
    if not _DOTS.isdisjoint(path.split("/")):
        found.append(_DOT_SEGMENTS)
    if "//" in path:
        found.append(_EMPTY_SEGMENTS)
    if ";" in path:
        found.append(_PARAMETERS)
    return found


def _without_doubled_slashes(path: str) -> Readings:
    found = [path]
    if path.startswith("//"):
        found.append("/" + path[2:].partition("/")[2])
    found += [_slashes.sub("/", each) for each in found]
    return tuple(dict.fromkeys(found))


def _without_dots(path: str) -> str:
    """Resolve `.` and `..`; empty where servers do not agree about the result either."""
    segments = path.split("/")
    # Some keep the slash that a last dot segment leaves behind, some do not.
    if segments[-1] in _DOTS:
        return ""
    kept: list[str] = []
    for segment in segments[1:]:
        if segment == "..":
            if not kept:
                return ""
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)
