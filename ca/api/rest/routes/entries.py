"""Registration entries: `/v1/entries`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.preconditions import etag, expected_revision
from ca.api.rest.problems import Problem
from ca.api.rest.shapes.entry import (
    MAX_BATCH,
    Batch,
    BatchAnswer,
    BatchItem,
    EntryDocument,
    EntryPatch,
    NewEntry,
    WrittenEntry,
)
from ca.api.rest.shapes.entry_query import entry_filter
from ca.api.rest.shapes.paging import DEFAULT_SIZE, Size, Token
from ca.api.rest.shapes.shape import Count, Page
from ca.operations.administration.administer_entries import (
    EntryChange,
    SimilarEntry,
    count_entries,
    create_entries,
    delete_entries,
    find_entry,
    list_entries,
    update_entries,
)
from ca.operations.administration.vet_entries import Adviser, Vetting
from ca.registry.api_token import Scope
from ca.registry.entry import Entry
from ca.registry.entry_filter import EntryFilter
from finial.spiffe.refusal import Kind, Refusal

router = APIRouter(prefix="/v1", tags=["entries"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.ENTRIES_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.ENTRIES_WRITE])]
Filter = Annotated[EntryFilter, Depends(entry_filter)]
Force = Annotated[bool, Query(description="Insist on selectors that nothing gives.")]
IfMatch = Annotated[str | None, Header(description="The ETag that the entry must still have.")]


@router.post("/entries", status_code=201)
async def create_entry(
    *,
    request: Request,
    response: Response,
    caller: Writer,
    body: NewEntry,
    force: Force = False,
) -> WrittenEntry:
    """Register a workload: which SPIFFE ID it gets, under which node, by which selectors.

    Selectors that no attestor gives are refused, unless `force` insists.
    """
    world = world_of(request)
    [created] = await create_entries(world, caller.actor, [body.value()], _vetting(force))
    entry = _or_refuse(created)
    response.headers["ETag"] = etag(entry.revision_number)
    response.headers["Location"] = f"/v1/entries/{entry.id}"
    return WrittenEntry.with_warnings(entry, Adviser(world).warnings(entry))


@router.get("/entries")
async def get_entries(
    request: Request,
    caller: Reader,
    wanted: Filter,
    size: Size = DEFAULT_SIZE,
    token: Token = "",
) -> Page[EntryDocument]:
    """List entries in the order of their creation."""
    page = list_entries(world_of(request), wanted, size, token)
    return Page[EntryDocument].model_construct(
        items=[EntryDocument.of(entry) for entry in page.items], next_page_token=page.next_token
    )


@router.get("/entries:count")
async def get_count(request: Request, caller: Reader, wanted: Filter) -> Count:
    """Count entries."""
    return Count(count=count_entries(world_of(request), wanted))


@router.post("/entries:batch")
async def change_entries(
    request: Request, caller: Writer, body: Batch, force: Force = False
) -> BatchAnswer:
    """Create, change and delete up to 500 entries; each succeeds or fails by itself."""
    asked = len(body.create) + len(body.update) + len(body.delete)
    if not 0 < asked <= MAX_BATCH:
        raise Refusal(
            Kind.INVALID,
            f"a batch has 1 to {MAX_BATCH} things to do",
            value=str(asked),
            remedy="split it",
        )
    world = world_of(request)
    vetting = _vetting(force)
    wanted = [_value(each) for each in body.create]
    created = await create_entries(world, caller.actor, wanted, vetting)
    changes = [EntryChange(each.id, each.patch.apply) for each in body.update]
    updated = await update_entries(world, caller.actor, changes, vetting)
    deleted = await delete_entries(world, caller.actor, body.delete)
    adviser = Adviser(world)
    return BatchAnswer(
        results=[
            *(_item(adviser, each, 201) for each in created),
            *(_item(adviser, each, 200) for each in updated),
            *(_item(adviser, each, 204) for each in deleted),
        ]
    )


@router.get("/entries/{entry_id}")
async def get_entry(
    request: Request, response: Response, caller: Reader, entry_id: str
) -> EntryDocument:
    """Show one entry; its revision is the ETag."""
    entry = find_entry(world_of(request), entry_id)
    response.headers["ETag"] = etag(entry.revision_number)
    return EntryDocument.of(entry)


@router.patch("/entries/{entry_id}")
async def update_entry(
    *,
    request: Request,
    response: Response,
    caller: Writer,
    entry_id: str,
    body: EntryPatch,
    if_match: IfMatch = None,
    force: Force = False,
) -> WrittenEntry:
    """Change one entry by a merge patch, if it still has the revision in If-Match.

    Further selectors that no attestor gives are refused, unless `force` insists.
    """
    world = world_of(request)
    change = EntryChange(entry_id, body.apply, expected_revision(if_match))
    [updated] = await update_entries(world, caller.actor, [change], _vetting(force))
    entry = _or_refuse(updated)
    response.headers["ETag"] = etag(entry.revision_number)
    return WrittenEntry.with_warnings(entry, Adviser(world).warnings(entry))


@router.delete("/entries/{entry_id}", status_code=204)
async def delete_entry(request: Request, caller: Writer, entry_id: str) -> None:
    """Delete one entry; its workloads lose the identity at once."""
    [refused] = await delete_entries(world_of(request), caller.actor, [entry_id])
    if refused is not None:
        raise refused


def _or_refuse(result: Entry | Refusal) -> Entry:
    if isinstance(result, Refusal):
        raise result
    return result


def _value(body: NewEntry) -> Entry | Refusal:
    try:
        return body.value()
    except Refusal as refusal:
        return refusal


def _vetting(force: bool) -> Vetting:
    return Vetting.INSIST if force else Vetting.REFUSE


def _item(adviser: Adviser, result: Entry | Refusal | None, status: int) -> BatchItem:
    match result:
        case None:
            return BatchItem(status=status)
        case Entry():
            said = list(adviser.warnings(result))
            return BatchItem(status=status, entry=EntryDocument.of(result), warnings=said)
        case Refusal():
            problem = Problem.of(result)
            existing = EntryDocument.of(result.entry) if isinstance(result, SimilarEntry) else None
            return BatchItem(status=problem.status, entry=existing, problem=problem.document)
