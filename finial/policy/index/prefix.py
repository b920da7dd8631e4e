"""Finding the rules that can be about an ID or a path, whatever the number of all rules is."""

from collections.abc import Iterable, Sequence
from typing import Final

from finial.policy.id_pattern import IdPattern

_NONE: Final[tuple[int, ...]] = ()


class PrefixIndex:
    """Numbers by exact text and by prefix; a prefix ends where a slash follows."""

    def __init__(self) -> None:
        self._exact: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        self._any: list[int] = []
        self._longest = 0

    def add_exact(self, text: str, number: int) -> None:
        """Find the number under this text alone."""
        self._exact.setdefault(text, []).append(number)

    def add_below(self, prefix: str, number: int) -> None:
        """Find the number under all texts that go on after this prefix with a slash."""
        self._below.setdefault(prefix, []).append(number)
        self._longest = max(self._longest, len(prefix))

    def add_any(self, number: int) -> None:
        """Find the number under every text."""
        self._any.append(number)

    def add(self, patterns: Sequence[IdPattern], number: int) -> None:
        """Find the number under all IDs that a pattern matches; no patterns mean all IDs."""
        if not patterns:
            self.add_any(number)
        for pattern in patterns:
            if pattern.below:
                self.add_below(str(pattern.id), number)
            else:
                self.add_exact(str(pattern.id), number)

    def find(self, text: str) -> set[int]:
        """All numbers that belong to the text."""
        found = set(self._any)
        found.update(self._exact.get(text, _NONE))
        if self._below:
            for prefix in self.prefixes(text):
                found.update(self._below[prefix])
        return found

    def prefixes(self, text: str) -> Iterable[str]:
        """The prefixes of the text that numbers were added below."""
        end = text.find("/")
        while 0 <= end <= self._longest:
            if text[:end] in self._below:
                yield text[:end]
            end = text.find("/", end + 1)
