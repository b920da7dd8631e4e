"""The newest attempts, in bounded memory.

1. For each process the newest, whether it was served or refused.
2. Refusals apart from them, so that no number of successes pushes one out. The same refusal to the
   same process is one, with a count and the id it had the first time.
3. Processes that wait for an answer, for as long as they do.
4. When there are too many refusals, the oldest goes of the user who has the most in the control
   group that has the most: whoever is refused on purpose, again and again, pushes out their own. A
   container's root is many users in one control group, a user may make many of those: so either
   counts.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from typing import Final, Protocol

from agent.attestation.attempt import Attempt, Caller
from finial.explain.evidence import Said

MOST_PROCESSES: Final = 4096
MOST_REFUSALS: Final = 512

_Key = tuple[int, int, int, str, str]


class Process(Protocol):
    """Whoever is at the other end of a connection."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def uid(self) -> int:
        """Its user."""
        ...

    @property
    def gid(self) -> int:
        """Its group."""
        ...


class Memory:
    """Remembers attempts; `new_id` draws the id of a refusal."""

    def __init__(
        self,
        new_id: Callable[[], str],
        most_processes: int = MOST_PROCESSES,
        most_refusals: int = MOST_REFUSALS,
    ) -> None:
        self._new_id = new_id
        self._most_processes = most_processes
        self._most_refusals = most_refusals
        self._processes: dict[int, Attempt] = {}
        self._refusals: OrderedDict[_Key, Attempt] = OrderedDict()
        self._waiting: dict[int, list[float]] = {}

    def waits(self, pid: int, now: float) -> None:
        """Remember that a call of a process waits for its answer."""
        self._waiting.setdefault(pid, []).append(now)

    def waits_no_more(self, pid: int) -> None:
        """The call of a process that has waited longest was answered, or has gone."""
        since = self._waiting[pid]
        del since[0]
        if not since:
            del self._waiting[pid]

    def waiting_since(self, pid: int) -> float | None:
        """Since when a process has waited, if it waits."""
        since = self._waiting.get(pid)
        return since[0] if since else None

    def served(
        self,
        process: Process,
        method: str,
        said: tuple[Said, ...],
        granted: Collection[object],
        now: float,
    ) -> None:
        """Remember that a process got what it asked for."""
        known = self._processes.get(process.pid)
        if known is not None and not known.reason and (known.said is said or known.said == said):
            known.method = method
            known.granted = granted
            known.last_at = now
            known.count += 1
            return
        caller = Caller(process.pid, process.uid, process.gid)
        self._keep(Attempt(caller, method, said, now, now, granted=granted))

    def refused(
        self,
        caller: Caller,
        *,
        method: str,
        said: tuple[Said, ...],
        reason: str,
        remedy: str = "",
        asked_for: str = "",
        now: float,
        listed: bool = True,
    ) -> Attempt:
        """Remember that a process was told no; only `listed` refusals have an id."""
        key = (caller.pid, caller.started, caller.uid, method, reason)
        attempt = self._refusals.get(key)
        if attempt is not None:
            attempt.count += 1
            attempt.last_at, attempt.said, attempt.asked_for = now, said, asked_for
            self._refusals.move_to_end(key)
        else:
            attempt = Attempt(caller, method, said, now, now, reason=reason, remedy=remedy)
            attempt.asked_for = asked_for
            if listed:
                self._list(key, attempt)
        before = self._processes.get(caller.pid)
        if before is not None and not before.reason and before.caller.uid == caller.uid:
            attempt.served_until, attempt.granted = before.last_at, before.granted
        if caller.pid:
            self._keep(attempt)
        return attempt

    def of_pid(self, pid: int) -> Attempt | None:
        """The newest attempt of a process."""
        known = self._processes.get(pid)
        if known is not None:
            return known
        return next(
            (each for each in reversed(self._refusals.values()) if each.caller.pid == pid), None
        )

    def of_refusal(self, refusal: str) -> Attempt | None:
        """The attempt that was refused under that id."""
        return next((each for each in self._refusals.values() if each.refusal == refusal), None)

    def refusals(self, limit: int) -> list[Attempt]:
        """The newest refusals, the newest first."""
        newest = list(reversed(self._refusals.values()))
        return newest[:limit]

    def _keep(self, attempt: Attempt) -> None:
        pid = attempt.caller.pid
        self._processes.pop(pid, None)
        if len(self._processes) >= self._most_processes:
            del self._processes[next(iter(self._processes))]
        self._processes[pid] = attempt

    def _list(self, key: _Key, attempt: Attempt) -> None:
        attempt.refusal = self._new_id()
        if len(self._refusals) >= self._most_refusals:
            self._forget_one()
        self._refusals[key] = attempt

    def _forget_one(self) -> None:
        callers = [each.caller for each in self._refusals.values()]
        users = Counter(each.uid for each in callers)
        groups = Counter(each.group for each in callers)
        crowds = (users[each.uid] * groups[each.group] for each in callers)
        # Of equal crowds the first is taken, whose refusal is the oldest.
        _, key = max(zip(crowds, self._refusals, strict=True), key=lambda pair: pair[0])
        del self._refusals[key]
