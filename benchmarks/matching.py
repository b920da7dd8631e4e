"""What it costs to compare a caller with five hundred entries, and to explain the comparison."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.cache.entitlement import Entitlement, Entitlements
from benchmarks.measures import Bench
from benchmarks.meter import cpu_seconds
from benchmarks.peers import TRUST_DOMAIN, Peer
from benchmarks.registration import delete_entries, register
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import operator_pb2, types_pb2

ENTRIES = 500
CALLS = 20_000
EXPLANATIONS = 200
_OPERATOR = operator_pb2.DESCRIPTOR.services_by_name["Operator"]


def matching(bench: Bench) -> dict[str, float]:
    """One caller of fifteen selectors, whose entry is one of five hundred that look alike."""
    domain = TrustDomain(TRUST_DOMAIN)
    entitlements = Entitlements(
        Entitlement(
            id=f"e{number}",
            spiffe_id=SpiffeId(domain, f"/service/{number}"),
            selectors=tuple(map(Selector.parse, _wanted(number))),
        )
        for number in range(ENTRIES)
    )
    callers = [frozenset(map(Selector.parse, _found(number))) for number in range(ENTRIES)]
    nobody = frozenset(map(Selector.parse, _found(ENTRIES + 1)))
    assert all(len(entitlements.matching(each)) == 1 for each in callers)
    assert not entitlements.matching(nobody)
    one = _microseconds(lambda i: entitlements.matching(callers[i % ENTRIES]))
    none = _microseconds(lambda _: entitlements.matching(nobody))
    return {"one matches: us": one, "none matches: us": none, "signs": one / bench.sign}


def explanation(bench: Bench, peer: Peer) -> dict[str, float]:
    """`Operator.Explain` of a process that no entry matches, beside five hundred entries."""
    if peer.name != "finial":
        return {}
    ids = register(peer, (_entry(peer, number) for number in range(ENTRIES)))
    try:
        return asyncio.run(_explain(bench, peer))
    finally:
        delete_entries(peer, ids)


async def _explain(bench: Bench, peer: Peer) -> dict[str, float]:
    channel = Channel(UnixAddress(Path(peer.agent_socket)))
    status, explain = method(_OPERATOR, "GetStatus"), method(_OPERATOR, "Explain")
    try:
        deadline = time.monotonic() + 30
        while (await channel.unary(status, status.request(), timeout=5)).entries < ENTRIES:
            if time.monotonic() > deadline:
                raise TimeoutError("the agent did not learn of the entries")
            await asyncio.sleep(0.1)
        request = operator_pb2.ExplainRequest(pid=os.getpid())
        size = len((await channel.unary(explain, request, timeout=10)).document)
        times = []
        before = cpu_seconds(peer.agent_pid)
        for _ in range(EXPLANATIONS):
            began = time.perf_counter()
            await channel.unary(explain, request, timeout=10)
            times.append(time.perf_counter() - began)
        cpu = (cpu_seconds(peer.agent_pid) - before) / EXPLANATIONS * 1e6
    finally:
        await channel.close()
    times.sort()
    return {
        "signs": cpu / bench.sign,
        "us": cpu,
        "p50 ms": times[EXPLANATIONS // 2] * 1e3,
        "KiB": size / 1024,
    }


def _wanted(number: int) -> tuple[str, ...]:
    return (
        f"unix:uid:{10_000 + number % 50}",
        f"docker:label:com.docker.compose.service:service-{number}",
        f"docker:image_config_digest:sha256:{number % 20:064x}",
    )


def _found(number: int) -> tuple[str, ...]:
    return (
        *_wanted(number),
        "unix:gid:1000",
        "unix:user:app",
        "unix:group:app",
        "unix:path:/usr/bin/python3",
        f"unix:sha256:{number:064x}",
        *(f"docker:label:label-{each}:value" for each in range(5)),
        "docker:image_id:registry.example.org/app:1",
        f"docker:container_name:app-{number}",
    )


def _entry(peer: Peer, number: int) -> types_pb2.Entry:
    chosen = [Selector.parse(each) for each in _wanted(number)]
    return types_pb2.Entry(
        spiffe_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path=f"/service/{number}"),
        parent_id=types_pb2.SPIFFEID(trust_domain=TRUST_DOMAIN, path=peer.agent_path),
        selectors=[types_pb2.Selector(type=each.type, value=each.value) for each in chosen],
    )


def _microseconds(work: Callable[[int], object]) -> float:
    numbers: Iterable[int] = range(CALLS)
    began = time.process_time()
    for number in numbers:
        work(number)
    return (time.process_time() - began) / CALLS * 1e6
