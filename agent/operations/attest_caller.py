"""Finding out who calls: attestors read the process, then the kernel says whether it still lives.

1. What the attestors read under /proc counts only if the process that connected lives afterwards:
   a PID that was given to another process meanwhile would lend it the caller's identity.
2. An attestor that denies (another uid than at connecting, for instance) ends the matter.
3. One that fails costs only its own selectors: with fewer selectors a caller gets fewer
   identities, never more. Whoever gets none because of it is told so, not that it has none. Where
   an attestor is required, its failure ends the matter.
4. Nothing found out about one process is kept for another. What every attestor said is kept beside
   the selectors, so that it can be explained.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.attestation.attempt import BLOCKED, NO_ENTRY
from agent.cache.view import Withheld
from attestors.contract import Attested, Failed, Finding, NotApplicable, Process, WorkloadAttestor
from finial.explain.evidence import ATTESTED, DENIED, FAILED, NOT_APPLICABLE, Said
from finial.runtime.clock import Clock
from finial.runtime.peer import KernelPeer, PeerGone
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

NO_SUCH_ID: Final = "no identity issued: none of the SPIFFE ID that the process asked for"
GRACE: Final = 0.5
MAX_KNOWN: Final = 1024
_LATE: Final = Failed(Kind.TIMEOUT, "it took too long")


@dataclass(frozen=True, slots=True)
class Findings:
    """A caller's selectors, what each attestor said, and which of them failed or denied it."""

    selectors: frozenset[Selector]
    said: tuple[Said, ...] = field(default=(), compare=False)
    failures: tuple[str, ...] = ()

    def no_identity(self, asked_for: str = "", withheld: Sequence[Withheld] = ()) -> Refusal:
        """Why a caller with these findings and without a matching entry gets nothing.

        `asked_for` is a SPIFFE ID that it named, though it has others; `withheld` what it would
        have, were it not blocked. Why it is blocked is not for the caller to know.
        """
        if withheld:
            return Unserved(Kind.DENIED, BLOCKED, self.said, asked_for, withheld[0].block.id)
        if self.failures:
            return unattested(f"{' and '.join(self.failures)} failed", self.said)
        return Unserved(Kind.DENIED, NO_SUCH_ID if asked_for else NO_ENTRY, self.said, asked_for)


class Unserved(Refusal):
    """The refusal of a caller, with what there is to explain it: what was said, what it asked for.

    The caller is told which attestor failed. What that met with is the node's business, and so is
    `block`, the id of the block that it met.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        said: tuple[Said, ...] = (),
        asked_for: str = "",
        block: str = "",
    ) -> None:
        super().__init__(kind, detail)
        self.said = said
        self.asked_for = asked_for
        self.block = block


def unattested(why: str, said: tuple[Said, ...], kind: Kind = Kind.UNAVAILABLE) -> Unserved:
    """Refuse a caller who is not known well enough."""
    return Unserved(kind, f"the workload cannot be attested: {why}", said)


class CallerAttestation:
    """Asks every attestor about a caller, side by side; `timeout` is in seconds.

    A caller about whom one of the `required` attestors fails to say something gets nothing.
    """

    def __init__(
        self,
        attestors: Sequence[WorkloadAttestor],
        clock: Clock,
        timeout: float,
        required: Collection[str] = (),
    ) -> None:
        self._attestors = tuple(attestors)
        self._clock = clock
        self._timeout = timeout
        self._required = frozenset(required)
        self._known: dict[int, tuple[Attested, Findings]] = {}

    @property
    def attestors(self) -> tuple[WorkloadAttestor, ...]:
        """Those that are asked."""
        return self._attestors

    async def attest(self, peer: KernelPeer) -> Findings:
        """Find out who the process is that connected.

        Raises: Unserved of kind UNAVAILABLE (it has ended), DENIED (it is not who connected).
        """
        findings = await self.look(peer)
        check(peer, findings.said)
        if findings.failures:
            self.judge(findings)
        return findings

    async def look(self, peer: KernelPeer) -> Findings:
        """Ask the attestors, and believe what they said as long as the process lives."""
        process = Process(peer.pid, peer.uid, peer.gid, peer.proc)
        deadline = self._clock.monotonic() + self._timeout
        if len(self._attestors) > 1:
            return self._joined(await self._side_by_side(process, deadline))
        [attestor] = self._attestors
        finding = await self._alone(attestor, process, deadline)
        if isinstance(finding, Attested):
            return self._same(finding)
        return self._joined([finding])

    def judge(self, findings: Findings) -> None:
        """Let the matter end here if an attestor denied the caller, or a required one failed.

        Raises: Unserved.
        """
        for each in findings.said:
            if each.status == DENIED:
                raise unattested(f"{each.name} denies it", findings.said, Kind.DENIED)
        for name in findings.failures:
            if name in self._required:
                raise unattested(f"{name} failed, and is required", findings.said)

    async def _alone(
        self, attestor: WorkloadAttestor, process: Process, deadline: float
    ) -> Finding:
        try:
            async with asyncio.timeout(self._timeout + GRACE):
                return await attestor.attest(process, deadline)
        except TimeoutError:
            return _LATE

    async def _side_by_side(self, process: Process, deadline: float) -> list[Finding]:
        tasks = [asyncio.ensure_future(a.attest(process, deadline)) for a in self._attestors]
        try:
            await asyncio.wait(tasks, timeout=self._timeout + GRACE)
            return [_finding(task) for task in tasks]
        finally:
            for task in tasks:
                task.cancel()

    def _same(self, finding: Attested) -> Findings:
        """Find the set made of a very tuple before: an attestor gives equal callers the same one.

        Whatever is looked up by a set that is the same object costs no comparison of selectors.
        """
        selectors = finding.selectors
        known = self._known.get(id(selectors))
        if known is None or not _are_alike(known[0], finding):
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[id(selectors)] = (finding, self._joined([finding]))
        return known[1]

    def _joined(self, findings: Sequence[Finding]) -> Findings:
        said = tuple(map(_said, self._attestors, findings))
        return Findings(
            frozenset(s for each in said for s in each.selectors),
            said,
            tuple(each.name for each in said if each.status in (FAILED, DENIED)),
        )


def check(peer: KernelPeer, said: tuple[Said, ...] = ()) -> None:
    """Make sure that the process that connected is still there.

    Raises: Unserved of kind UNAVAILABLE.
    """
    try:
        peer.check()
    except PeerGone as gone:
        raise unattested(str(gone), said) from gone


def _are_alike(one: Attested, other: Attested) -> bool:
    return (
        one.selectors is other.selectors
        and one.remarks == other.remarks
        and one.facts == other.facts
    )


def _said(attestor: WorkloadAttestor, finding: Finding) -> Said:
    match finding:
        case Attested():
            return Said(attestor.name, ATTESTED, finding.selectors, finding.remarks, finding.facts)
        case NotApplicable():
            return Said(attestor.name, NOT_APPLICABLE, detail=finding.why)
        case Failed():
            status = DENIED if finding.kind is Kind.DENIED else FAILED
            return Said(attestor.name, status, detail=finding.detail)


def _finding(task: "asyncio.Future[Finding]") -> Finding:
    if not task.done():
        return _LATE
    return task.result()
