"""Reading the agent's own state, as explanations need it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from agent.attestation.situation import Situation
from agent.cache.view import Holdings
from agent.operations.link import Link
from agent.operations.member import Member
from finial.explain.hiding import Grammars
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch


@dataclass(frozen=True, slots=True)
class Situating:
    """Where each part of the state is.

    `unsigned` says why entries have no SVID, `subscribed` for which of them a stream is open.
    """

    member: Member
    holdings: Watch[Holdings]
    link: Link
    address: Callable[[], str]
    unsigned: Callable[[], Mapping[str, str]]
    subscribed: Callable[[], Collection[str]]
    grammars: Callable[[], Grammars]
    attestors: tuple[str, ...]
    clock: Clock

    def now(self) -> Situation:
        """What is known at this instant; nothing in it changes any more."""
        return Situation(
            agent_id=str(self.member.id or ""),
            now=self.clock.now(),
            holdings=self.holdings.value,
            grammars=self.grammars(),
            attestors=self.attestors,
            phase=self.member.standing.value.phase,
            server=self.address(),
            connected=self.link.connected,
            last_sync=self.link.last_sync,
            clock_offset=self.link.server_clock.offset,
            troubles=dict(self.link.troubles),
            unsigned=self.unsigned(),
            subscribed=self.subscribed(),
        )
