"""The kill switch: `/v1/blocks`, and what stands behind an identity: `/v1/identities`."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.block import BlockDocument, BlockingDocument, NewBlock
from ca.api.rest.shapes.shape import Page
from ca.operations.administration.administer_blocks import (
    LONGEST_WAIT,
    create_block,
    list_blocks,
    preview_block,
    remove_block,
    show_block,
)
from ca.registry.api_token import Scope

router = APIRouter(prefix="/v1", tags=["blocks"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.BLOCKS_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.BLOCKS_WRITE])]
Wait = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait at most until agents enforce it."),
]


@router.post("/blocks", status_code=201, responses={200: {"model": BlockingDocument}})
async def block(
    *,
    request: Request,
    response: Response,
    caller: Writer,
    body: NewBlock,
    dry_run: bool = False,
    wait: Wait = 0.0,
) -> BlockingDocument:
    """Lock out an identity, an entry, an agent, a selector, a serial number or a token, at once.

    With `dry_run` nothing is blocked, and the answer (200) says what would be hit. What hits
    nothing is refused, as is the server's own ID.
    """
    world = world_of(request)
    if dry_run:
        response.status_code = 200
        return BlockingDocument.of(await preview_block(world, caller.actor, body.wish))
    return BlockingDocument.of(await create_block(world, caller.actor, body.wish, wait=wait))


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
