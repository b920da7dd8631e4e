"""The keys that sign now, and where the work of signing is done.

P-256 signs in less time than a thread takes to be told, so it is done in line; RSA and P-384 would
hold up everybody else, so they go to a thread.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ca.authority.rotation import is_usable
from ca.authority.slot import Use
from ca.issuance.issuer import Issuer
from ca.issuance.seal import SigningAuthority
from ca.operations.world import World
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")


def x509_signer(world: World) -> tuple[SigningAuthority, Issuer]:
    """Return the authority that signs certificates now.

    Raises: Refusal of kind UNAVAILABLE.
    """
    authority = _active(world, Use.X509)
    issuer = world.known.signers.value.issuer
    assert issuer is not None
    return authority, issuer


def jwt_signer(world: World) -> SigningAuthority:
    """Return the authority that signs tokens now.

    Raises: Refusal of kind UNAVAILABLE; UNIMPLEMENTED when JWT-SVIDs are disabled.
    """
    if world.settings.server.disable_jwt_svids:
        raise Refusal(Kind.UNIMPLEMENTED, "JWT functionality is disabled")
    return _active(world, Use.JWT)


async def at_work(authority: SigningAuthority, work: Callable[[], T]) -> T:
    """Do the work of signing, in line or in a thread."""
    return work() if authority.is_quick else await asyncio.to_thread(work)


def _active(world: World, use: Use) -> SigningAuthority:
    authority = world.known.signers.value.active.get(use)
    if authority is None or not is_usable(authority.slot, world.clock.now()):
        # A machine that was suspended finds out here, before any timer does.
        world.known.rotation_wanted.set()
        raise Refusal(
            Kind.UNAVAILABLE,
            "there is no authority that can sign",
            remedy="try again, one is being made",
        )
    return authority
