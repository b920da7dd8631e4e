"""Finding out who calls: attestors read the process, then the kernel says whether it still lives.

1. What the attestors read under /proc counts only if the process that connected lives afterwards:
   a PID that was given to another process meanwhile would lend it the caller's identity.
2. An attestor that denies (another uid than at connecting, for instance) ends the matter.
3. One that fails costs only its own selectors: with fewer selectors a caller gets fewer
   identities, never more. Whoever gets none because of it is told so, not that it has none.
4. Nothing found out about one process is kept for another.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attestors.contract import Attested, Failed, Finding, Process, WorkloadAttestor
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer, PeerGone
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

GRACE: Final = 0.5
MAX_KNOWN: Final = 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """A caller's selectors, and which attestors failed to look."""

    selectors: frozenset[Selector]
    failures: tuple[str, ...] = ()

    def no_identity(self) -> Refusal:
        """Why a caller with these findings and without a matching entry gets nothing."""
        if self.failures:
            return Refusal(
                Kind.UNAVAILABLE, f"the workload cannot be attested: {'; '.join(self.failures)}"
            )
        return Refusal(
            Kind.DENIED,
            "no identity issued",
            remedy="register an entry whose selectors this workload has",
        )


class CallerAttestation:
    """Asks every attestor about a caller, side by side; `timeout` is in seconds."""

    def __init__(self, attestors: Sequence[WorkloadAttestor], clock: Clock, timeout: float) -> None:
        self._attestors = tuple(attestors)
        self._clock = clock
        self._timeout = timeout
        self._known: dict[int, tuple[tuple[Selector, ...], Findings]] = {}

    async def attest(self, peer: KernelPeer) -> Findings:
        """Find out who the process is that connected.

        Raises: Refusal of kind UNAVAILABLE (it has ended), DENIED (it is not who connected).
        """
        process = Process(peer.pid, peer.uid, peer.gid, peer.proc)
        deadline = self._clock.monotonic() + self._timeout
        if len(self._attestors) > 1:
            several = await self._side_by_side(process, deadline)
            check(peer)
            return self._joined(several)
        [attestor] = self._attestors
        finding = await attestor.attest(process, deadline)
        check(peer)
        if isinstance(finding, Attested):
            return self._same(finding.selectors)
        return self._joined([finding])

    async def _side_by_side(self, process: Process, deadline: float) -> list[Finding]:
        tasks = [asyncio.ensure_future(a.attest(process, deadline)) for a in self._attestors]
        try:
            await asyncio.wait(tasks, timeout=self._timeout + GRACE)
            return [_finding(task) for task in tasks]
        finally:
            for task in tasks:
                task.cancel()

    def _same(self, selectors: tuple[Selector, ...]) -> Findings:
        """Find the set made of a very tuple before: an attestor gives equal callers the same one.

        Whatever is looked up by a set that is the same object costs no comparison of selectors.
        """
        known = self._known.get(id(selectors))
        if known is None or known[0] is not selectors:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[id(selectors)] = (selectors, Findings(frozenset(selectors)))
        return known[1]

    def _joined(self, findings: Sequence[Finding]) -> Findings:
        selectors: set[Selector] = set()
        failures: list[str] = []
        for attestor, finding in zip(self._attestors, findings, strict=True):
            match finding:
                case Attested():
                    selectors.update(finding.selectors)
                case Failed(kind=Kind.DENIED):
                    raise Refusal(Kind.DENIED, f"{attestor.name}: {finding.detail}")
                case Failed():
                    failures.append(f"{attestor.name}: {finding.detail}")
        return Findings(frozenset(selectors), tuple(failures))


def check(peer: KernelPeer) -> None:
    """Make sure that the process that connected is still there.

    Raises: Refusal of kind UNAVAILABLE.
    """
    try:
        peer.check()
    except PeerGone as gone:
        raise Refusal(Kind.UNAVAILABLE, f"the workload cannot be attested: {gone}") from gone


def _finding(task: "asyncio.Future[Finding]") -> Finding:
    if not task.done():
        return Failed(Kind.TIMEOUT, "it took too long")
    return task.result()
