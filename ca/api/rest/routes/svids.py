"""SVIDs by hand: `/v1/svids/x509` and `/v1/svids/jwt`, which over HTTPS are off by default."""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.parsing import required
from ca.api.rest.shapes.svid import JwtRequest, MintedJwt, MintedX509, X509Request
from ca.api.rest.shapes.times import instant
from ca.operations.issuing.mint_svids import mint_jwt_svid, mint_x509_svid
from ca.registry.api_token import Scope
from finial.spiffe.bundle_document import render_pem
from finial.spiffe.identity import SpiffeId

router = APIRouter(prefix="/v1/svids", tags=["svids"])

Minter = Annotated[Administrator, Security(authorized, scopes=[Scope.MINT])]


@router.post("/x509", status_code=201)
async def mint_x509(request: Request, caller: Minter, body: X509Request) -> MintedX509:
    """Sign what a certificate signing request asks for: its one SPIFFE ID, its DNS names."""
    world = world_of(request)
    minted = await mint_x509_svid(world, caller.actor, body.der, body.ttl)
    chain = (x509.load_der_x509_certificate(der) for der in minted.chain)
    return MintedX509(
        id=str(minted.id),
        expires_at=instant(minted.issued.expires_at),
        x509_svid="".join(each.public_bytes(Encoding.PEM).decode() for each in chain),
        bundle=render_pem(world.known.bundle.value).decode(),
    )


@router.post("/jwt", status_code=201)
async def mint_jwt(request: Request, caller: Minter, body: JwtRequest) -> MintedJwt:
    """Sign a JWT-SVID for a workload's SPIFFE ID."""
    spiffe_id = required("id", body.id, SpiffeId.parse)
    world = world_of(request)
    minted = await mint_jwt_svid(world, caller.actor, spiffe_id, body.audience, body.ttl)
    return MintedJwt(
        id=str(minted.id),
        token=minted.token,
        issued_at=instant(minted.issued.issued_at),
        expires_at=instant(minted.issued.expires_at),
    )
