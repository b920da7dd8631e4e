"""What a block comes to: what it hits now, and who could still accept what until when.

A block is refused at once wherever somebody asks: our server, our agents that can be reached. A
verifier that only looks at a certificate's signature and dates goes on until the certificate ends,
and nothing that anybody does here changes that; so it is said.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ca.registry.entry import Entry
from ca.registry.issued import Issued, SvidKind
from finial.spiffe.identity import SpiffeId


@dataclass(frozen=True, slots=True)
class Holder:
    """An agent that obtained some of what is hit.

    `connected` says that it holds a stream, `svids` how many of the live ones it obtained and
    `until` when the last of these ends; `left_at` is when its last stream ended, 0 if unknown.
    """

    id: SpiffeId
    connected: bool
    svids: int
    until: int
    left_at: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is hit: entries, live SVIDs (`more` when there are others), and who holds them.

    `unreachable` are the agents that are away and decide by what they knew last. What is `foreign`
    was issued by another trust domain, and no ledger of ours says how long it lives.
    """

    entries: tuple[Entry, ...]
    svids: tuple[Issued, ...]
    holders: tuple[Holder, ...]
    unreachable: tuple[SpiffeId, ...] = ()
    blocked_agents: tuple[SpiffeId, ...] = ()
    more: bool = False
    foreign: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all would be hit."""
        return not (self.entries or self.svids or self.blocked_agents or self.foreign)

    def last(self, kind: SvidKind) -> int:
        """When the last live SVID of a kind ends, in Unix seconds; 0 if there is none."""
        return max((each.expires_at for each in self.svids if each.kind is kind), default=0)

    def remains(self) -> Iterator["Remainder"]:
        """Say who could still accept what, and until when."""
        x509, jwt = self.last(SvidKind.X509), self.last(SvidKind.JWT)
        if self.foreign:
            yield Remainder(
                "verifiers that ask no agent",
                "accept what its own trust domain issued and does not revoke",
            )
            for agent in self.unreachable:
                yield Remainder(f"agent {agent}, which cannot be reached,", "lets it pass")
        if x509:
            yield Remainder(
                "verifiers of mTLS that look at no CRL and ask no agent",
                "accept the X.509-SVIDs that were issued",
                x509,
            )
        if jwt:
            yield Remainder(
                "verifiers of tokens that know the bundle and ask no agent",
                "accept the JWT-SVIDs that were issued",
                jwt,
            )
        end = max(x509, jwt)
        for agent in self.unreachable if end else ():
            why = "is blocked" if agent in self.blocked_agents else "cannot be reached"
            yield Remainder(f"agent {agent}, which {why},", self._away(agent), end)

    def _away(self, agent: SpiffeId) -> str:
        return (
            "may give what it holds and let them pass" if self._holds(agent) else "lets them pass"
        )

    def _holds(self, agent: SpiffeId) -> bool:
        return any(each.id == agent for each in self.holders)


@dataclass(frozen=True, slots=True)
class Remainder:
    """Who could still do what, a sentence of two parts.

    `until` is in Unix seconds, 0 where only another trust domain knows it.
    """

    who: str
    what: str
    until: int = 0


def holders_of(
    svids: Sequence[Issued], connected: Collection[SpiffeId], left_at: Mapping[SpiffeId, int]
) -> tuple[Holder, ...]:
    """The agents that obtained these SVIDs, by their IDs."""
    found: dict[str, list[int]] = {}
    for svid in svids:
        if svid.agent_id:
            found.setdefault(svid.agent_id, []).append(svid.expires_at)
    agents = {SpiffeId.parse(text): ends for text, ends in sorted(found.items())}
    return tuple(
        Holder(agent, agent in connected, len(ends), max(ends), left_at.get(agent, 0))
        for agent, ends in agents.items()
    )
