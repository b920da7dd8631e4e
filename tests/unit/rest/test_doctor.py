from pathlib import Path

from tests.unit.rest.desk import AWAY, ROOT, Desk, at_desk, problem


def test_the_server_says_how_it_is_check_by_check(tmp_path: Path) -> None:
    """One document: the health of the worst check, and each check with what to do."""

    async def act(desk: Desk) -> None:
        await desk.house.join()
        found = (await desk.ask("GET", "/v1/doctor")).json()
        by_name = {each["check"]: each for each in found["checks"]}
        assert found["health"] == "warning"
        assert by_name["database"]["health"] == "ok"
        assert by_name["agents"]["health"] == "warning"
        assert by_name["agents"]["remedy"].startswith("on the node: finial doctor")
        desk.house.audit.is_full = True
        full = (await desk.ask("GET", "/v1/doctor")).json()
        assert full["health"] == "failed"

    at_desk(tmp_path, act)


def test_who_may_read_agents_and_entries_may_ask(tmp_path: Path) -> None:
    """The answer names both, so a token of one scope alone is refused."""

    async def act(desk: Desk) -> None:
        both = await desk.token("agents:read", "entries:read")
        one = await desk.token("agents:read")
        assert (await desk.ask("GET", "/v1/doctor", peer=AWAY, headers=both)).status_code == 200
        problem(await desk.ask("GET", "/v1/doctor", peer=AWAY, headers=one), 403)
        problem(await desk.ask("GET", "/v1/doctor?deep=1", peer=ROOT), 400)

    at_desk(tmp_path, act)
