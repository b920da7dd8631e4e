"""Our own standing with the server: what we are, and what has to be done next.

The rules (SPIRE 7.12, BR-01 to BR-06):

- without an SVID we attest;
- from the instant fixed when the SVID was received we renew it, or attest anew where our node
  attestor can prove the node again (the server refuses such an agent's renewal);
- a server that denies us names a reason: expired, not active, not attested, must re-attest. Then
  the SVID is worth nothing: who can attest again does, who cannot stops with what to run;
- a banned agent stops, whatever it could prove;
- an SVID that expired while the server was away is the same as one the server calls expired.
"""

import enum
from dataclasses import dataclass, replace
from typing import Final

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Reason

_SAME: Final = frozenset({Reason.UNKNOWN, Reason.AGENT_BLOCKED})
"""Reasons that leave us who we are: a block is lifted again, and our SVID with it."""


class Phase(enum.Enum):
    """Where the agent stands."""

    UNATTESTED = "unattested"
    ATTESTED = "attested"
    MUST_REATTEST = "must re-attest"
    BANNED = "banned"
    LOST = "lost"

    @property
    def words(self) -> str:
        """What is said of an agent that stands there."""
        return self.value if self is Phase.MUST_REATTEST else f"is {self.value}"


class Step(enum.Enum):
    """What the agent has to do next."""

    ATTEST = "attest"
    RENEW = "renew"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class OwnSvid:
    """The agent's own X.509-SVID, public part; `renew_at` was computed once. Unix seconds."""

    id: SpiffeId
    chain: tuple[bytes, ...]
    key_id: str
    serial: int
    expires_at: int
    renew_at: float
    reattestable: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The agent's phase and, where it is attested, its SVID."""

    phase: Phase
    svid: OwnSvid | None = None

    def attested(self, svid: OwnSvid) -> "Standing":
        """After an attestation or a renewal."""
        return Standing(Phase.ATTESTED, svid)

    def denied(self, reason: Reason) -> "Standing":
        """After the server denied us for that reason (SPIRE BR-05)."""
        if reason is Reason.AGENT_BANNED:
            return Standing(Phase.BANNED)
        if reason in _SAME or self.phase is not Phase.ATTESTED:
            return self
        return self._without_svid()

    def at(self, now: float) -> "Standing":
        """What the passing of time alone has made of it."""
        if self.phase is Phase.ATTESTED and self.svid is not None and self.svid.expires_at <= now:
            return self._without_svid()
        return self

    def next_step(self, now: float) -> Step:
        """What to do at this instant."""
        match self.phase:
            case Phase.UNATTESTED | Phase.MUST_REATTEST:
                return Step.ATTEST
            case Phase.BANNED | Phase.LOST:
                return Step.STOP
        if self.svid is None or now < self.svid.renew_at:
            return Step.WAIT
        return Step.ATTEST if self.svid.reattestable else Step.RENEW

    def due_now(self) -> "Standing":
        """The same standing with its SVID due at once (its authority was tainted)."""
        if self.svid is None:
            return self
        return replace(self, svid=replace(self.svid, renew_at=0.0))

    def _without_svid(self) -> "Standing":
        reattestable = self.svid is not None and self.svid.reattestable
        return Standing(Phase.MUST_REATTEST if reattestable else Phase.LOST)


def remedy(phase: Phase, agent_id: SpiffeId | None) -> str:
    """What the operator has to run when the agent stops."""
    name = agent_id.path.removeprefix("/spire/agent/") if agent_id else "AGENT"
    if phase is Phase.BANNED:
        return (
            f"the server banned this agent; to let it come back, run on the server "
            f"'finial agent evict {name}' and then join again"
        )
    why = "this agent's join token was spent and its SVID is worth nothing any more"
    if phase is Phase.UNATTESTED:
        why = "a join token is good for one agent, once, until it expires"
    return (
        f"{why}; run 'finial token create' on the server and start the agent with 'finial agent "
        "run --join-file FILE'"
    )
