"""Workloads' SVIDs, asked for by their agents.

The order: judge, draft, conform, seal; then the ledger, durable, one write a call; then the audit;
then the answer. Nothing but the ledger touches the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ca.events.happened import Actor, CallRefused, SvidsIssued
from ca.issuance.conformance import conform, conform_token
from ca.issuance.draft import draft_leaf, draft_token, judge_audience
from ca.issuance.issuer import Issuer
from ca.issuance.profile import Role
from ca.issuance.request import judge_csr
from ca.issuance.seal import SigningAuthority, seal_certificate, seal_token
from ca.operations.ask_standing import judge_standing, refuse_unasked
from ca.operations.authorized_entries import require_entry
from ca.operations.blocked import refuse_blocked_svid
from ca.operations.issuing.signing import at_work, jwt_signer, x509_signer
from ca.operations.world import World
from ca.registry.entry import Entry
from ca.registry.issued import Issued, SvidKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

AT_ONCE: Final = 25
"""How many certificates are signed before others get their turn: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class X509Wish:
    """An agent asks for an entry's X509-SVID; the CSR is DER."""

    entry_id: str
    csr: bytes


@dataclass(frozen=True, slots=True)
class IssuedX509:
    """An X509-SVID and its row of the ledger; `chain` is DER, leaf first, without the root."""

    id: SpiffeId
    chain: tuple[bytes, ...]
    issued: Issued


@dataclass(frozen=True, slots=True)
class IssuedJwt:
    """A JWT-SVID and its row of the ledger."""

    id: SpiffeId
    token: str = field(repr=False)
    issued: Issued


async def issue_x509_svids(
    world: World, actor: Actor, agent: SpiffeId, wishes: Sequence[X509Wish]
) -> list[IssuedX509 | Refusal]:
    """Issue the X509-SVIDs of an agent's workloads, each answered in its place.

    Raises: Refusal of kind UNAVAILABLE when nothing can be signed, stored or audited.
    Spec: spire-features 7.2; spire-wire 4.4.
    """
    authority, issuer = x509_signer(world)
    press = _Press(world, str(agent), authority, issuer)
    results: list[IssuedX509 | Refusal] = []
    unasked = await judge_standing(world, _subjects(world, wishes))
    for start in range(0, len(wishes), AT_ONCE):
        if start:
            await world.clock.sleep(0)
        # Memory belongs to the event loop, so entries are looked up before a thread may sign.
        some = [_found(world, agent, wish, unasked) for wish in wishes[start : start + AT_ONCE]]
        results += await at_work(authority, partial(press.each, some))
    rows = [each.issued for each in results if isinstance(each, IssuedX509)]
    if rows:
        await world.datastore.record_issued(rows)
        world.record(SvidsIssued(actor, rows))
    return _audited(world, actor, withheld(world, results))


async def issue_jwt_svid(
    world: World, actor: Actor, agent: SpiffeId, entry_id: str, audience: Sequence[str]
) -> IssuedJwt:
    """Issue a JWT-SVID of one of an agent's workloads.

    Raises: Refusal of kind INVALID, NOT_FOUND, DENIED, UNAVAILABLE, UNIMPLEMENTED.
    Spec: spire-features 7.3; spire-wire 4.4.
    """
    authority = jwt_signer(world)
    judge_audience(audience)
    if (asked := world.known.entries.get(entry_id)) is not None:
        await refuse_unasked(world, asked.spiffe_id)
    entry = require_entry(world, agent, entry_id)
    issued = await seal_jwt(
        world,
        authority,
        entry.spiffe_id,
        audience,
        entry.jwt_svid_ttl,
        entry_id=entry.id,
        agent_id=str(agent),
    )
    await world.datastore.record_issued((issued.issued,))
    world.record(SvidsIssued(actor, (issued.issued,)))
    refuse_blocked_svid(world, issued.issued)
    return issued


async def seal_jwt(
    world: World,
    authority: SigningAuthority,
    spiffe_id: SpiffeId,
    audience: Sequence[str],
    ttl: int,
    *,
    entry_id: str = "",
    agent_id: str = "",
) -> IssuedJwt:
    """Draft, conform and seal a JWT-SVID, which is not in the ledger yet."""
    now = world.clock.now()
    draft = conform_token(
        draft_token(
            world.profiles,
            authority.slot,
            spiffe_id=spiffe_id,
            audience=audience,
            jti=world.entropy.uuid(),
            now=now,
            ttl=ttl,
        )
    )
    token = await at_work(authority, lambda: seal_token(draft, authority))
    issued = Issued(
        SvidKind.JWT,
        draft.jti,
        str(spiffe_id),
        authority.slot.authority_id,
        draft.issued_at,
        draft.expires_at,
        entry_id,
        agent_id,
    )
    return IssuedJwt(spiffe_id, token, issued)


def withheld(world: World, results: list[IssuedX509 | Refusal]) -> list[IssuedX509 | Refusal]:
    """Keep back what was blocked while it was written down: nothing leaves after a block.

    Whoever looks for what a block hits once it is in force finds all that ever left in the ledger.
    """
    if not world.known.blocks:
        return results
    kept: list[IssuedX509 | Refusal] = []
    for each in results:
        try:
            if isinstance(each, IssuedX509):
                refuse_blocked_svid(world, each.issued)
            kept.append(each)
        except Refusal as refusal:
            kept.append(refusal)
    return kept


def _audited(
    world: World, actor: Actor, results: list[IssuedX509 | Refusal]
) -> list[IssuedX509 | Refusal]:
    """Record that something was refused because it is blocked; the call itself is answered."""
    refused = (each for each in results if isinstance(each, Refusal) and each.field == "block")
    first = next(refused, None)
    if first is not None:
        world.record(CallRefused(actor, "BatchNewX509SVID", first))
    return results


@dataclass(frozen=True, slots=True)
class _Asked:
    entry: Entry
    csr: bytes


def _subjects(world: World, wishes: Sequence[X509Wish]) -> Iterator[SpiffeId]:
    found = (world.known.entries.get(each.entry_id) for each in wishes)
    return (each.spiffe_id for each in found if each is not None)


def _found(
    world: World, agent: SpiffeId, wish: X509Wish, unasked: Mapping[SpiffeId, Refusal]
) -> _Asked | Refusal:
    try:
        entry = require_entry(world, agent, wish.entry_id)
        return unasked.get(entry.spiffe_id) or _Asked(entry, wish.csr)
    except Refusal as refusal:
        return refusal


@dataclass(frozen=True, slots=True)
class _Press:
    """Signs one agent's certificates, which all have the same authority."""

    world: World
    agent_id: str
    authority: SigningAuthority
    issuer: Issuer

    def each(self, asked: Sequence[_Asked | Refusal]) -> list[IssuedX509 | Refusal]:
        """Sign what can be signed, each in its place."""
        results: list[IssuedX509 | Refusal] = []
        for each in asked:
            try:
                results.append(each if isinstance(each, Refusal) else self._issue(each))
            except Refusal as refusal:
                if refusal.kind is Kind.INTERNAL:
                    raise
                results.append(refusal)
        return results

    def _issue(self, asked: _Asked) -> IssuedX509:
        world, slot, entry = self.world, self.authority.slot, asked.entry
        request = judge_csr(asked.csr)
        now = world.clock.now()
        draft = draft_leaf(
            world.profiles,
            Role.WORKLOAD,
            self.issuer,
            spiffe_id=entry.spiffe_id,
            public_key=request.public_key,
            serial=world.entropy.serial_number(),
            now=now,
            ttl=entry.x509_svid_ttl,
            dns_names=entry.dns_names,
        )
        leaf = seal_certificate(conform(draft), self.authority)
        issued = Issued(
            SvidKind.X509,
            str(draft.serial),
            str(entry.spiffe_id),
            slot.authority_id,
            int(now),
            draft.not_after,
            entry.id,
            self.agent_id,
        )
        return IssuedX509(entry.spiffe_id, (leaf, *slot.chain), issued)
