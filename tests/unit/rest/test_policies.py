"""Policies and modes of callees over the REST API."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from tests.unit.rest.desk import AWAY, WEB, Desk, at_desk, problem

RULE: dict[str, Any] = {
    "name": "orders may charge",
    "from": "spiffe://example.org/orders",
    "to": "spiffe://example.org/payment",
    "methods": ["POST"],
    "paths": ["/transaction/*"],
}
CEDAR = 'permit (principal == Workload::"spiffe://example.org/orders", action == Action::"call", resource == Workload::"spiffe://example.org/payment");'
CALL = {
    "caller": "spiffe://example.org/orders",
    "callee": "spiffe://example.org/payment",
    "method": "POST",
    "path": "/transaction/7",
}


async def made(desk: Desk, **members: Any) -> dict[str, Any]:
    answer = await desk.ask("POST", "/v1/policies", members or {"rule": RULE})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_policies_are_listed_page_by_page(tmp_path: Path) -> None:
    """However many there are, an answer has a bounded number of them."""

    async def act(desk: Desk) -> None:
        await made(desk)
        await made(desk, rule=RULE | {"name": "another"})
        names: list[str] = []
        token = ""
        while len(names) < 2:
            query = f"/v1/policies?page_size=1&page_token={quote(token)}"
            page = (await desk.ask("GET", query)).json()
            names += [each["name"] for each in page["items"]]
            token = page["next_page_token"]
        assert (names, token) == (["another", RULE["name"]], "")

    at_desk(tmp_path, act)


def test_a_policy_lives_by_versions(tmp_path: Path) -> None:
    """Made, listed, changed at a revision, deleted; all that it was is remembered and audited."""

    async def act(desk: Desk) -> None:
        policy = await made(desk)
        assert (policy["form"], policy["rule"], policy["changed_by"]) == (
            "rule",
            RULE,
            "local uid 0",
        )
        assert policy["callees_without_mode"] == [RULE["to"]]
        path = f"/v1/policies/{policy['id']}"
        shown = await desk.ask("GET", path)
        assert shown.headers["etag"] == '"0"'
        [listed] = (await desk.ask("GET", "/v1/policies")).json()["items"]
        assert listed["id"] == policy["id"]
        other = {"rule": RULE | {"methods": ["PUT"]}}
        stale = await desk.ask("PUT", path, other, headers={"If-Match": '"3"'})
        problem(stale, 412)
        changed = await desk.ask("PUT", path, other, headers={"If-Match": '"0"'})
        assert (changed.json()["revision"], changed.headers["etag"]) == (1, '"1"')
        same = await desk.ask("PUT", path, other)
        assert same.json()["revision"] == 1
        assert (await desk.ask("DELETE", path)).status_code == 204
        problem(await desk.ask("GET", path), 404)
        versions = (await desk.ask("GET", f"{path}/versions")).json()["items"]
        assert [(each["revision"], each["deleted"]) for each in versions] == [
            (2, True),
            (1, False),
            (0, False),
        ]
        problem(await desk.ask("GET", "/v1/policies/none/versions"), 404)
        problem(await desk.ask("DELETE", path), 404)
        kinds = [each for each in desk.house.audit.kinds() if "policy" in str(each)]
        assert kinds == ["policy_created", "policy_updated", "policy_deleted"]

    at_desk(tmp_path, act)


def test_both_forms_are_one(tmp_path: Path) -> None:
    """Cedar has its name beside it; giving both, or neither, is refused."""

    async def act(desk: Desk) -> None:
        policy = await made(desk, name="in cedar", cedar=CEDAR)
        assert (policy["form"], policy["cedar"], policy["rule"]) == ("cedar", CEDAR, None)
        for wrong in ({"rule": RULE, "cedar": CEDAR}, {"name": "x"}):
            problem(await desk.ask("POST", "/v1/policies", wrong), 400)
        answer = await desk.ask("POST", "/v1/policies", {"rule": RULE, "name": "other"})
        assert problem(answer, 400)["field"] == "name"
        problem(await desk.ask("POST", "/v1/policies", {"name": "in cedar", "cedar": CEDAR}), 409)

    at_desk(tmp_path, act)


def test_policy_that_cannot_hold_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Unknown attributes, impossible methods, foreign IDs, text that does not parse."""

    async def act(desk: Desk) -> None:
        await desk.ask("POST", "/v1/entries", {**WEB, "attributes": {"role": "admin"}})
        await made(desk, rule=RULE | {"name": "admins", "when": {"caller": {"role": "admin"}}})
        for change, field in (
            ({"methods": ["POTS"]}, "methods"),
            ({"when": {"caller": {"rule": "admin"}}}, "when.caller"),
            ({"from": "spiffe://other.org/x"}, "from"),
            ({"to": "spiffe://example.org/spire/server"}, "to"),
            ({"paths": []}, "paths"),
            ({"surprise": 1}, "rule"),
        ):
            answer = await desk.ask("POST", "/v1/policies", {"rule": RULE | change})
            assert problem(answer, 400)["field"] == field, answer.text
        wrong = {"rule": RULE | {"methods": ["POTS", "GOT"]}}
        said = problem(await desk.ask("POST", "/v1/policies", wrong), 400)
        assert (said["value"], "GOT" in said["detail"]) == ("POTS", True)
        answer = await desk.ask("POST", "/v1/policies", {"name": "x", "cedar": "permit everything"})
        problem(answer, 400)

    at_desk(tmp_path, act)


def test_policies_are_applied_together_or_not_at_all(tmp_path: Path) -> None:
    """A set whose denials are refused must not leave its permissions behind."""

    async def act(desk: Desk) -> None:
        deny = RULE | {"name": "no refunds", "paths": ["/refund"], "effect": "deny"}
        both = {"put": [{"rule": RULE}, {"rule": deny | {"methods": ["POTS"]}}]}
        found = problem(await desk.ask("POST", "/v1/policies:apply", both), 400)
        assert found["detail"].startswith("no refunds: it can never match")
        assert len(desk.house.world.known.policies) == 0
        twice = {"put": [{"rule": RULE}, {"rule": RULE}]}
        assert problem(await desk.ask("POST", "/v1/policies:apply", twice), 400)["field"] == "name"
        off = {"put": [{"rule": RULE, "enabled": False}]}
        assert problem(await desk.ask("POST", "/v1/policies:apply", off), 400)["field"] == "enabled"
        both = {"put": [{"rule": RULE}, {"rule": deny}]}
        assert await outcomes(desk, both) == ["created", "created"]
        other = {
            "put": [{"rule": dict(reversed(RULE.items()))}, {"rule": deny | {"methods": ["PUT"]}}]
        }
        assert await outcomes(desk, other) == ["unchanged", "changed"]
        assert [each.revision for each in desk.house.world.known.policies] == [1, 0]
        kinds = [each for each in desk.house.audit.kinds() if "policy" in str(each)]
        assert kinds == ["policy_created", "policy_created", "policy_updated"]
        reader = await desk.token("policies:read")
        answer = await desk.ask("POST", "/v1/policies:apply", both, peer=AWAY, headers=reader)
        assert answer.status_code == 403

    at_desk(tmp_path, act)


def test_what_is_registered_may_be_applied_again(tmp_path: Path) -> None:
    """Though no entry has the attribute any more: nothing changes, and the others are changed."""

    async def act(desk: Desk) -> None:
        entry = await desk.ask("POST", "/v1/entries", {**WEB, "attributes": {"role": "admin"}})
        admins = {"rule": RULE | {"name": "admins", "when": {"caller": {"role": "admin"}}}}
        assert await outcomes(desk, {"put": [admins]}) == ["created"]
        path = f"/v1/entries/{entry.json()['id']}"
        assert (await desk.ask("DELETE", path)).status_code == 204
        assert await outcomes(desk, {"put": [admins, {"rule": RULE}]}) == ["unchanged", "created"]
        tried = (await desk.ask("POST", "/v1/policies:try", {"put": [admins]})).json()
        assert tried["faults"] == []
        changed = {"put": [{"rule": admins["rule"] | {"methods": ["GET"]}}]}
        problem(await desk.ask("POST", "/v1/policies:apply", changed), 400)

    at_desk(tmp_path, act)


async def outcomes(desk: Desk, wish: dict[str, Any]) -> list[str]:
    answer = await desk.ask("POST", "/v1/policies:apply", wish)
    assert answer.status_code == 200, answer.text
    return [each["outcome"] for each in answer.json()["items"]]


def test_a_change_is_tried_on_requests(tmp_path: Path) -> None:
    """Which of them it decides otherwise, and nothing is changed; what would be refused is told."""

    async def act(desk: Desk) -> None:
        await made(desk)
        other = {"rule": RULE | {"methods": ["PUT"]}}
        wish = {"put": [other], "requests": [CALL, CALL | {"method": "GET"}]}
        tried = (await desk.ask("POST", "/v1/policies:try", wish)).json()
        [change] = tried["changes"]
        assert (change["method"], change["allowed"], tried["asked"]) == ("POST", False, 2)
        gone = {"remove": [RULE["name"]], "requests": [CALL]}
        assert len((await desk.ask("POST", "/v1/policies:try", gone)).json()["changes"]) == 1
        bad = {"put": [{"rule": RULE | {"methods": ["POTS"]}}], "requests": [CALL]}
        [fault] = (await desk.ask("POST", "/v1/policies:try", bad)).json()["faults"]
        assert fault["value"] == "POTS"
        missing = {"remove": ["orders may chrage"], "requests": [CALL]}
        [fault] = (await desk.ask("POST", "/v1/policies:try", missing)).json()["faults"]
        assert fault["policy"] == "orders may chrage"
        [policy] = (await desk.ask("GET", "/v1/policies")).json()["items"]
        assert policy["revision"] == 0

    at_desk(tmp_path, act)


def test_a_request_is_explained(tmp_path: Path) -> None:
    """By its mode and the policies about its callee, with what keeps each from matching."""

    async def act(desk: Desk) -> None:
        await made(desk)
        found = (await desk.ask("POST", "/v1/policies:explain", CALL)).json()
        assert (found["allowed"], found["mode"]) == (True, "open")
        await desk.ask("PUT", "/v1/callees/payment", {"mode": "enforce"})
        found = (await desk.ask("POST", "/v1/policies:explain", CALL)).json()
        assert (found["allowed"], found["by"]) == (True, [RULE["name"]])
        found = (await desk.ask("POST", "/v1/policies:explain", CALL | {"path": "/refund"})).json()
        assert not found["allowed"]
        assert "/refund" in found["policies"][0]["gaps"][0]
        block = {"subject": CALL["caller"], "reason": "key leaked"}
        assert (
            await desk.ask("POST", "/v1/entries", WEB | {"spiffe_id": CALL["caller"]})
        ).is_success
        assert (await desk.ask("POST", "/v1/blocks", block)).is_success
        found = (await desk.ask("POST", "/v1/policies:explain", CALL)).json()
        assert (found["allowed"], found["rules_allow"]) == (False, True)
        assert found["blocked"]["reason"] == "key leaked"
        nobody = {name: value for name, value in CALL.items() if name != "caller"}
        found = (await desk.ask("POST", "/v1/policies:explain", nobody)).json()
        assert not found["allowed"]
        for side in ("caller", "callee"):
            answer = await desk.ask("POST", "/v1/policies:explain", CALL | {side: "x"})
            assert problem(answer, 400)["field"] == side
        long = CALL | {"path": "/" + 9000 * "a"}
        found = (await desk.ask("POST", "/v1/policies:explain", long)).json()
        assert found["ground"] == "path_too_long"

    at_desk(tmp_path, act)


def test_an_explanation_is_what_an_agent_would_decide(tmp_path: Path) -> None:
    """A caller with whom the callee does not federate, and a callee whose entries are blocked."""

    async def act(desk: Desk) -> None:
        world = desk.house.world
        world.known.federated.set({TrustDomain("partner.org"): Bundle(TrustDomain("partner.org"))})
        rule = RULE | {"from": "spiffe://partner.org/orders"}
        await made(desk, rule=rule)
        made_entry = await desk.ask("POST", "/v1/entries", WEB | {"spiffe_id": RULE["to"]})
        call = CALL | {"caller": rule["from"]}
        for mode, allowed in (("open", True), ("shadow", True), ("enforce", False)):
            await desk.ask("PUT", "/v1/callees/payment", {"mode": mode})
            found = (await desk.ask("POST", "/v1/policies:explain", call)).json()
            assert (found["allowed"], found["strange"]) == (allowed, True)
        own = (await desk.ask("POST", "/v1/policies:explain", CALL)).json()
        assert not own["strange"]
        block = {"kind": "entry", "subject": made_entry.json()["id"], "reason": "key leaked"}
        assert (await desk.ask("POST", "/v1/blocks", block)).is_success
        found = (await desk.ask("POST", "/v1/policies:explain", CALL)).json()
        assert found["blocked"]["reason"] == "key leaked"

    at_desk(tmp_path, act)


def test_modes_are_set_by_callee(tmp_path: Path) -> None:
    """By ID, by path, by prefix; unset again; without any a callee is open."""

    async def act(desk: Desk) -> None:
        free = (await desk.ask("GET", "/v1/callees/payment")).json()
        assert (free["callee"], free["mode"], free["set_for"]) == (RULE["to"], "open", None)
        every = "spiffe://example.org/*"
        answer = await desk.ask("PUT", f"/v1/callees/{every}", {"mode": "shadow"})
        assert answer.json()["callee"] == every
        below = (await desk.ask("GET", "/v1/callees/payment")).json()
        assert (below["mode"], below["set_for"]) == ("shadow", every)
        wish = {"mode": "enforce", "audit": "all"}
        own = (await desk.ask("PUT", "/v1/callees/payment", wish)).json()
        assert (own["mode"], own["audit"], own["set_for"]) == ("enforce", "all", RULE["to"])
        stale = await desk.ask("PUT", "/v1/callees/payment", wish, headers={"If-Match": '"7"'})
        problem(stale, 412)
        items = (await desk.ask("GET", "/v1/callees")).json()["items"]
        assert [each["callee"] for each in items] == [every, RULE["to"]]
        assert (await made(desk))["callees_without_mode"] == []
        assert (await desk.ask("DELETE", "/v1/callees/payment")).status_code == 204
        problem(await desk.ask("DELETE", "/v1/callees/payment"), 404)
        for callee, wrong in (
            ("payment", {"mode": "closed"}),
            ("spiffe://other.org/x", wish),
            ("spire/server", wish),
        ):
            problem(await desk.ask("PUT", f"/v1/callees/{callee}", wrong), 400)

    at_desk(tmp_path, act)


def test_a_mode_says_nothing_of_those_below(tmp_path: Path) -> None:
    """What names all below a prefix has no effect where only the prefix's own ID has a mode."""

    async def act(desk: Desk) -> None:
        await desk.ask("PUT", "/v1/callees/team-a", {"mode": "enforce"})
        below = (await desk.ask("GET", "/v1/callees/team-a/*")).json()
        assert (below["mode"], below["set_for"]) == ("open", None)
        every = "spiffe://example.org/team-a/*"
        policy = await made(desk, rule=RULE | {"to": every})
        assert policy["callees_without_mode"] == [every]
        await made(desk, rule=RULE | {"name": "web", "to": "spiffe://example.org/team-a/web"})
        assert (await desk.ask("GET", "/v1/callees/team-a/*")).json()["policies"] == 2

    at_desk(tmp_path, act)


def test_policies_are_scopes_of_their_own(tmp_path: Path) -> None:
    """Who reads them may try and explain, and change nothing."""

    async def act(desk: Desk) -> None:
        reader = await desk.token("policies:read")
        for verb, path, body, status in (
            ("GET", "/v1/policies", None, 200),
            ("POST", "/v1/policies:explain", CALL, 200),
            ("POST", "/v1/policies:try", {}, 200),
            ("POST", "/v1/policies", {"rule": RULE}, 403),
            ("PUT", "/v1/callees/payment", {"mode": "open"}, 403),
        ):
            answer = await desk.ask(verb, path, body, peer=AWAY, headers=reader)
            assert answer.status_code == status, answer.text

    at_desk(tmp_path, act)
