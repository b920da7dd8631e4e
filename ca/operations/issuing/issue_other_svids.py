"""X509-SVIDs that no entry asks for: agents', the server's own, and what administrators mint."""

from cryptography import x509

from ca.issuance.conformance import conform
from ca.issuance.draft import draft_leaf
from ca.issuance.profile import Role
from ca.issuance.public_key import PublicKey
from ca.issuance.seal import seal_certificate
from ca.operations.issuing.issue_svids import IssuedX509
from ca.operations.issuing.signing import at_work, x509_signer
from ca.operations.world import World
from ca.registry.issued import Issued, SvidKind
from finial.spiffe.identity import SpiffeId


async def seal_leaf(
    world: World,
    role: Role,
    spiffe_id: SpiffeId,
    public_key: PublicKey,
    *,
    ttl: int = 0,
    dns_names: tuple[str, ...] = (),
    subject: x509.Name | None = None,
) -> IssuedX509:
    """Draft, conform and seal an X509-SVID, which is not in the ledger yet.

    Raises: Refusal of kind UNAVAILABLE, INVALID.
    """
    authority, issuer = x509_signer(world)
    now = world.clock.now()
    draft = conform(
        draft_leaf(
            world.profiles,
            role,
            issuer,
            spiffe_id=spiffe_id,
            public_key=public_key,
            serial=world.entropy.serial_number(),
            now=now,
            ttl=ttl,
            dns_names=dns_names,
            subject=subject,
        )
    )
    leaf = await at_work(authority, lambda: seal_certificate(draft, authority))
    issued = Issued(
        SvidKind.X509,
        str(draft.serial),
        str(spiffe_id),
        authority.slot.authority_id,
        int(now),
        draft.not_after,
    )
    return IssuedX509(spiffe_id, (leaf, *authority.slot.chain), issued)
