"""Who called whom, in bounded memory: totals, and the requests that were seen last.

Nothing here grows with what callers choose to send. A pair too many is counted and not named; of
requests the ones not seen for longest go.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.access.caller import Means
from agent.access.reasons import Reason
from agent.access.verdict import Outcome, Verdict
from finial.spiffe.identity import SpiffeId

MOST_PAIRS: Final = 4096
MOST_REQUESTS: Final = 4096

Pair = tuple[SpiffeId | None, SpiffeId | None, Means, Outcome]
"""Caller, callee, by what the caller was known, and what came of it."""

Request = tuple[SpiffeId | None, SpiffeId | None, Means, Outcome, str, str, Reason]
"""The same, with the method, the path and the reason."""


@dataclass(slots=True)
class Seen:
    """How often something was seen, first and last (Unix seconds)."""

    first_at: float
    last_at: float
    count: int = 1


class Traffic:
    """Counts decisions; `unnamed` are those of pairs for which there was no room."""

    def __init__(self, most_pairs: int = MOST_PAIRS, most_requests: int = MOST_REQUESTS) -> None:
        self._most_pairs = most_pairs
        self._most_requests = most_requests
        self._pairs: dict[Pair, Seen] = {}
        self._requests: OrderedDict[Request, Seen] = OrderedDict()
        self.unnamed = 0

    def note(self, verdict: Verdict, now: float) -> None:
        """Count one decision."""
        caller = verdict.caller
        pair = (caller.id, verdict.callee, caller.means, verdict.outcome)
        seen = self._pairs.get(pair)
        if seen is not None:
            seen.count += 1
            seen.last_at = now
        elif len(self._pairs) < self._most_pairs:
            self._pairs[pair] = Seen(now, now)
        else:
            self.unnamed += 1
        self._note_request((*pair, verdict.method, verdict.path, verdict.reason), now)

    def pairs(self) -> Iterator[tuple[Pair, Seen]]:
        """Every pair, in the order in which they were first seen."""
        return iter(self._pairs.items())

    def requests(self) -> Iterator[tuple[Request, Seen]]:
        """The requests, the one seen last at the end."""
        return iter(self._requests.items())

    def forget(self) -> None:
        """Begin anew, when somebody has collected everything."""
        self._pairs.clear()
        self._requests.clear()
        self.unnamed = 0

    def _note_request(self, request: Request, now: float) -> None:
        seen = self._requests.get(request)
        if seen is not None:
            seen.count += 1
            seen.last_at = now
            self._requests.move_to_end(request)
            return
        self._requests[request] = Seen(now, now)
        if len(self._requests) > self._most_requests:
            self._requests.popitem(last=False)
