"""What agents say of themselves: which attestors they run, and which selectors those give.

It is the word of agents, so it is bounded, and it never holds a pattern of theirs.
"""

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar

from ca.registry.nodes.node import Node
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

MAX_REPORT_BYTES: Final = 8192
MAX_ATTESTORS: Final = 64
MAX_FORMS: Final = 256
T = TypeVar("T", bound=Hashable)
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Report = tuple[tuple[str, tuple[str, ...]], ...]
"""For each attestor, by name, the names of its selectors' forms."""


def read_report(document: bytes) -> Report:
    """Read `{"attestors": {"unix": ["uid", ...]}}`.

    Raises: Refusal of kind INVALID.
    """
    if len(document) > MAX_REPORT_BYTES:
        raise _unreadable(f"it has {len(document)} bytes")
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise _unreadable("it is no JSON") from error
    attestors = parsed.get("attestors") if isinstance(parsed, dict) else None
    if not isinstance(attestors, dict) or len(attestors) > MAX_ATTESTORS:
        raise _unreadable("it names no attestors, or too many")
    return tuple(sorted((_name(name), _names(forms)) for name, forms in attestors.items()))


class Fleet:
    """The newest report of each agent; belongs to one thread."""

    def __init__(self) -> None:
        self._reports: dict[SpiffeId, Report] = {}
        self._present: set[SpiffeId] = set()
        # Most agents of a fleet say the same, which is kept once.
        self._kept: dict[Report, Report] = {}
        self._said: Counter[Report] = Counter()
        self._running: Counter[str] = Counter()
        self._giving: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._reports)

    def note(self, agent: SpiffeId, report: Report) -> None:
        """Remember what an agent says it runs; it takes the place of what it said before."""
        self.forget(agent)
        self._present.add(agent)
        report = self._reports[agent] = self._kept.setdefault(report, report)
        self._said[report] += 1
        for name, forms in report:
            self._running[name] += 1
            self._giving.update((name, form) for form in forms)

    def doubt(self, agent: SpiffeId) -> None:
        """Take what an agent said for old: it is away, or is back and may run something else."""
        self._present.discard(agent)

    def forget(self, agent: SpiffeId) -> None:
        """Forget an agent that is gone."""
        self.doubt(agent)
        report = self._reports.pop(agent, None)
        if report is None:
            return
        if _is_last(self._said, report):
            del self._kept[report]
        for name, forms in report:
            _is_last(self._running, name)
            for form in forms:
                _is_last(self._giving, (name, form))

    def running(self, type_: str) -> int:
        """How many agents run the attestor of that type."""
        return self._running[type_]

    def gives(self, type_: str, form: str) -> bool:
        """Whether an agent says that its attestor of that type gives selectors of that form."""
        return (type_, form) in self._giving

    def types(self) -> tuple[str, ...]:
        """The types that agents give, by name."""
        return tuple(sorted(self._running))

    def of(self, agent: SpiffeId) -> Mapping[str, tuple[str, ...]] | None:
        """What one agent runs, if it said so."""
        report = self._reports.get(agent)
        return None if report is None else dict(report)

    def is_whole(self, nodes: Iterable[Node], now: float) -> bool:
        """Whether there are agents, and each that can be there is, and said what it runs."""
        alive = (node for node in nodes if not node.banned and node.good_until > now)
        return bool(self._present) and all(node.id in self._present for node in alive)


def _is_last(counter: Counter[T], counted: T) -> bool:
    counter[counted] -= 1
    if counter[counted]:
        return False
    del counter[counted]
    return True


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _unreadable("a name in it is none")
    return name


def _names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > MAX_FORMS:
        raise _unreadable("an attestor's selectors are no list, or too many")
    return tuple(sorted({_name(name) for name in names}))


def _unreadable(fault: str) -> Refusal:
    return Refusal(Kind.INVALID, f"the report of attestors cannot be read: {fault}")
