"""Registrations are checked: what nothing gives is refused, forced through, or warned about."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.identity import SpiffeId
from finial.wire.pb import entry_pb2, follow_pb2, types_pb2
from tests.doubles.clock import settle
from tests.doubles.house import Agent, entry_for, register
from tests.unit.rest.desk import WEB, Desk, at_desk, problem

SERVER = "spiffe://example.org/spire/server"
TYPO = {**WEB, "selectors": ["unix:uidd:1000"]}


def audited(desk: Desk, kind: str) -> list[Any]:
    return [each for each in desk.house.audit.records if each["kind"] == kind]


async def say(agent: Agent, **attestors: list[str]) -> Any:
    """Open the agent's stream and report what it runs."""
    stream = await agent.client.stream("Follow.Follow").__aenter__()
    hello = follow_pb2.Hello(protocol=1, capabilities=["explain"], versions={"entries": 1})
    await stream.send(follow_pb2.Up(hello=hello))
    payload = json.dumps({"attestors": attestors}).encode()
    report = follow_pb2.Report(kind="attestors", payload=payload)
    await stream.send(follow_pb2.Up(report=report))
    assert await stream.receive() is not None
    await settle(100)
    return stream


def test_a_misspelt_selector_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """The problem document names the selector and the one that may have been meant."""

    async def act(desk: Desk) -> None:
        found = problem(await desk.ask("POST", "/v1/entries", TYPO), 400)
        assert (found["field"], found["value"]) == ("selectors", "unix:uidd:1000")
        assert "did you mean unix:uid:1000?" in found["remedy"]
        counted = await desk.ask("GET", "/v1/entries:count")
        assert counted.json() == {"count": 0}
        assert audited(desk, "entry_doubted") == []

    at_desk(tmp_path, act)


def test_force_insists_and_is_audited(tmp_path: Path) -> None:
    """With ?force=true the entry is stored, and the audit log says what was wrong with it."""

    async def act(desk: Desk) -> None:
        made = await desk.ask("POST", "/v1/entries", TYPO, params={"force": "true"})
        assert made.status_code == 201
        [doubted] = audited(desk, "entry_doubted")
        assert doubted["entry_id"] == made.json()["id"]
        assert doubted["insisted"] is True
        assert "unix:uidd" in str(doubted["doubts"])
        problem(await desk.ask("POST", "/v1/entries", WEB, params={"forced": "true"}), 400)

    at_desk(tmp_path, act)


def test_changes_are_checked_too(tmp_path: Path) -> None:
    """A patch that brings a new wrong selector is refused; what stands there already stays."""

    async def act(desk: Desk) -> None:
        answer = await desk.ask("POST", "/v1/entries", TYPO, params={"force": "true"})
        path = answer.headers["location"]
        hinted = await desk.ask("PATCH", path, {"hint": "x"})
        assert hinted.status_code == 200
        assert "no agent" in hinted.json()["warnings"][0]
        wrong = {"selectors": ["unix:uidd:1000", "k8s_pod:x"]}
        found = problem(await desk.ask("PATCH", path, wrong), 400)
        assert found["value"] == "k8s_pod:x"
        forced = await desk.ask("PATCH", path, wrong, params={"force": "true"})
        assert forced.status_code == 200
        assert len(audited(desk, "entry_doubted")) == 2

    at_desk(tmp_path, act)


def test_each_thing_of_a_batch_is_checked(tmp_path: Path) -> None:
    """One wrong selector fails one thing; force insists on all."""

    async def act(desk: Desk) -> None:
        batch = {"create": [WEB, TYPO]}
        results = (await desk.ask("POST", "/v1/entries:batch", batch)).json()["results"]
        assert [each["status"] for each in results] == [201, 400]
        assert "no agent" in results[0]["warnings"][0]
        update = {"update": [{"id": results[0]["entry"]["id"], "patch": {"selectors": ["x:y"]}}]}
        results = (await desk.ask("POST", "/v1/entries:batch", update)).json()["results"]
        assert results[0]["problem"]["value"] == "x:y"
        both = {**batch, **update, "create": [TYPO]}
        answer = await desk.ask("POST", "/v1/entries:batch", both, params={"force": "true"})
        assert [each["status"] for each in answer.json()["results"]] == [201, 200]

    at_desk(tmp_path, act)


def test_the_settings_add_types(tmp_path: Path) -> None:
    """extra_selector_types names the types of foreign attestors, for workloads and nodes."""

    async def act(desk: Desk) -> None:
        for change in ({}, {"parent_id": SERVER}):
            foreign = {**WEB, **change, "selectors": ["gcp_iit:zone:a"]}
            assert (await desk.ask("POST", "/v1/entries", foreign)).status_code == 201

    at_desk(tmp_path, act, extra_selector_types=["gcp_iit"])


def test_an_alias_needs_node_selectors(tmp_path: Path) -> None:
    """An entry whose parent is the server is checked against node attestors, and their nodes."""

    async def act(desk: Desk) -> None:
        found = problem(await desk.ask("POST", "/v1/entries", {**WEB, "parent_id": SERVER}), 400)
        assert "describe workloads" in found["detail"]
        assert "agent's SPIFFE ID as the parent" in found["remedy"]
        alias = {**WEB, "parent_id": SERVER, "selectors": ["spiffe_id:spiffe://example.org/x"]}
        made = (await desk.ask("POST", "/v1/entries", alias)).json()
        assert "no known agent has these node selectors" in made["warnings"][0]

    at_desk(tmp_path, act)


def test_what_no_agent_runs_is_refused_once_all_have_said_so(tmp_path: Path) -> None:
    """Agents report their attestors; what none runs is a warning first and then refused."""

    async def act(desk: Desk) -> None:
        first, second = await desk.house.join(), await desk.house.join()
        await say(first, custom=["key"])
        unix = {**WEB, "parent_id": str(first.id)}
        made = (await desk.ask("POST", "/v1/entries", unix)).json()
        assert made["warnings"] == [f"the agent {first.id} does not run the attestor unix"]
        custom = {**unix, "selectors": ["custom:key:x"]}
        assert (await desk.ask("POST", "/v1/entries", custom)).json()["warnings"] == []
        last = await say(second, custom=["key"])
        other = {**unix, "spiffe_id": "spiffe://example.org/other"}
        found = problem(await desk.ask("POST", "/v1/entries", other), 400)
        assert found["detail"] == "no agent runs the attestor unix (2 said which they run)"
        await last.end()
        await settle(100)
        made = (await desk.ask("POST", "/v1/entries", other)).json()
        assert made["warnings"] == [f"the agent {first.id} does not run the attestor unix"]
        await desk.ask("DELETE", f"/v1/agents/{first.id.path.removeprefix('/spire/agent/')}")
        await desk.ask("DELETE", f"/v1/agents/{second.id.path.removeprefix('/spire/agent/')}")
        await settle(100)
        assert len(desk.house.world.streams.fleet) == 0
        assert desk.house.world.streams.left_at(first.id) is None

    at_desk(tmp_path, act)


def test_a_report_that_is_none_is_passed_over(tmp_path: Path, caplog: Any) -> None:
    """The stream lives on, and the log says which agent sent it."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        stream = await say(agent, unix=["uid", "ü"])
        assert len(desk.house.world.streams.fleet) == 0
        assert str(agent.id) in caplog.text
        await stream.end()
        await settle(100)
        assert desk.house.world.streams.left_at(agent.id) == desk.house.clock.now()

    with caplog.at_level(logging.DEBUG, "finial.ca.follow"):
        at_desk(tmp_path, act)


@pytest.mark.parametrize("count", [1, 5])
def test_over_spires_api_it_is_only_written_down(tmp_path: Path, caplog: Any, count: int) -> None:
    """SPIRE's clients know no such refusal: the entry is stored, logged and audited."""
    parent = SpiffeId.parse(WEB["parent_id"])  # type: ignore[arg-type]

    async def act(desk: Desk) -> None:
        local = await desk.house.local()
        wanted = [entry_for(parent, f"/w{n}", "dcoker:label:app:web") for n in range(count)]
        made = await register(local, *wanted)
        doubted = audited(desk, "entry_doubted")
        assert [each["insisted"] for each in doubted] == [False] * count
        assert "dcoker" in caplog.text
        assert ("and 2 more" in caplog.text) is (count == 5)
        changed = types_pb2.Entry(
            id=made[0].id, selectors=[types_pb2.Selector(type="unix", value="uidd:0")]
        )
        request = entry_pb2.BatchUpdateEntryRequest(
            entries=[changed], input_mask=types_pb2.EntryMask(selectors=True)
        )
        response = await local.call("Entry.BatchUpdateEntry", request)
        assert response.results[0].status.code == 0
        assert len(audited(desk, "entry_doubted")) == count + 1

    with caplog.at_level(logging.WARNING):
        at_desk(tmp_path, act)
