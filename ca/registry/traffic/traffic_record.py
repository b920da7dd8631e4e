"""Who called whom in the whole trust domain, in bounded memory: the word of agents, judged.

1. An agent is heard about callees that it is entitled to alone, and about what has none.
2. A row tells its whole count. A row of another epoch or birth than the one that is held begins
   anew, and what was counted before is added to it.
3. What is too much of an agent pushes out its own rows; what is too much of all, those of the agent
   that has the most. It is those that were seen last the longest ago that go.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Final

import msgspec

from ca.registry.page import Page
from ca.registry.traffic.flow import By, Flow, FlowKey, TrafficFilter, read_token, write_token
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Refusal
from finial.traffic import Row, TrafficDocument

MOST_ROWS: Final = 65_536
MOST_OF_AGENT: Final = 16_384
PUSHED_OUT_AT_ONCE: Final = 8
"""An eighth of an agent's rows goes at once, so that it is not looked for with every row."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A row as it is held; `before` was counted in former rows of its kind."""

    epoch: str
    born: int
    count: int
    before: int
    first_at: float
    last_at: float
    example: str


Snapshot = tuple[tuple[SpiffeId, tuple[tuple[FlowKey, Held], ...]], ...]


class TrafficRecord:
    """What agents told; `refused` is how many rows were not theirs to tell, or none."""

    def __init__(self, most_rows: int = MOST_ROWS, most_of_agent: int = MOST_OF_AGENT) -> None:
        self._most_rows = most_rows
        self._most_of_agent = most_of_agent
        self._of_agent: dict[SpiffeId, dict[FlowKey, Held]] = {}
        self._held = 0
        self.refused = 0
        self.decided: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many rows are held."""
        return self._held

    def learn(
        self,
        agent: SpiffeId,
        document: TrafficDocument,
        callees: Container[SpiffeId],
        now: float,
    ) -> None:
        """Take what an agent tells of these callees; nothing was seen later than `now`."""
        rows = self._of_agent.setdefault(agent, {})
        for row in document.rows:
            key = _key(row)
            if key is None or (key.callee is not None and key.callee not in callees):
                self.refused += 1
                continue
            known = rows.get(key)
            held = rows[key] = _held(known, document.epoch, row, now)
            gained = held.count + held.before
            if known is None:
                self._held += 1
            else:
                gained -= known.count + known.before
            self.decided[key.outcome] += max(gained, 0)
            if len(rows) > self._most_of_agent:
                self._push_out(agent)
            if self._held > self._most_rows:
                self._push_out(max(self._of_agent, key=lambda each: len(self._of_agent[each])))
        if not rows:
            self._of_agent.pop(agent, None)

    def snapshot(self) -> Snapshot:
        """Everything at this moment, to be looked at elsewhere than here."""
        return tuple((agent, tuple(rows.items())) for agent, rows in self._of_agent.items())

    def _push_out(self, agent: SpiffeId) -> None:
        rows = self._of_agent[agent]
        oldest = sorted(rows, key=lambda each: rows[each].last_at)
        for key in oldest[: len(oldest) // PUSHED_OUT_AT_ONCE + 1]:
            del rows[key]
            self._held -= 1


def ordered(snapshot: Snapshot, wanted: TrafficFilter, by: By) -> Sequence[Flow]:
    """All flows that are asked for, by callee and caller; of very many it takes half a second."""
    return sorted(_flows(snapshot, wanted, by), key=_place)


def page_in(flows: Sequence[Flow], size: int, token: str = "") -> Page[Flow]:
    """One page of flows in their order; a size of 0 is all.

    Raises: Refusal of kind INVALID for a token of someone else.
    """
    begin = bisect_right(flows, read_token(token), key=_place) if token else 0
    end = begin + size if size else len(flows)
    taken = tuple(flows[begin:end])
    return Page(taken, write_token(taken[-1].key) if end < len(flows) else "")


def _place(flow: Flow) -> tuple[str, ...]:
    return flow.key.place


def _flows(snapshot: Snapshot, wanted: TrafficFilter, by: By) -> Iterable[Flow]:
    found: dict[FlowKey, Flow] = {}
    for agent, rows in snapshot:
        if wanted.agent is not None and agent != wanted.agent:
            continue
        agents = frozenset((agent,))
        for kind, held in rows:
            if not wanted.matches(kind, held.last_at):
                continue
            key = kind.pair if by is By.PAIRS else kind
            count = held.count + held.before
            flow = Flow(key, count, held.first_at, held.last_at, held.example, agents)
            known = found.get(key)
            found[key] = flow if known is None else known.plus(flow)
    return found.values()


def _key(row: Row) -> FlowKey | None:
    try:
        callee, caller = (_id(each) for each in (row.callee, row.caller))
    except Refusal:
        return None
    return FlowKey(callee, caller, row.means, row.outcome, row.method, row.shape, row.reason)


def _id(text: str) -> SpiffeId | None:
    return SpiffeId.parse(text) if text else None


def _held(known: Held | None, epoch: str, row: Row, now: float) -> Held:
    last_at = min(row.last_at, now)
    first_at, before = min(row.first_at, last_at), 0
    if known is not None:
        first_at, before = min(first_at, known.first_at), known.before
        if (known.epoch, known.born) != (epoch, row.born):
            before += known.count
    return Held(epoch, row.born, row.count, before, first_at, last_at, row.example)
