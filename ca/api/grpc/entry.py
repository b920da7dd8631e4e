"""SPIRE's Entry service: administrators' acts, and what an agent is entitled to."""

from collections.abc import Sequence
from typing import Final

from ca.api.grpc.caller import ServerCall, actor_of, agent_of
from ca.api.grpc.messages.agents import match_of, selector_match
from ca.api.grpc.messages.entries import (
    READ_ONLY,
    entry_change,
    entry_from,
    entry_message,
    trust_domain_from,
)
from ca.api.grpc.messages.item_status import OK, item_status
from ca.api.grpc.messages.masks import ENTRY_FIELDS, Fields, masked
from ca.api.grpc.sync import sync_entries
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
from ca.operations.authorized_entries import served_entries
from ca.operations.world import World
from ca.registry.entry import Entry
from ca.registry.entry_filter import EntryFilter
from finial.spiffe.refusal import Refusal
from finial.wire.convert import spiffe_id_from
from finial.wire.grpc.service import Service, service
from finial.wire.pb import entry_pb2, types_pb2

DESCRIPTOR: Final = entry_pb2.DESCRIPTOR.services_by_name["Entry"]


class EntryService:
    """Handlers of the Entry service."""

    def __init__(self, world: World) -> None:
        self._world = world

    def service(self) -> Service:
        """Bind the handlers."""
        return service(
            DESCRIPTOR,
            {
                "CountEntries": self._count,
                "ListEntries": self._list,
                "GetEntry": self._get,
                "BatchCreateEntry": self._create,
                "BatchUpdateEntry": self._update,
                "BatchDeleteEntry": self._delete,
                "GetAuthorizedEntries": self._authorized,
                "SyncAuthorizedEntries": self._sync,
            },
        )

    def _count(
        self, _: ServerCall, request: entry_pb2.CountEntriesRequest
    ) -> entry_pb2.CountEntriesResponse:
        wanted = entry_filter(request.filter) if request.HasField("filter") else None
        return entry_pb2.CountEntriesResponse(count=count_entries(self._world, wanted))

    def _list(
        self, _: ServerCall, request: entry_pb2.ListEntriesRequest
    ) -> entry_pb2.ListEntriesResponse:
        wanted = entry_filter(request.filter) if request.HasField("filter") else None
        page = list_entries(self._world, wanted, request.page_size, request.page_token)
        fields = masked(request, "output_mask", ENTRY_FIELDS)
        return entry_pb2.ListEntriesResponse(
            entries=[entry_message(entry, fields) for entry in page.items],
            next_page_token=page.next_token,
        )

    def _get(self, _: ServerCall, request: entry_pb2.GetEntryRequest) -> types_pb2.Entry:
        entry = find_entry(self._world, request.id)
        return entry_message(entry, masked(request, "output_mask", ENTRY_FIELDS))

    async def _create(
        self, call: ServerCall, request: entry_pb2.BatchCreateEntryRequest
    ) -> entry_pb2.BatchCreateEntryResponse:
        wanted = [_read(message) for message in request.entries]
        results = await create_entries(self._world, actor_of(call), wanted)
        fields = masked(request, "output_mask", ENTRY_FIELDS)
        response = entry_pb2.BatchCreateEntryResponse()
        for result in results:
            item = response.results.add()
            _fill(item, result, fields)
            if isinstance(result, SimilarEntry):
                item.entry.CopyFrom(entry_message(result.entry, fields))
        return response

    async def _update(
        self, call: ServerCall, request: entry_pb2.BatchUpdateEntryRequest
    ) -> entry_pb2.BatchUpdateEntryResponse:
        written = masked(request, "input_mask", ENTRY_FIELDS) - READ_ONLY
        changes = [_read_change(message, written) for message in request.entries]
        results = await update_entries(self._world, actor_of(call), changes)
        fields = masked(request, "output_mask", ENTRY_FIELDS)
        response = entry_pb2.BatchUpdateEntryResponse()
        for result in results:
            _fill(response.results.add(), result, fields)
        return response

    async def _delete(
        self, call: ServerCall, request: entry_pb2.BatchDeleteEntryRequest
    ) -> entry_pb2.BatchDeleteEntryResponse:
        ids: Sequence[str] = tuple(request.ids)
        results = await delete_entries(self._world, actor_of(call), ids)
        response = entry_pb2.BatchDeleteEntryResponse()
        for entry_id, refusal in zip(ids, results, strict=True):
            status = item_status(refusal) if refusal else OK
            response.results.add(id=entry_id, status=status)
        return response

    def _authorized(
        self, call: ServerCall, request: entry_pb2.GetAuthorizedEntriesRequest
    ) -> entry_pb2.GetAuthorizedEntriesResponse:
        fields = masked(request, "output_mask", ENTRY_FIELDS)
        entries = served_entries(self._world, agent_of(call))
        return entry_pb2.GetAuthorizedEntriesResponse(
            entries=[entry_message(entry, fields) for entry in entries]
        )

    async def _sync(self, call: ServerCall) -> None:
        await sync_entries(self._world, call)


def entry_filter(
    wanted: entry_pb2.ListEntriesRequest.Filter | entry_pb2.CountEntriesRequest.Filter,
) -> EntryFilter:
    """Read a filter; its parts are joined by AND.

    Raises: Refusal of kind INVALID.
    """
    given = {name for name in wanted.DESCRIPTOR.fields_by_name if wanted.HasField(name)}
    domains = wanted.by_federates_with.trust_domains
    return EntryFilter(
        spiffe_id=(spiffe_id_from(wanted.by_spiffe_id) if "by_spiffe_id" in given else None),
        parent_id=(spiffe_id_from(wanted.by_parent_id) if "by_parent_id" in given else None),
        federates_with=(
            frozenset(map(trust_domain_from, domains)) if "by_federates_with" in given else None
        ),
        federates_with_match=match_of(wanted.by_federates_with.match),
        hint=wanted.by_hint.value if "by_hint" in given else None,
        downstream=wanted.by_downstream.value if "by_downstream" in given else None,
        **(selector_match(wanted.by_selectors) if "by_selectors" in given else {}),
    )


def _read(message: types_pb2.Entry) -> Entry | Refusal:
    try:
        return entry_from(message, ENTRY_FIELDS)
    except Refusal as refusal:
        return refusal


def _read_change(message: types_pb2.Entry, fields: Fields) -> EntryChange | Refusal:
    try:
        return EntryChange(message.id, entry_change(message, fields))
    except Refusal as refusal:
        return refusal


def _fill(
    item: entry_pb2.BatchCreateEntryResponse.Result | entry_pb2.BatchUpdateEntryResponse.Result,
    result: Entry | Refusal,
    fields: Fields,
) -> None:
    if isinstance(result, Refusal):
        item.status.CopyFrom(item_status(result))
    else:
        item.status.CopyFrom(OK)
        item.entry.CopyFrom(entry_message(result, fields))
