"""Real Envoys ask the agent who may call payment."""

import asyncio
import json

from finial.policy.decision import Mode
from finial.wire.pb import workload_pb2
from tests.doubles.access import CHARGE, ORDERS, PAYMENT, blocks, policies
from tests.doubles.running_agent import Scene, until
from tests.e2e.envoy.mesh_parts import GATEWAY, Mesh, mesh, request
from tests.flows.agent_scenes import play
from tests.flows.deciding_scenes import learn


def test_orders_may_charge_and_gateway_may_not() -> None:
    """By mutual TLS; payment learns who calls, whatever the caller says of itself."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            lies = {"x_spiffe_caller": GATEWAY, "x_forwarded_client_cert": f"URI={GATEWAY}"}
            for headers in ({}, lies):
                answered = await built.call("orders", **headers)
                assert (answered.status, answered.body) == (200, "paid")
                assert answered.caller == ORDERS
            denied = await built.call("gateway")
            assert (denied.status, denied.reason) == (403, "no_rule")
            assert json.loads(denied.body)["reason"] == "no_rule"
            [record] = built.agent.records.named("access_decided")
            assert (record["caller"], record["callee"]) == (GATEWAY, PAYMENT)
            assert record["explained_as"] == json.loads(denied.body)["refusal"]
            assert (await built.call("orders", verb="GET")).reason == "no_rule"
            await paths(built)

    play(act)


async def paths(built: Mesh) -> None:
    """Encodings and dot segments lead nowhere that a rule does not allow."""
    for path, status in (
        ("/transaction/%31?x=/../..", 200),
        ("/admin", 403),
        ("/transaction/../admin", 403),
        ("/transaction/%2e%2e/admin", 403),
        ("/transaction/..%2fadmin", 403),
        ("/transaction/..%5cadmin", 403),
        ("/transaction/%252e%252e/admin", 403),
        ("//transaction/1", 403),
        ("/transaction;x=/1", 403),
        ("/transaction/%", 403),
        ("/Transaction/1", 403),
    ):
        assert (await built.call("orders", path)).status == status, path


def test_by_http_the_certificate_comes_in_a_header() -> None:
    """The HTTP form decides the same, since the operator names payment's Envoy."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            lies = {"x_spiffe_caller": GATEWAY, "x_forwarded_client_cert": f"URI={GATEWAY}"}
            for headers in ({}, lies):
                answered = await built.call("orders-http", **headers)
                assert (answered.status, answered.caller) == (200, ORDERS)
            denied = await built.call("orders-http", "/admin")
            assert (denied.status, denied.reason) == (403, "no_rule")

    play(act)


def test_a_header_that_only_looks_like_ours_does_not_arrive() -> None:
    """Behind WSGI an underscore in a header's name is a dash, so that it would be believed."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            for who in ("orders", "orders-http"):
                port = built.ports[who]
                lie = {"x_spiffe_caller": GATEWAY}
                answered = await asyncio.to_thread(request, port, "POST", "/transaction/1", lie)
                assert (answered.status, answered.caller) == (200, ORDERS)
            await learn(played, built.agent, policies(2, {PAYMENT: Mode.OPEN}))
            port = built.ports["plain"]
            answered = await asyncio.to_thread(request, port, "POST", "/transaction/1", lie)
            assert (answered.status, answered.caller) == (200, "")

    play(act)


def test_without_mutual_tls_a_token_proves_who_calls() -> None:
    """A JWT-SVID for payment; a broken one, another bearer token or none is denied."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            wanted = workload_pb2.JWTSVIDRequest(audience=[PAYMENT], spiffe_id=ORDERS)
            token = (await built.agent.call("FetchJWTSVID", wanted)).svids[0].svid
            answered = await built.call("plain", authorization=f"Bearer {token}")
            assert (answered.status, answered.caller) == (200, ORDERS)
            broken = await built.call("plain", authorization=f"Bearer {token[:-6]}AAAAAA")
            assert broken.reason == "token_refused"
            for other in ({}, {"authorization": "Bearer opaque"}):
                assert (await built.call("plain", **other)).reason == "no_identity"
            forwarded = await built.call("plain", x_forwarded_client_cert=f"URI={ORDERS}")
            assert forwarded.reason == "no_identity"
            # What is somebody else's token still reaches the callee, where the mode lets it pass.
            await learn(played, built.agent, policies(2, {PAYMENT: Mode.OPEN}))
            lies = {"x_spiffe_caller": ORDERS, "authorization": "Bearer opaque"}
            anonymous = await built.call("plain", **lies)
            assert (anonymous.status, anonymous.caller) == (200, "")

    play(act)


def test_a_blocked_serial_number_is_refused_within_a_moment() -> None:
    """Envoy sends the peer's certificate, so that a key that leaked is of no use any more."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            assert (await built.call("orders")).status == 200
            svids = built.agent.parts.tasks.holdings.value.svids.values()
            [serial] = [each.serial for each in svids if str(each.spiffe_id) == ORDERS]
            played.server.tell("blocks", 5, blocks(5, serials=str(serial)))
            holdings = built.agent.parts.tasks.holdings
            await until(lambda: holdings.value.blocks.version == 5)
            refused = await built.call("orders")
            assert (refused.status, refused.reason) == (403, "caller_blocked")

    play(act)


def test_what_is_not_decided_does_not_pass() -> None:
    """A megabyte of headers, and an agent that has gone: Envoy denies by itself."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            huge = await built.call("orders", x_big=1024 * 1024 * "a")
            assert huge.status == 403
            assert (await built.call("orders", x_large=50_000 * "a")).status == 200
            await built.agent.parts.listeners.close(0.1)
            assert (await built.call("orders")).status == 403

    play(act)


def test_shadow_lets_through_and_says_what_would_be() -> None:
    """Would-be denials are recorded by caller, callee, method and path."""

    async def act(played: Scene) -> None:
        async with mesh(played) as built:
            await learn(played, built.agent, policies(2, {PAYMENT: Mode.SHADOW}, CHARGE))
            answered = await built.call("gateway", "/transaction/7")
            assert (answered.status, answered.caller) == (200, GATEWAY)
            [row] = built.agent.parts.access.traffic.rows()
            assert (row.caller, row.callee, row.means) == (GATEWAY, PAYMENT, "mtls")
            assert (row.outcome, row.method, row.shape, row.reason) == (
                "shadowed",
                "POST",
                "/transaction/*",
                "no_rule",
            )
            assert (row.example, row.count) == ("/transaction/7", 1)

    play(act)
