"""Administrators mint SVIDs that no entry asks for, but none of who is blocked."""

from collections.abc import Sequence

from ca.events.happened import Actor, Minted
from ca.issuance.draft import judge_audience
from ca.issuance.profile import Role
from ca.issuance.request import judge_mint_csr
from ca.operations.ask_standing import refuse_unasked
from ca.operations.blocked import refuse_blocked_id, refuse_blocked_svid
from ca.operations.issuing.issue_other_svids import seal_leaf
from ca.operations.issuing.issue_svids import IssuedJwt, IssuedX509, seal_jwt
from ca.operations.issuing.signing import jwt_signer
from ca.operations.world import World
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import judge_workload_id


async def mint_x509_svid(world: World, actor: Actor, csr: bytes, ttl: int) -> IssuedX509:
    """Issue what a CSR asks for: its one SPIFFE ID, its DNS names, its subject.

    Raises: Refusal of kind INVALID, DENIED, UNAVAILABLE.
    """
    asked = judge_mint_csr(csr, world.trust_domain)
    assert asked.id is not None
    await refuse_unasked(world, asked.id)
    refuse_blocked_id(world, asked.id)
    svid = await seal_leaf(
        world,
        Role.MINTED,
        asked.id,
        asked.public_key,
        ttl=ttl,
        dns_names=asked.dns_names,
        subject=asked.subject,
    )
    await world.datastore.record_issued((svid.issued,))
    world.record(Minted(actor, svid.issued))
    refuse_blocked_svid(world, svid.issued)
    return svid


async def mint_jwt_svid(
    world: World, actor: Actor, spiffe_id: SpiffeId, audience: Sequence[str], ttl: int
) -> IssuedJwt:
    """Issue a token for a workload's SPIFFE ID.

    Raises: Refusal of kind INVALID, DENIED, UNAVAILABLE, UNIMPLEMENTED.
    """
    authority = jwt_signer(world)
    judge_workload_id(spiffe_id, world.trust_domain)
    await refuse_unasked(world, spiffe_id)
    refuse_blocked_id(world, spiffe_id)
    judge_audience(audience)
    svid = await seal_jwt(world, authority, spiffe_id, audience, ttl)
    await world.datastore.record_issued((svid.issued,))
    world.record(Minted(actor, svid.issued))
    refuse_blocked_svid(world, svid.issued)
    return svid
