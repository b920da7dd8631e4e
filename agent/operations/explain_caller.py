"""Explaining why a process got what it got, and what it would get.

Everything is read from what the agent remembers and holds; only a process that did not ask, or
whose present is wanted, is attested again. The comparison with all entries is made in a thread,
because an agent may have very many. So many explanations at once, and no more, are made.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.access.denials import Denials
from agent.access.explaining import denial_summary, explain_denial
from agent.access.held_policies import HeldPolicies
from agent.attestation.attempt import Attempt, Caller
from agent.attestation.explaining import amended, explain, for_itself, foresee, summary
from agent.attestation.memory import Memory
from agent.attestation.situation import Situation
from agent.operations.attest_caller import CallerAttestation, Unserved, check
from agent.operations.processes import Running, caller_of, ended, running, started_at
from finial.explain.checkup import span
from finial.explain.explanation import Explanation, Fix
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer, PeerGone
from finial.spiffe.refusal import Kind, Refusal

AT_ONCE: Final = 4
MOST_WAITING: Final = 32
MOST_LISTED: Final = 100
SAME_PROCESS: Final = 2.0
"""Seconds by which the time a process started may seem later than it is."""


class Explaining:
    """Answers who asks why."""

    def __init__(
        self,
        memory: Memory,
        attestation: CallerAttestation,
        situation: Callable[[], Situation],
        *,
        denials: Denials,
        rules: Callable[[], HeldPolicies | None],
        endpoint: Path,
        clock: Clock,
    ) -> None:
        self._memory = memory
        self._attestation = attestation
        self._situation = situation
        self._denials = denials
        self._rules = rules
        self._endpoint = endpoint
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def attestors(self) -> bytes:
        """Say which attestors run here, and the names of their selectors' forms, in JSON."""
        running = {
            each.name: [form.name for form in each.grammar.forms]
            for each in self._attestation.attestors
        }
        return json.dumps({"attestors": running}).encode()

    async def of_refusal(self, refusal: str) -> Explanation:
        """Explain the refusal with that id, or the denial of a request.

        Raises: Refusal of kind NOT_FOUND.
        """
        denial = self._denials.of(refusal.strip().lower())
        if denial is not None:
            return explain_denial(denial, self._rules(), self._situation().agent_id)
        attempt = self._memory.of_refusal(refusal.strip().lower())
        if attempt is None:
            raise Refusal(
                Kind.NOT_FOUND,
                f"this agent knows no refusal {refusal[:40]}",
                field="refusal",
                value=refusal[:40],
                remedy="it may be another agent's, or too old: see finial explain --last-refusals",
            )
        if ended(attempt.caller):
            return await self._explained(explain, replace(attempt, has_ended=True))
        return await self._beside_the_present(attempt, running(attempt.caller.pid))

    async def of_pid(self, pid: int) -> Explanation:
        """Explain what a process was answered last; one that has not asked is attested now.

        Raises: Refusal of kind NOT_FOUND, INVALID.
        """
        attempt = self._memory.of_pid(pid)
        try:
            process = running(pid)
        except Refusal:
            if attempt is None:
                raise
            told = await self._explained(explain, replace(attempt, has_ended=True))
            return with_cause(told, f"process {pid} has ended since")
        since = self._memory.waiting_since(pid)
        if since is not None:
            waits = f"process {pid} has waited for its answer for {span(self._clock.now() - since)}"
            return with_cause(await self._foreseen(process), waits)
        if attempt is None or not _is_same(attempt, process):
            cause = f"process {pid} has asked this agent for nothing yet"
            fix = f"see that it asks here: SPIFFE_ENDPOINT_SOCKET=unix://{self._endpoint}"
            told = with_cause(await self._foreseen(process), cause)
            return msgspec.structs.replace(told, fixes=(Fix(what=fix), *told.fixes))
        return await self._beside_the_present(attempt, process)

    async def simulate(self, pid: int) -> Explanation:
        """Say what a process would get if it asked now.

        Raises: Refusal of kind NOT_FOUND, INVALID.
        """
        return await self._foreseen(running(pid))

    async def of_caller(self, peer: KernelPeer) -> Explanation:
        """Tell a caller about itself.

        Raises: Refusal of kind UNAVAILABLE.
        """
        attempt = await self._attested(peer)
        last = self._memory.of_pid(peer.pid)
        if last is not None and not _is_of(last, attempt.caller):
            last = None
        return for_itself(attempt, self._situation(), last)

    def refusals(self, limit: int) -> list[Explanation]:
        """List the newest refusals and denials of requests, the newest first, at most 100."""
        agent = self._situation().agent_id
        wanted = min(limit, MOST_LISTED) if limit > 0 else MOST_LISTED
        found = [summary(each, agent) for each in self._memory.refusals(wanted)]
        found += [denial_summary(each, agent) for each in self._denials.newest(wanted)]
        return sorted(found, key=lambda each: each.last_at, reverse=True)[:wanted]

    async def answer(self, question: bytes) -> Explanation:
        """Answer a question in JSON with one of the members `pid`, `refusal` and `simulate_pid`.

        Raises: Refusal of kind INVALID, NOT_FOUND.
        """
        match _subject(question):
            case ("pid", int(pid)):
                return await self.of_pid(pid)
            case ("simulate_pid", int(pid)):
                return await self.simulate(pid)
            case ("refusal", str(refusal)):
                return await self.of_refusal(refusal)
        raise Refusal(Kind.INVALID, "the question is about no pid and no refusal")

    async def _beside_the_present(self, attempt: Attempt, process: Running) -> Explanation:
        """What became of a process that still lives, and what would become of it now."""
        told = await self._explained(explain, replace(attempt, caller=process.caller))
        if not attempt.reason:
            return told
        try:
            return amended(told, await self._foreseen(process))
        except Refusal:
            return told  # it has ended meanwhile

    async def _foreseen(self, process: Running) -> Explanation:
        try:
            caller = process.caller
            peer = KernelPeer.by_pid(caller.pid, caller.uid, caller.gid)
        except PeerGone as gone:
            raise Refusal(Kind.NOT_FOUND, str(gone)) from gone
        except OSError as error:
            raise Refusal(Kind.EXHAUSTED, f"the process cannot be looked at: {error}") from error
        try:
            return await self._explained(foresee, await self._attested(peer))
        finally:
            peer.close()

    async def _attested(self, peer: KernelPeer) -> Attempt:
        findings = await self._attestation.look(peer)
        caller = caller_of(peer)
        check(peer, findings.said)
        now = self._clock.now()
        attempt = Attempt(caller, "", findings.said, now, now)
        try:
            self._attestation.judge(findings)
        except Unserved as refusal:
            attempt.reason = refusal.detail
        return attempt

    async def _explained(
        self, make: Callable[[Attempt, Situation], Explanation], attempt: Attempt
    ) -> Explanation:
        if self._waiting >= MOST_WAITING:
            raise Refusal(Kind.EXHAUSTED, "too much is being explained already")
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(make, _own(attempt), self._situation())
        finally:
            self._waiting -= 1


def _is_same(attempt: Attempt, process: Running) -> bool:
    """Whether a PID still belongs to the process that has asked."""
    if attempt.caller.started:
        return attempt.caller.started == process.caller.started
    return process.since <= attempt.last_at + SAME_PROCESS


def _is_of(attempt: Attempt, caller: Caller) -> bool:
    """Whether an attempt is that of a caller, and not of one that had its PID before."""
    return attempt.caller.uid == caller.uid and attempt.caller.started == caller.started


def _own(attempt: Attempt) -> Attempt:
    """An attempt without the past of another process that had the same PID."""
    if attempt.served_until and started_at(attempt.caller) > attempt.served_until + SAME_PROCESS:
        return replace(attempt, served_until=0.0, granted=())
    return replace(attempt)


def with_cause(explanation: Explanation, cause: str) -> Explanation:
    """Add what is to be known before everything else."""
    return msgspec.structs.replace(explanation, causes=(cause, *explanation.causes))


def _subject(question: bytes) -> tuple[str, Any] | None:
    try:
        document = json.loads(question)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or len(document) != 1:
        return None
    [(name, value)] = document.items()
    return None if isinstance(value, bool) else (name, value)
