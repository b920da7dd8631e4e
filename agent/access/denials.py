"""The newest denials, each with the id under which it is explained, in bounded memory.

The same denial again is one, with a count. When there are too many, the oldest goes of the caller
who has the most: whoever is denied on purpose, again and again, pushes out their own.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

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
        self._most = most
        self._held: OrderedDict[_Key, Denial] = OrderedDict()
        self._of_caller: Counter[SpiffeId | None] = Counter()

    def remember(self, verdict: Verdict, asker: Process, now: float) -> Denial:
        """Remember that a request was denied."""
        caller = verdict.caller.id
        key = (caller, verdict.callee, verdict.reason, verdict.method, verdict.path)
        denial = self._held.get(key)
        if denial is not None:
            denial.count += 1
            denial.last_at, denial.verdict, denial.asker = now, verdict, asker
            self._held.move_to_end(key)
            return denial
        if len(self._held) >= self._most:
            self._forget_one()
        denial = self._held[key] = Denial(self._new_id(), verdict, asker, now, now)
        self._of_caller[caller] += 1
        return denial

    def of(self, id_: str) -> Denial | None:
        """The denial with that id."""
        return next((each for each in self._held.values() if each.id == id_), None)

    def newest(self, limit: int) -> list[Denial]:
        """The newest denials, the newest first."""
        return list(islice(reversed(self._held.values()), limit))

    def _forget_one(self) -> None:
        most = max(self._of_caller, key=self._of_caller.__getitem__)
        del self._held[next(key for key in self._held if key[0] == most)]
        self._of_caller[most] -= 1
        if not self._of_caller[most]:
            del self._of_caller[most]
