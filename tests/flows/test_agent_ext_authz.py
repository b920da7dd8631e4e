"""Envoy's questions about access, asked on the workloads' socket of a whole agent."""

import asyncio
import json
from typing import Any

import pytest

from finial.policy.decision import Mode
from tests.doubles.access import (
    CHARGE,
    ORDERS,
    OWN,
    PAYMENT,
    ask,
    blocks,
    encoded,
    outcome,
    policies,
    question,
    reason_of,
)
from tests.doubles.running_agent import (
    PATIENCE,
    RunningAgent,
    Scene,
    until,
)
from tests.flows.agent_scenes import ME, play
from tests.flows.deciding_scenes import deciding, learn

# Behind CGI and WSGI these are the same header.
LOOK_ALIKES = ["x-spiffe_caller", "x_spiffe-caller", "x_spiffe_caller"]


def test_what_a_rule_allows_passes_with_the_callers_identity() -> None:
    """An allow sets the caller's header over whatever the caller sent in it."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            answer = await ask(agent, question(x_spiffe_caller="spiffe://example.org/admin"))
        assert reason_of(answer) == "ok"
        [added] = answer.ok_response.headers
        assert (added.header.key, added.header.value) == ("x-spiffe-caller", ORDERS)
        assert added.append_action == added.OVERWRITE_IF_EXISTS_OR_ADD
        assert list(answer.ok_response.headers_to_remove) == LOOK_ALIKES

    play(act)


def test_what_no_rule_allows_is_denied_with_a_reason_and_an_id_alone() -> None:
    """403 says the reason's id and the denial's, and nothing of a rule."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            answer = await ask(agent, question(f"{OWN}/gateway"))
            [record] = agent.records.named("access_decided")
        denied = answer.denied_response
        said = json.loads(denied.body)
        assert said == {"reason": "no_rule", "refusal": record["explained_as"]}
        assert {each.header.key: each.header.value for each in denied.headers} == {
            "content-type": "application/json",
            "x-finial-reason": "no_rule",
        }
        assert "charge" not in str(answer)
        assert (record["caller"], record["callee"]) == (f"{OWN}/gateway", PAYMENT)
        assert (record["method"], record["path"]) == ("POST", "/transaction/1")
        assert (record["decision"], record["outcome"]) == ("denied", "refused")

    play(act)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"verb": "GET"}, "no_rule"),
        ({"path": "/other"}, "no_rule"),
        ({"path": "/transaction/1?a=/other"}, "ok"),
        ({"path": "/transaction/%31"}, "ok"),
        ({"path": "/x/../transaction/1"}, "no_rule"),
        ({"path": "/transaction/..%2fadmin"}, "path_ambiguous"),
        ({"path": "/transaction/%zz"}, "path_encoding"),
        ({"path": "transaction"}, "path_not_absolute"),
        ({"path": ""}, "path_not_absolute"),
        ({"path": "/transaction/" + 9000 * "a"}, "path_too_long"),
        ({"path": "/transaction/\x00"}, "path_characters"),
        ({"verb": ""}, "method_malformed"),
        ({"verb": "PO ST"}, "method_malformed"),
        ({"principal": ""}, "no_identity"),
        ({"principal": "CN=orders"}, "principal_malformed"),
        ({"principal": f"{ORDERS},{PAYMENT}"}, "principal_malformed"),
        ({"principal": "spiffe://other.org/orders"}, "foreign_trust_domain"),
        ({"callee": PAYMENT}, "ok"),
        ({"callee": ORDERS}, "callee_not_yours"),
        ({"principal": "", "authorization": "Bearer opaque"}, "no_identity"),
        ({"principal": "", "authorization": "Bearer a.b.c"}, "no_identity"),
        ({"principal": "", "x_forwarded_client_cert": f"URI={ORDERS}"}, "no_identity"),
    ],
)
def test_each_request_is_decided_by_who_calls_and_what(asked: Any, reason: str) -> None:
    """What cannot be read, or proves nobody, is denied with its own reason."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            assert await outcome(agent, **asked) == reason

    play(act)


def test_a_mode_says_how_much_the_rules_decide() -> None:
    """Open asks none, shadow lets through and records, an unknown callee is denied."""

    async def act(played: Scene) -> None:
        async with deciding(played, policies(1, {PAYMENT: Mode.OPEN})) as agent:
            assert await outcome(agent, f"{OWN}/gateway") == "ok"
            assert await outcome(agent, "") == "ok"
            await learn(played, agent, policies(2, {PAYMENT: Mode.SHADOW}, CHARGE))
            assert await outcome(agent, f"{OWN}/gateway") == "ok"
            assert await outcome(agent, "CN=x") == "ok"
            await learn(played, agent, policies(3, {}))
            assert await outcome(agent) == "unknown_callee"
            seen = [
                (row.caller, row.outcome, row.shape, row.reason)
                for row in agent.parts.access.traffic.rows()
            ]
        assert seen == [
            (f"{OWN}/gateway", "allowed", "/transaction/*", "open"),
            ("", "allowed", "/transaction/*", "open"),
            (f"{OWN}/gateway", "shadowed", "/transaction/*", "no_rule"),
            ("", "shadowed", "/transaction/*", "principal_malformed"),
            (ORDERS, "denied", "/transaction/*", "unknown_callee"),
        ]

    play(act)


def test_whoever_is_not_known_arrives_without_a_header() -> None:
    """In open mode, what a caller sent in the identity header is taken away."""

    async def act(played: Scene) -> None:
        async with deciding(played, policies(1, {PAYMENT: Mode.OPEN})) as agent:
            answer = await ask(agent, question("", x_spiffe_caller=ORDERS))
        assert list(answer.ok_response.headers_to_remove) == [*LOOK_ALIKES, "x-spiffe-caller"]
        assert not answer.ok_response.headers

    play(act)


def test_a_jwt_svid_for_the_callee_proves_who_calls() -> None:
    """Audience, signature and time are judged; a broken token is denied, and no fault of ours."""

    async def act(played: Scene) -> None:
        played.server.entry("o", "/orders", ME)
        async with deciding(played) as agent:
            from finial.wire.pb import workload_pb2

            async def token(audience: str) -> str:
                wanted = workload_pb2.JWTSVIDRequest(audience=[audience], spiffe_id=ORDERS)
                return str((await agent.call("FetchJWTSVID", wanted)).svids[0].svid)

            good, other = await token(PAYMENT), await token("another")
            bearer = {"principal": "", "callee": PAYMENT}
            for _ in range(2):
                assert await outcome(agent, **bearer, authorization=f"Bearer {good}") == "ok"
            assert await outcome(agent, **bearer, authorization=f"bearer  {good} ") == "ok"
            for bad in (other, good[:-4] + "AAAA", good + "," + good):
                reason = await outcome(agent, **bearer, authorization=f"Bearer {bad}")
                assert reason == ("no_identity" if "," in bad else "token_refused")
            # A token never overrides what mutual TLS has proven.
            both = await outcome(
                agent, f"{OWN}/gateway", callee=PAYMENT, authorization=f"Bearer {good}"
            )
            assert both == "no_rule"
            played.server.tell("blocks", 5, blocks(5, spiffe_ids=ORDERS))
            await until(lambda: bool(agent.parts.tasks.holdings.value.blocks))
            reason = await outcome(agent, **bearer, authorization=f"Bearer {good}")
            assert reason == "caller_blocked"

    play(act)


def test_blocked_means_denied_in_every_mode() -> None:
    """A caller's ID or serial number, and the callee, whatever the rules say."""

    async def act(played: Scene) -> None:
        signed = played.server.ca.workload("/orders")
        certificate = encoded(signed.certificate)
        async with deciding(played, policies(1, {PAYMENT: Mode.OPEN})) as agent:

            async def after(version: int, **subjects: str) -> str:
                played.server.tell("blocks", version, blocks(version, **subjects))
                holdings = agent.parts.tasks.holdings
                await until(lambda: holdings.value.blocks.version == version)
                return await outcome(agent, certificate=certificate)

            assert await after(5, spiffe_ids=f"{OWN}/other") == "ok"
            assert await after(6, spiffe_ids=ORDERS) == "caller_blocked"
            serial = str(signed.certificate.serial_number)
            assert await after(7, serials=serial) == "caller_blocked"
            assert await after(8, spiffe_ids=PAYMENT) == "callee_blocked"
            assert await after(9, entries="p") == "callee_blocked"
            assert await after(10) == "ok"

    play(act)


def test_a_certificate_has_to_say_what_the_proxy_says() -> None:
    """Two principals in one certificate, another one, or none: not believed."""

    async def act(played: Scene) -> None:
        ca = played.server.ca
        two = ca.leaf([ORDERS, f"{OWN}/gateway"]).certificate
        async with deciding(played) as agent:
            orders = encoded(ca.workload("/orders").certificate)
            assert await outcome(agent, certificate=orders) == "ok"
            for doubtful in (encoded(two), encoded(ca.workload("/x").certificate), "%zz", "junk"):
                assert await outcome(agent, certificate=doubtful) == "principal_doubted"

    play(act)


def test_a_named_proxy_speaks_for_its_client() -> None:
    """Only of proxies that the operator names is the forwarded header believed."""

    async def act(played: Scene) -> None:
        front = f"{OWN}/front"
        header = {"x_forwarded_client_cert": f"Hash=ab;URI={ORDERS}"}
        appended = {"x_forwarded_client_cert": f"URI={ORDERS},By=x;URI={front}"}
        settings = {"ext_authz": {"trusted_proxies": [front]}}
        async with deciding(played, **settings) as agent:
            assert await outcome(agent, front) == "no_rule"
            assert await outcome(agent, front, **header) == "ok"
            assert await outcome(agent, front, **appended) == "ok"
            assert await outcome(agent, f"{OWN}/gateway", **header) == "no_rule"
            broken = {"x_forwarded_client_cert": "URI"}
            assert await outcome(agent, front, **broken) == "forwarded_malformed"
            two = {"x_forwarded_client_cert": f"URI={ORDERS};URI={OWN}/gateway"}
            assert await outcome(agent, front, **two) == "principal_malformed"

    play(act)


def test_an_envoy_of_several_identities_names_its_callee() -> None:
    """Among its own; without a name nobody knows whose rules are meant."""

    async def act(played: Scene) -> None:
        played.server.entry("q", "/ledger", ME)
        document = policies(1, {PAYMENT: Mode.ENFORCE, f"{OWN}/ledger": Mode.OPEN}, CHARGE)
        async with deciding(played, document) as agent:
            assert await outcome(agent) == "callee_unnamed"
            assert await outcome(agent, callee=PAYMENT) == "ok"
            assert await outcome(agent, "", callee=f"{OWN}/ledger") == "ok"
            assert await outcome(agent, callee=f"{OWN}/front") == "callee_not_yours"

    play(act)


def test_a_process_without_an_identity_gets_no_decision_but_a_denial() -> None:
    """Also an Envoy whose configuration lets through what fails may not pass anything."""

    async def act(played: Scene) -> None:
        played.server.entry("p", "/payment", "unix:uid:4000000")
        async with deciding(played) as agent:
            assert await outcome(agent) == "no_callee"
            played.server.entry("p", "/payment", ME)
            played.server.tell_entries()
            await until_ok(agent)

    play(act)


async def until_ok(agent: RunningAgent) -> None:
    async with asyncio.timeout(PATIENCE):
        while await outcome(agent) != "ok":  # noqa: ASYNC110 - nobody tells when it holds
            await asyncio.sleep(0.01)  # noqa: TID251 - real sockets need real moments


def test_the_operator_may_want_no_header() -> None:
    """Then nothing is added, and nothing taken away."""

    async def act(played: Scene) -> None:
        async with deciding(played, ext_authz={"caller_header": ""}) as agent:
            answer = await ask(agent, question())
        assert reason_of(answer) == "ok"
        assert not answer.ok_response.headers
        assert not answer.ok_response.headers_to_remove

    play(act)


def test_a_proxy_is_attested_again_after_a_while() -> None:
    """Its connection may live for weeks, and what attestors said of it does not."""

    async def act(played: Scene) -> None:
        async with deciding(played) as agent:
            known = agent.parts.access.deciding.proxies._known
            assert await outcome(agent) == "ok"
            [before] = known.values()
            await played.pass_time(2)
            assert await outcome(agent) == "ok"
            assert list(known.values()) == [before]
            await played.pass_time(300)
            assert await outcome(agent) == "ok"
            [after] = known.values()
            assert after is not before

    play(act)
