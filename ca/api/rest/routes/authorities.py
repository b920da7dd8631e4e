"""What signs and what proves it: `/v1/authorities` and `/v1/bundle`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.preconditions import etag
from ca.api.rest.shapes.authority import AuthorityDocument
from ca.api.rest.shapes.shape import Page
from ca.registry.api_token import Scope
from finial.spiffe.bundle_document import render_pem, render_spiffe_bundle

router = APIRouter(prefix="/v1", tags=["authorities"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.AUTHORITIES_READ])]
_PEM = "application/x-pem-file"


@router.get("/authorities")
async def get_authorities(request: Request, caller: Reader) -> Page[AuthorityDocument]:
    """List the signing keys: prepared, active and old."""
    signers = world_of(request).known.signers.value
    slots = [slot for keyring in signers.keyrings.values() for slot in keyring.slots]
    return Page(items=[AuthorityDocument.of(slot) for slot in slots], next_page_token="")


@router.get(
    "/bundle",
    response_class=Response,
    responses={200: {"content": {"application/json": {}, _PEM: {}}}},
)
async def get_bundle(
    request: Request,
    caller: Reader,
    format: Literal["spiffe", "pem"] | None = None,  # noqa: A002 - the parameter's name
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Give the trust bundle: a SPIFFE bundle document, or its CA certificates in PEM."""
    bundle = world_of(request).known.bundle.value
    pem = format == "pem" or (format is None and _PEM in accept)
    return Response(
        render_pem(bundle) if pem else render_spiffe_bundle(bundle),
        media_type=_PEM if pem else "application/json",
        headers={"ETag": etag(bundle.sequence), "Vary": "Accept"},
    )
