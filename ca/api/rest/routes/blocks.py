"""The kill switch: `/v1/blocks`, and what stands behind an identity: `/v1/identities`."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, Security
from fastapi.responses import PlainTextResponse

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.block import BlockDocument, BlockingDocument, NewBlock, pem_of
from ca.api.rest.shapes.enforcement import EnforcementDocument
from ca.api.rest.shapes.identity import IdentityDocument
from ca.api.rest.shapes.ids import whole_id
from ca.api.rest.shapes.parsing import required
from ca.api.rest.shapes.shape import Page
from ca.operations.administration.administer_blocks import (
    LONGEST_WAIT,
    create_block,
    list_blocks,
    preview_block,
    remove_block,
    show_block,
)
from ca.operations.enforcement import enforcement
from ca.operations.identity_standing import LONGEST_WATCH, identity_standing, watch_identity
from ca.registry.api_token import Scope
from finial.spiffe.identity import SpiffeId

router = APIRouter(prefix="/v1", tags=["blocks"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.BLOCKS_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.BLOCKS_WRITE])]
Wait = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait at most until agents enforce it."),
]


Watcher = Annotated[Administrator, Security(authorized, scopes=[Scope.IDENTITIES_READ])]
Authorities = Annotated[Administrator, Security(authorized, scopes=[Scope.AUTHORITIES_READ])]
Enforcer = Annotated[
    Administrator, Security(authorized, scopes=[Scope.AGENTS_READ, Scope.BLOCKS_READ])
]
Watch = Annotated[float, Query(ge=0, le=LONGEST_WATCH, description="Seconds to wait at most.")]


@router.post("/blocks", status_code=201, responses={200: {"model": BlockingDocument}})
async def block(
    *,
    request: Request,
    response: Response,
    caller: Writer,
    body: NewBlock,
    dry_run: bool = False,
    force: bool = False,
    wait: Wait = 0.0,
) -> BlockingDocument:
    """Lock out an identity, an entry, an agent, a selector, a serial number or a token, at once.

    With `dry_run` nothing is blocked, and the answer (200) says what would be hit. What hits
    nothing that the server knows of is refused without `force`, as is the server's own ID always.
    """
    world, wish = world_of(request), body.wish
    if dry_run:
        response.status_code = 200
        return BlockingDocument.of(await preview_block(world, caller.actor, wish, force=force))
    made = await create_block(world, caller.actor, wish, wait=wait, force=force)
    return BlockingDocument.of(made)


@router.get("/blocks")
async def get_blocks(request: Request, caller: Reader) -> Page[BlockDocument]:
    """List what is blocked, in the order in which it was."""
    found = list_blocks(world_of(request))
    return Page(items=[BlockDocument.of(each) for each in found], next_page_token="")


@router.get("/blocks/{block_id}")
async def get_block(request: Request, caller: Reader, block_id: str) -> BlockingDocument:
    """Show a block, what it hits now, and which agents enforce it."""
    return BlockingDocument.of(await show_block(world_of(request), block_id))


@router.delete("/blocks/{block_id}", status_code=204)
async def unblock(request: Request, caller: Writer, block_id: str) -> None:
    """Lift a block; SVIDs of before that have not expired are good again."""
    await remove_block(world_of(request), caller.actor, block_id)


@router.get(
    "/identities/{spiffe_id:path}",
    response_model=IdentityDocument,
    responses={304: {"description": "Nothing has changed within the time."}},
)
async def get_identity(
    *,
    request: Request,
    response: Response,
    caller: Watcher,
    spiffe_id: str,
    wait: Watch = 0.0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Say how an identity stands: its entries, its live SVIDs, who holds them, its blocks.

    To watch it, give the ETag of the last answer as `If-None-Match`, and how long to `wait` for
    another answer; 304 says that there is none.
    """
    world = world_of(request)
    subject = required("spiffe_id", whole_id(world.trust_domain, spiffe_id), SpiffeId.parse)
    found = await identity_standing(world, subject)
    document = IdentityDocument.of(found)
    if if_none_match == document.etag and wait:
        document = IdentityDocument.of(await watch_identity(world, subject, found, wait))
    if if_none_match == document.etag:
        return Response(status_code=304, headers={"ETag": document.etag})
    response.headers["ETag"] = document.etag
    return document


@router.get("/enforcement")
async def get_enforcement(
    request: Request, caller: Enforcer, lagging: bool = False
) -> Page[EnforcementDocument]:
    """List the agents with the versions of blocks and policies that they enforce.

    With `lagging`, only those that may decide by something that is out of date.
    """
    found = [each for each in enforcement(world_of(request)) if each.lags or not lagging]
    return Page(items=[EnforcementDocument.of(each) for each in found], next_page_token="")


@router.get(
    "/crls",
    response_class=PlainTextResponse,
    responses={200: {"content": {"application/x-pem-file": {}}}},
)
async def get_crls(request: Request, caller: Authorities) -> PlainTextResponse:
    """Show the revocation list of each X.509 authority in PEM, also where nothing is revoked."""
    told = world_of(request).known.blocks_told.value.document
    return PlainTextResponse(
        "".join(pem_of(each.der) for each in told.crls), media_type="application/x-pem-file"
    )
