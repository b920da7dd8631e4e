"""The server's own SVIDs: one that agents meet, and one with DNS names for HTTPS (BL-07)."""

from dataclasses import dataclass

from ca.authority.slot import Use
from ca.events.happened import SYSTEM, SvidsIssued
from ca.issuance.profile import Role
from ca.operations.issuing.issue_other_svids import seal_leaf
from ca.operations.world import World
from finial.keys.generate import generate_private_key, pkcs8
from finial.spiffe.validity import renew_at
from finial.spiffe.well_known import server_id
from finial.wire.tls import TlsIdentity


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """One SVID of the server with its key, which lives in memory alone."""

    tls: TlsIdentity
    authority_id: str
    renew_at: float


async def renew_server_identity(world: World, dns_names: tuple[str, ...] = ()) -> ServerIdentity:
    """Issue the server an SVID, with a new key.

    Raises: Refusal of kind UNAVAILABLE.
    """
    key = generate_private_key(world.settings.server.ca_key_type)
    svid = await seal_leaf(
        world,
        Role.SERVER,
        server_id(world.trust_domain),
        key.public_key(),
        dns_names=dns_names,
    )
    await world.datastore.record_issued((svid.issued,))
    world.record(SvidsIssued(SYSTEM, (svid.issued,)))
    return ServerIdentity(
        tls=TlsIdentity(svid.chain, pkcs8(key)),
        authority_id=svid.issued.authority_id,
        # From the moment of issuance, not from the backdated beginning, or what lives for less
        # than that would be due at once. Without jitter: a server is alone.
        renew_at=renew_at(svid.issued.issued_at, svid.issued.expires_at, 0.0),
    )


def is_due(world: World, identity: ServerIdentity | None) -> bool:
    """Whether the server needs another SVID: half its life is over, or its authority is gone."""
    if identity is None or world.clock.now() >= identity.renew_at:
        return True
    keyring = world.known.signers.value.keyrings[Use.X509]
    slot = keyring.find(identity.authority_id)
    return slot is None or slot.tainted
