"""Who called whom, in bounded memory.

1. A pair is a caller, a callee, what proved the caller, and what came of it. When there are too
   many, the one that was seen last the longest ago goes, with its rows.
2. A pair has a row for each kind of request: method, shape of the path, reason. Kinds too many are
   counted together, in one row that names none; so no caller pushes out another's rows, and the
   rows of a pair add up to it.
3. Every change has a turn, by which a server asks for what is new to it.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from agent.access.caller import Means
from agent.access.verdict import Outcome, Verdict
from finial.spiffe.identity import SpiffeId
from finial.traffic import Cursor, Row, TrafficDocument
from finial.traffic.document import MAX_ROWS
from finial.traffic.path_shape import path_shape

MOST_PAIRS: Final = 4096
MOST_KINDS: Final = 64
"""Kinds of request that each pair may have."""

MOST_ROWS: Final = 16_384
MAX_METHOD: Final = 32
MAX_EXAMPLE: Final = 256
MAX_TEXT_SENT: Final = 96 * 1024
"""Characters in the rows of one document; JSON may make six bytes of one."""

Pair = tuple[SpiffeId | None, SpiffeId | None, Means, Outcome]
_Kind = tuple[str, str, str]
_OTHERS: Final[_Kind] = ("", "", "")


@dataclass(slots=True)
class _Seen:
    first_at: float
    last_at: float
    born: int
    turn: int
    count: int = 1
    example: str = ""


@dataclass(slots=True)
class _Rows:
    kinds: dict[_Kind, _Seen] = field(default_factory=dict)


class Traffic:
    """Counts decisions from `since` on (Unix seconds); `epoch` names this record."""

    def __init__(
        self,
        epoch: str = "",
        since: float = 0.0,
        *,
        most_pairs: int = MOST_PAIRS,
        most_kinds: int = MOST_KINDS,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._epoch = epoch
        self._since = since
        self._most_pairs = most_pairs
        self._most_kinds = most_kinds
        self._most_rows = most_rows
        self._pairs: OrderedDict[Pair, _Rows] = OrderedDict()
        self._held = 0
        self._turn = 0
        self._forgotten = 0

    def __len__(self) -> int:
        """How many rows there are."""
        return self._held

    def note(self, verdict: Verdict, now: float) -> None:
        """Count one decision."""
        self._turn += 1
        caller = verdict.caller
        pair = (caller.id, verdict.callee, caller.means, verdict.outcome)
        rows = self._pairs.get(pair)
        if rows is None:
            rows = self._begin(pair)
        self._pairs.move_to_end(pair)
        kind = (verdict.method[:MAX_METHOD], path_shape(verdict.path), verdict.reason.value)
        seen = rows.kinds.get(kind)
        if seen is None:
            if not self._has_room(rows):
                kind = _OTHERS
            seen = rows.kinds.get(kind)
        if seen is None:
            seen = rows.kinds[kind] = _Seen(now, now, self._turn, self._turn)
            self._held += 1
        else:
            seen.count += 1
            seen.last_at, seen.turn = now, self._turn
        if verdict.outcome is not Outcome.ALLOWED and kind is not _OTHERS:
            seen.example = verdict.path[:MAX_EXAMPLE]

    def rows(self) -> Iterator[Row]:
        """Every row, those of the pair that was seen last at the end."""
        for pair, rows in self._pairs.items():
            for kind, seen in rows.kinds.items():
                yield _row(pair, kind, seen)

    def after(self, cursor: Cursor) -> TrafficDocument:
        """What changed after that, or everything if it is of another record."""
        known = cursor.epoch == self._epoch and cursor.after <= self._turn
        turn = cursor.after if known else 0
        changed = sorted(
            (
                (seen.turn, pair, kind, seen)
                for pair, rows in self._pairs.items()
                for kind, seen in rows.kinds.items()
                if seen.turn > turn
            ),
            key=lambda found: found[0],
        )
        sent: list[Row] = []
        length = 0
        for _, pair, kind, seen in changed:
            row = _row(pair, kind, seen)
            length += len(row.caller) + len(row.callee) + len(row.shape) + len(row.example)
            if len(sent) == MAX_ROWS or length > MAX_TEXT_SENT:
                break
            sent.append(row)
        more = len(sent) < len(changed)
        return TrafficDocument(
            epoch=self._epoch,
            turn=changed[len(sent) - 1][0] if more else self._turn,
            since=self._since,
            rows=tuple(sent),
            more=more,
            forgotten=self._forgotten,
        )

    def _begin(self, pair: Pair) -> _Rows:
        while self._pairs and (
            len(self._pairs) >= self._most_pairs or self._held >= self._most_rows
        ):
            _, gone = self._pairs.popitem(last=False)
            self._held -= len(gone.kinds)
            self._forgotten += 1
        rows = self._pairs[pair] = _Rows()
        return rows

    def _has_room(self, rows: _Rows) -> bool:
        """A pair always has its first row, and the one of all others besides."""
        kinds = len(rows.kinds)
        return not kinds or (kinds < self._most_kinds and self._held < self._most_rows)


def _row(pair: Pair, kind: _Kind, seen: _Seen) -> Row:
    caller, callee, means, outcome = pair
    method, shape, reason = kind
    return Row(
        caller="" if caller is None else str(caller),
        callee="" if callee is None else str(callee),
        means=means.value,
        outcome=outcome.value,
        method=method,
        shape=shape,
        reason=reason,
        example=seen.example,
        first_at=seen.first_at,
        last_at=seen.last_at,
        count=seen.count,
        born=seen.born,
    )
