"""What is asked of a peer through its local socket."""

import os
from collections.abc import Iterable

import grpc

from benchmarks.peers import TRUST_DOMAIN, Peer
from finial.wire.pb import entry_pb2, types_pb2


def register_caller(peer: Peer) -> None:
    """Create one entry for this uid under the peer's agent."""
    entry = types_pb2.Entry(
        spiffe_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path="/bench/caller"),
        parent_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path=peer.agent_path),
        selectors=[types_pb2.Selector(type="unix", value=f"uid:{os.getuid()}")],
    )
    register(peer, [entry])


def register(peer: Peer, entries: Iterable[types_pb2.Entry]) -> list[str]:
    """Create entries in one call; return their IDs."""
    with grpc.insecure_channel(f"unix:{peer.server_socket}") as channel:
        call = channel.unary_unary(
            "/spire.api.server.entry.v1.Entry/BatchCreateEntry",
            request_serializer=entry_pb2.BatchCreateEntryRequest.SerializeToString,
            response_deserializer=entry_pb2.BatchCreateEntryResponse.FromString,
        )
        answer = call(entry_pb2.BatchCreateEntryRequest(entries=entries), timeout=30)
    assert all(each.status.code == 0 for each in answer.results), answer
    return [each.entry.id for each in answer.results]


def delete_entries(peer: Peer, ids: Iterable[str]) -> None:
    """Delete entries in one call."""
    with grpc.insecure_channel(f"unix:{peer.server_socket}") as channel:
        call = channel.unary_unary(
            "/spire.api.server.entry.v1.Entry/BatchDeleteEntry",
            request_serializer=entry_pb2.BatchDeleteEntryRequest.SerializeToString,
            response_deserializer=entry_pb2.BatchDeleteEntryResponse.FromString,
        )
        call(entry_pb2.BatchDeleteEntryRequest(ids=ids), timeout=30)


def entry_count(peer: Peer) -> int:
    """How many entries the server has."""
    with grpc.insecure_channel(f"unix:{peer.server_socket}") as channel:
        call = channel.unary_unary(
            "/spire.api.server.entry.v1.Entry/CountEntries",
            request_serializer=entry_pb2.CountEntriesRequest.SerializeToString,
            response_deserializer=entry_pb2.CountEntriesResponse.FromString,
        )
        return int(call(entry_pb2.CountEntriesRequest(), timeout=30).count)
