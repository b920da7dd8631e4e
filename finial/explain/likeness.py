"""How alike two texts are spelled, in bounded time whatever they hold.

Labels are written by workloads, thousands of characters long where they like; comparing takes time
that grows with the square of a length. So what both begin and end with is put aside first, and of
the rest the beginning is compared.
"""

from collections.abc import Collection
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Final

ALIKE: Final = 0.6
"""From this likeness on, one is taken for the other, mistyped."""
MOST_COMPARED: Final = 64
"""Of so many candidates the middle is compared, of all others only what both begin and end with."""
LONGEST_COMPARED: Final = 256
_MOST_GUESSED: Final = 2048
_LONGEST_MIDDLE: Final = 48


def alike(one: str, other: str) -> float:
    """Say from 0 to 1 how alike two texts are; of long ones, their beginnings."""
    one, other = one[:LONGEST_COMPARED], other[:LONGEST_COMPARED]
    if one == other:
        return 1.0
    begin = _shared(one, other)
    one, other = one[begin:], other[begin:]
    end = _shared(one[::-1], other[::-1])
    left = one[: len(one) - end][:_LONGEST_MIDDLE]
    right = other[: len(other) - end][:_LONGEST_MIDDLE]
    blocks = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    same = begin + end + sum(block.size for block in blocks)
    return 2.0 * same / (2 * (begin + end) + len(left) + len(right))


def most_alike(word: str, words: Collection[str]) -> str:
    """Find the word that is most like one, empty if none is alike."""
    guessed = sorted(words)[:_MOST_GUESSED]
    few = nlargest(MOST_COMPARED, guessed, key=lambda each: _ends(word, each))
    ratio, found = max(((alike(word, each), each) for each in few), default=(0.0, ""))
    return found if ratio >= ALIKE else ""


def _ends(one: str, other: str) -> float:
    """A cheap guess at the same: what both begin and end with, against how long they are."""
    one, other = one[:LONGEST_COMPARED], other[:LONGEST_COMPARED]
    same = min(_shared(one, other) + _shared(one[::-1], other[::-1]), len(one), len(other))
    # Of two that share nothing there, those of about one length may still be the same letters.
    return same - abs(len(one) - len(other)) / 2


def _shared(one: str, other: str) -> int:
    """How many signs both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
