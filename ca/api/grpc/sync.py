"""SyncAuthorizedEntries: how an agent learns its entries and which of them changed.

The rules (spire-wire 6.3): the first message has the mask and no ids. Up to a page of entries is
answered by one message with all of them. More are answered by their revisions, a page a message;
then each message with ids is answered by those entries, a page a message. `more` is false on the
last message of each answer. Ids that are not, or no longer, the agent's are silently missing. The
agent is judged again at each of its messages, because it may hold the conversation for days.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, TypeVar

from ca.api.grpc.caller import ServerCall, agent_of, judge_again
from ca.api.grpc.messages.entries import entry_message
from ca.api.grpc.messages.masks import ENTRY_FIELDS, Fields, masked
from ca.operations.authorized_entries import authorized_entry, served_entries
from ca.operations.world import World
from ca.registry.entry import Entry
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb import entry_pb2

PAGE: Final = 500
LARGEST: Final = 3 * 1024 * 1024
T = TypeVar("T")


async def sync_entries(world: World, call: ServerCall) -> None:
    """Hold one conversation until the agent ends it."""
    first: entry_pb2.SyncAuthorizedEntriesRequest | None = await anext(call, None)
    if first is None:
        return
    fields = _judge_first(first)
    entries = served_entries(world, agent_of(call))
    whole = _entries_message(entries, fields) if len(entries) <= PAGE else None
    if whole is not None and whole.ByteSize() <= LARGEST:
        await call.send(whole)
    else:
        for page, more in pages(entries):
            await call.send(_revisions_message(page, more))
    async for request in call:
        await _answer(world, call, request, fields)


def _judge_first(first: entry_pb2.SyncAuthorizedEntriesRequest) -> Fields:
    if first.ids:
        raise Refusal(
            Kind.INVALID, "specifying IDs on initial request is not supported", field="ids"
        )
    fields = masked(first, "output_mask", ENTRY_FIELDS)
    if "revision_number" not in fields:
        raise Refusal(Kind.INVALID, "revision number cannot be masked", field="output_mask")
    return fields


async def _answer(
    world: World,
    call: ServerCall,
    request: entry_pb2.SyncAuthorizedEntriesRequest,
    fields: Fields,
) -> None:
    judge_again(world, call)
    agent = agent_of(call)
    wanted = sorted(set(request.ids))
    found = [entry for each in wanted if (entry := authorized_entry(world, agent, each))]
    messages = [entry_message(entry, fields) for entry in found]
    for page, more in pages(messages, LARGEST):
        response = entry_pb2.SyncAuthorizedEntriesResponse(entries=page, more=more)
        await call.send(response)


def pages(items: Sequence[T], largest: int = 0) -> Iterator[tuple[Sequence[T], bool]]:
    """Cut items into pages, at least one, and say of each whether another follows.

    With `largest`, items are messages, of which a page holds no more than so many bytes (or one).
    """
    start = 0
    while True:
        end = start + (_fitting(items[start : start + PAGE], largest) if largest else PAGE)
        yield items[start:end], end < len(items)
        if end >= len(items):
            return
        start = end


def _fitting(messages: Sequence[Any], largest: int) -> int:
    sizes = accumulate(message.ByteSize() for message in messages)
    return max(len([size for size in sizes if size <= largest]), 1)


def _entries_message(
    entries: Sequence[Entry], fields: Fields
) -> entry_pb2.SyncAuthorizedEntriesResponse:
    return entry_pb2.SyncAuthorizedEntriesResponse(
        entries=[entry_message(entry, fields) for entry in entries]
    )


def _revisions_message(
    entries: Sequence[Entry], more: bool
) -> entry_pb2.SyncAuthorizedEntriesResponse:
    revisions = [
        entry_pb2.EntryRevision(
            id=entry.id, revision_number=entry.revision_number, created_at=entry.created_at
        )
        for entry in entries
    ]
    return entry_pb2.SyncAuthorizedEntriesResponse(entry_revisions=revisions, more=more)
