"""The rules of an agent: received, kept, confirmed, and what is recorded of decisions by them."""

import asyncio
import json
from typing import Any

import grpc

from finial.spiffe.refusal import Kind
from finial.wire.grpc.method import method
from finial.wire.pb import envoy_authz_pb2, operator_pb2
from tests.doubles.access import (
    CHARGE,
    CHECK,
    ORDERS,
    OWN,
    PAYMENT,
    ask,
    outcome,
    policies,
    question,
    reason_of,
    rule,
)
from tests.doubles.running_agent import (
    OPERATOR,
    PATIENCE,
    Scene,
    soon,
    until,
)
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.deciding_scenes import deciding


def test_without_rules_nothing_is_decided() -> None:
    """Before the first document the call itself is Unavailable: Envoy denies by its own setting."""

    async def act(played: Scene) -> None:
        played.server.entry("p", "/payment", ME)
        async with played.agent() as agent:
            told = await refused(ask(agent, question()))
        assert told.kind is Kind.UNAVAILABLE
        assert "who may call whom" in told.detail

    play(act)


def test_rules_survive_a_restart_and_never_go_back() -> None:
    """In force before anything is served; an older version is refused, and what is applied is told."""

    async def act(played: Scene) -> None:
        async with deciding(played, policies(7, None, CHARGE)) as agent:
            assert await outcome(agent) == "ok"
            await until(lambda: applied(played) == [7])
            played.server.tell("policies", 6, policies(6, None))
            played.server.tell("policies", 9, b"{}")
            played.server.tell("policies", 8, policies(8, None, CHARGE))
            await until(lambda: applied(played) == [7, 8])
        async with played.agent() as agent:
            assert agent.parts.access.keeping.version == 8
            assert await outcome(agent) == "ok"
            hello = played.server.hellos[-1]
            assert hello.versions["policies"] == 8
            assert "policies" in hello.capabilities

    play(act)


def applied(played: Scene) -> list[int]:
    return [
        up.applied.version
        for up in played.server.ups
        if up.WhichOneof("message") == "applied" and up.applied.topic == "policies"
    ]


def test_rules_that_nobody_confirms_end_where_the_operator_says_so() -> None:
    """How stale rules may get is a setting; an agent that is connected has no stale ones."""

    async def act(played: Scene) -> None:
        settings = {"ext_authz": {"rules_max_age": "60s"}}
        async with deciding(played, **settings) as agent:
            await played.pass_time(120)
            assert await outcome(agent) == "ok"
            await played.server.stop()
            await until(lambda: not agent.parts.tasks.link.connected)
            assert await outcome(agent) == "ok"
            await played.pass_time(61)
            assert await outcome(agent) == "rules_stale"

    play(act)


def test_a_callee_may_have_every_decision_audited() -> None:
    """What cannot be written down then does not pass; a denial stays one in any case."""

    async def act(played: Scene) -> None:
        async with deciding(played, policies(1, None, CHARGE, audit_all=(PAYMENT,))) as agent:
            assert await outcome(agent) == "ok"
            [record] = agent.records.named("access_decided")
            assert (record["decision"], record["rules"]) == ("allowed", ["orders may charge"])
            agent.records.is_full = True
            assert await outcome(agent) == "not_audited"
            assert await outcome(agent, "") == "no_identity"

    play(act)


def test_the_same_denial_is_one_line_a_second() -> None:
    """A caller that is denied as often as it likes does not fill the disk."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            for _ in range(20):
                await outcome(agent, "")
            assert len(agent.records.named("access_decided")) == 1
            for number in range(300):
                await outcome(agent, "", path=f"/{number}")
            assert len(agent.records.named("access_decided")) <= 102

    play(act)


def test_a_denial_is_explained_to_the_operator() -> None:
    """`finial explain --refusal` tells who, whom, why, and which rules came near."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            answer = await ask(agent, question(verb="GET"))
            id_ = json.loads(answer.denied_response.body)["refusal"]
            explain = method(OPERATOR, "Explain")
            told = await agent.operators.unary(
                explain, operator_pb2.ExplainRequest(refusal=id_), timeout=PATIENCE
            )
        document = json.loads(told.document)
        assert document["refusal"] == id_
        assert ORDERS in document["causes"][0]
        assert '"orders may charge"' in document["causes"][1]

    play(act)


def test_huge_headers_are_refused_and_harm_nobody() -> None:
    """A megabyte of headers is no decision: the call is refused, and the next one answered."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            told = await refused(ask(agent, question(x_big=1024 * 1024 * "a")))
            assert told.kind in (Kind.EXHAUSTED, Kind.INVALID)
            assert await outcome(agent, x_large=60 * 1024 * "a") == "ok"

    play(act)


def test_another_librarys_client_is_answered() -> None:
    """grpcio speaks with the socket as Envoy does."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:

            def call() -> Any:
                path = f"unix:{played.folder}/d/workload/workload.sock"
                with grpc.insecure_channel(path) as channel:
                    check = channel.unary_unary(
                        CHECK.path,
                        request_serializer=envoy_authz_pb2.CheckRequest.SerializeToString,
                        response_deserializer=envoy_authz_pb2.CheckResponse.FromString,
                    )
                    return check(question(), timeout=PATIENCE)

            assert reason_of(await soon(asyncio.to_thread(call))) == "ok"
            assert agent.parts.listeners.gate.open_calls == 0

    play(act)


def test_headers_may_come_raw() -> None:
    """An Envoy that is told to send raw headers sends a list in place of a map."""

    async def act(played: Scene) -> None:
        front = f"{OWN}/front"
        async with deciding(played, ext_authz={"trusted_proxies": [front]}) as agent:
            request = question(front)
            raw = request.attributes.request.http.header_map.headers
            for value in (f"URI={OWN}/x", f"URI={ORDERS}"):
                raw.add(key="x-forwarded-client-cert", raw_value=value.encode())
            assert reason_of(await ask(agent, request)) == "ok"

    play(act)


def test_rules_are_about_their_callee_alone() -> None:
    """A rule of another callee lets nobody in here."""

    async def act(played: Scene) -> None:
        document = policies(1, None, rule("elsewhere", callee=f"{OWN}/ledger"))
        async with deciding(played, document) as agent:
            assert await outcome(agent) == "no_rule"

    play(act)
