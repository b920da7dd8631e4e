"""Policies and modes of callees over the REST API."""

from pathlib import Path
from typing import Any

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
        problem(await desk.ask("POST", "/v1/policies:explain", CALL | {"callee": "x"}), 400)

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
