"""Learning our entries and the bundles that they need (SPIRE's Entry and Bundle services).

SyncAuthorizedEntries (spire-wire 6.3): we say which members we want; a server that has up to 500
entries for us answers all of them in one message and that is the end; one that has more lists
their revisions, and we ask for those that we lack, a page at a time.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from agent.cache.entitlement import Entitlement, Entitlements, Stamp
from agent.upstream.messages import ENTRY_MASK, bundle_of, entitlement_of
from agent.upstream.servers import TIMEOUT, Servers
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Stream
from finial.wire.grpc.method import method
from finial.wire.pb import bundle_pb2, entry_pb2

PAGE: Final = 500
_ENTRY: Final = entry_pb2.DESCRIPTOR.services_by_name["Entry"]
_BUNDLE: Final = bundle_pb2.DESCRIPTOR.services_by_name["Bundle"]
_SYNC: Final = method(_ENTRY, "SyncAuthorizedEntries")
_GET_BUNDLE: Final = method(_BUNDLE, "GetBundle")
_GET_FEDERATED: Final = method(_BUNDLE, "GetFederatedBundle")
_Answer = entry_pb2.SyncAuthorizedEntriesResponse


async def sync_entitlements(servers: Servers, known: Entitlements) -> Entitlements:
    """Bring what we know up to date; the result is all that the server lets us serve.

    Raises: Refusal.
    """
    async with servers.stream(_SYNC, timeout=TIMEOUT) as stream:
        await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(output_mask=ENTRY_MASK))
        first = await _receive(stream)
        if not first.entry_revisions:
            return Entitlements(_entitlements(first.entries))
        stamps = await _stamps(stream, first)
        fetched = await _fetch(stream, known.outdated(stamps))
        await stream.end()
        return known.merged(stamps, fetched)


async def own_bundle(servers: Servers) -> Bundle:
    """Ask for the bundle of our own trust domain. Raises: Refusal."""
    return bundle_of(await servers.unary(_GET_BUNDLE, bundle_pb2.GetBundleRequest()))


async def federated_bundle(servers: Servers, trust_domain: TrustDomain) -> Bundle | None:
    """Ask for a federated bundle; nothing where the server has none. Raises: Refusal."""
    request = bundle_pb2.GetFederatedBundleRequest(trust_domain=trust_domain.name)
    try:
        return bundle_of(await servers.unary(_GET_FEDERATED, request))
    except Refusal as refusal:
        if refusal.kind is Kind.NOT_FOUND:
            return None
        raise


async def _stamps(stream: Stream, first: _Answer) -> dict[str, Stamp]:
    stamps: dict[str, Stamp] = {}
    answer = first
    while True:
        if answer.entries:
            raise _protocol("entries among the revisions")
        for each in answer.entry_revisions:
            stamps[each.id] = Stamp(each.revision_number, each.created_at)
        if not answer.more:
            return stamps
        answer = await _receive(stream)


async def _fetch(stream: Stream, wanted: Sequence[str]) -> list[Entitlement]:
    fetched: list[Entitlement] = []
    for start in range(0, len(wanted), PAGE):
        await stream.send(entry_pb2.SyncAuthorizedEntriesRequest(ids=wanted[start : start + PAGE]))
        more = True
        while more:
            answer = await _receive(stream)
            if answer.entry_revisions:
                raise _protocol("revisions among the entries")
            fetched += _entitlements(answer.entries)
            more = answer.more
    return fetched


async def _receive(stream: Stream) -> _Answer:
    answer: _Answer | None = await stream.receive()
    if answer is None:
        raise _protocol("the end of the stream before the answer")
    return answer


def _entitlements(entries: Iterable[object]) -> list[Entitlement]:
    return [entitlement_of(each) for each in entries]  # type: ignore[arg-type] # generated


def _protocol(what: str) -> Refusal:
    return Refusal(Kind.INTERNAL, f"SyncAuthorizedEntries: the server sent {what}")
