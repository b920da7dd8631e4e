"""What the agent knows of itself at the instant at which something is explained."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.cache.entitlement import Entitlement
from agent.cache.view import Holdings
from agent.membership.standing import Phase
from finial.blocks import Block
from finial.explain.checkup import judge_clock, span
from finial.explain.diagnosis import Diagnosis, Health
from finial.explain.hiding import Grammars
from finial.spiffe.identity import TrustDomain
from finial.spiffe.selector import Selector

ATTESTATION: Final = "attest"
SYNCHRONISATION: Final = "the synchronisation"
STREAM: Final = "the stream of changes"
SIGNING: Final = "signing"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that fails since an instant (Unix seconds), and in which words."""

    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class State:
    """What stands between an entry that matches and its SVID; `blocks` if nobody gets one now.

    `block` is what an administrator has blocked.
    """

    words: str = ""
    blocks: bool = False
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """The agent's own state; `unsigned` says by entry id why an SVID was refused.

    `troubles` names what fails at present: the synchronisation, the stream of changes, signing.
    `subscribed` are the ids of entries by which somebody has an identity at present. `last_sync` is
    0 where the entries were not compared since the agent started; `clock_offset` is
    by how many seconds the server's clock is ahead, None where nobody knows.
    """

    agent_id: str
    now: float
    holdings: Holdings
    grammars: Grammars
    attestors: tuple[str, ...] = ()
    phase: Phase = Phase.ATTESTED
    server: str = ""
    connected: bool = True
    last_sync: float = 0.0
    clock_offset: float | None = None
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    unsigned: Mapping[str, str] = field(default_factory=dict)
    subscribed: Collection[str] = ()

    def state(self, entry: Entitlement, selectors: Collection[Selector] = ()) -> State:
        """What stands in the way of an entry whose selectors are all there.

        `selectors` are the caller's, one of which may be blocked itself.
        """
        block = self.holdings.block_of(entry, selectors, self.now)
        if block is not None:
            return State(self._words(block), True, block)
        if entry.store_svid:
            return State("its SVID is for stores only (store_svid), not for workloads", True)
        bundle = self.holdings.own_bundle
        if bundle is None or not bundle.x509_authorities:
            return State("the agent has no trust bundle yet", True)
        svid = self.holdings.svids.get(entry.id)
        if svid is not None and svid.expires_at > self.now and svid.serves(entry):
            return State()
        return self._unsigned(entry)

    def _words(self, block: Block) -> str:
        what = "this agent" if block is self.holdings.lockout else "it"
        named = f" (block {block.id})" if block.id else ""
        why = f": {block.reason}" if block.reason else ""
        return f"{what} has been blocked for {span(self.now - block.since)}{why}{named}"

    def _unsigned(self, entry: Entitlement) -> State:
        why = self.unsigned.get(entry.id)
        if why is not None:
            return State(f"the server signs no X.509-SVID for it: {why}", True)
        trouble = self.troubles.get(SIGNING) or self.cut_off
        if trouble is not None:
            since = span(self.now - trouble.since)
            why = f"since {since} no X.509-SVID can be signed: {trouble.detail}"
            return State(why, True)
        return State("its X.509-SVID is signed as soon as a workload asks for it")

    @property
    def clock(self) -> Diagnosis | None:
        """What is wrong with the clocks, if that is enough to make SVIDs worthless."""
        if self.clock_offset is None:
            return None
        found = judge_clock("clock", self.clock_offset)
        return found if found.health is Health.FAILED else None

    def lacking(self, entry: Entitlement) -> list[TrustDomain]:
        """The trust domains that an entry federates with and whose bundles are not here."""
        known = self.holdings.bundles
        return sorted(each for each in entry.federates_with if each not in known)

    @property
    def cut_off(self) -> Trouble | None:
        """Why the agent has no word of its server, if it has none."""
        failing = self.troubles.get(SYNCHRONISATION)
        if failing is not None or self.connected:
            return failing
        ended = self.troubles.get(STREAM)
        # Whoever has compared since the stream ended has had word all the same.
        return ended if ended is not None and self.last_sync <= ended.since else None
