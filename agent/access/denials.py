"""The newest denials, each with the id under which it is explained, in bounded memory.

The same denial again is one, with a count. When there are too many, the oldest goes of the caller
who has the most: whoever is denied on purpose, again and again, pushes out their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agent.access.fair_memory import FairMemory
from agent.access.reasons import Reason
from agent.access.verdict import Verdict
from agent.attestation.attempt import Caller as Process
from finial.spiffe.identity import SpiffeId

MOST: Final = 512

_Key = tuple[SpiffeId | None, SpiffeId | None, Reason, str, str]


@dataclass(slots=True)
class Denial:
    """A request that was denied `count` times, from `first_at` to `last_at` (Unix seconds).

    `asker` is the proxy's process.
    """

    id: str
    verdict: Verdict
    asker: Process
    first_at: float
    last_at: float
    count: int = 1


class Denials:
    """Remembers denials; `new_id` draws the id of one."""

    def __init__(self, new_id: Callable[[], str], most: int = MOST) -> None:
        self._new_id = new_id
        self._held: FairMemory[SpiffeId | None, _Key, Denial] = FairMemory(most)

    def remember(self, verdict: Verdict, asker: Process, now: float) -> Denial:
        """Remember that a request was denied."""
        caller = verdict.caller.id
        key = (caller, verdict.callee, verdict.reason, verdict.method, verdict.path)
        denial = self._held.renew(key)
        if denial is not None:
            denial.count += 1
            denial.last_at, denial.verdict, denial.asker = now, verdict, asker
            return denial
        denial = Denial(self._new_id(), verdict, asker, now, now)
        self._held.add(caller, key, denial)
        return denial

    def of(self, id_: str) -> Denial | None:
        """The denial with that id."""
        return next((each for each in self._held if each.id == id_), None)

    def newest(self, limit: int) -> list[Denial]:
        """The newest denials, the newest first."""
        return list(islice(self._held, limit))
