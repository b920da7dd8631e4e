"""Paths by their shape: what differs from request to request becomes a star.

Without that a record of paths would grow with every order and every user, and tell who they are.
"""

import re
from functools import lru_cache
from typing import Final

MAX_SEGMENTS: Final = 12
MAX_SEGMENT: Final = 40
MOST_REMEMBERED: Final = 4096
_STAR: Final = "*"

# A number; a UUID or a longer number in hex; anything long in which there are digits.
_changing: Final = re.compile(
    r"[0-9]++|(?=[^/]*[0-9])[0-9a-fA-F-]{8,}|(?=(?:[^/0-9]*[0-9]){3})[^/]{12,}", re.ASCII
)


@lru_cache(maxsize=MOST_REMEMBERED)
def path_shape(path: str) -> str:
    """The shape of a path that has no query: at most 12 segments, each of at most 40 characters.

    `/orders/17/items` is `/orders/*/items`. A star at the end may stand for several segments.
    """
    segments = path.split("/", MAX_SEGMENTS + 1)
    rest = len(segments) > MAX_SEGMENTS + 1
    shaped = "/".join(map(_shaped, segments[: MAX_SEGMENTS + 1]))
    return f"{shaped}/{_STAR}" if rest else shaped


def _shaped(segment: str) -> str:
    if len(segment) > MAX_SEGMENT or _changing.fullmatch(segment):
        return _STAR
    return segment
