"""The ledger: `/v1/issued`, every SVID that left the server, the latest first."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.paging import DEFAULT_SIZE, Size, Token
from ca.api.rest.shapes.shape import Page
from ca.api.rest.shapes.svid import IssuedDocument, issued_filter
from ca.datastore.ledger import IssuedFilter
from ca.registry.api_token import Scope

router = APIRouter(prefix="/v1", tags=["issued"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.ISSUED_READ])]
Filter = Annotated[IssuedFilter, Depends(issued_filter)]


@router.get("/issued")
async def get_issued(
    request: Request, caller: Reader, wanted: Filter, size: Size = DEFAULT_SIZE, token: Token = ""
) -> Page[IssuedDocument]:
    """List what was issued; a row is kept until a day after the SVID expired."""
    page = await world_of(request).datastore.list_issued(wanted, size, token)
    return Page[IssuedDocument].model_construct(
        items=[IssuedDocument.of(row) for row in page.items],
        next_page_token=page.next_page_token,
    )
