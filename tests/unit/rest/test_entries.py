from pathlib import Path
from typing import Any

from tests.unit.rest.desk import PARENT, WEB, Desk, at_desk, problem


def test_a_created_entry_comes_back_whole(tmp_path: Path) -> None:
    """A creation answers 201 with every member, the ETag, the place and warnings."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        asked = {
            **WEB,
            "parent_id": str(agent.id),
            "x509_svid_ttl": 60,
            "jwt_svid_ttl": 30,
            "admin": True,
            "downstream": True,
            "expires_at": "2030-01-01T01:00:00+01:00",
            "dns_names": ["web.example.org"],
            "hint": "internal",
            "additional_attributes": {
                "jwt_svid_include_jti": True,
                "disable_x509_svid_prefetch": False,
            },
            "attributes": {"role": "web"},
        }
        answer = await desk.ask("POST", "/v1/entries", asked)
        assert answer.status_code == 201
        made = answer.json()
        assert answer.headers["etag"] == '"0"'
        assert answer.headers["location"] == f"/v1/entries/{made['id']}"
        for name, value in asked.items():
            if name != "expires_at":
                assert made[name] == value
        assert made["expires_at"] == "2030-01-01T00:00:00Z"
        assert made["warnings"] == []
        found = (await desk.ask("GET", f"/v1/entries/{made['id']}")).json()
        assert found == {name: made[name] for name in made if name != "warnings"}
        assert "entry_created" in desk.house.audit.kinds()

    at_desk(tmp_path, act)


def test_a_weak_entry_is_warned_of(tmp_path: Path) -> None:
    """An entry told apart only by a path is created with a warning."""

    async def act(desk: Desk) -> None:
        answer = await desk.ask("POST", "/v1/entries", {**WEB, "selectors": ["unix:path:/bin/web"]})
        assert answer.status_code == 201
        assert "every user" in answer.json()["warnings"][0]

    at_desk(tmp_path, act)


def test_a_duplicate_names_the_existing_entry(tmp_path: Path) -> None:
    """A second entry with the same parent, ID and selectors gets 409 with the first one's id."""

    async def act(desk: Desk) -> None:
        first = (await desk.ask("POST", "/v1/entries", WEB)).json()
        found = problem(await desk.ask("POST", "/v1/entries", WEB), 409)
        assert found["existing_id"] == first["id"]

    at_desk(tmp_path, act)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"spiffe_id": "http://example.org/web"}, "spiffe_id", "http://example.org/web"),
    ({"spiffe_id": "spiffe://other.org/web"}, "spiffe_id", "spiffe://other.org/web"),
    ({"parent_id": "spiffe://example.org/a//b"}, "parent_id", "spiffe://example.org/a//b"),
    ({"selectors": ["unix"]}, "selectors", "unix"),
    ({"selectors": [7]}, "selectors.0", "7"),
    ({"x509_svid_ttl": -1}, "x509_svid_ttl", "-1"),
    ({"x509_svid_ttl": "60"}, "x509_svid_ttl", "60"),
    ({"x509_svid_ttl": 10**40}, "x509_svid_ttl", str(10**40)),
    ({"expires_at": "2030-01-01T00:00:00"}, "expires_at", "2030-01-01T00:00:00"),
    ({"federates_with": ["Other.org"]}, "federates_with", "Other.org"),
    ({"federates_with": ["other.org"]}, "federates_with", "other.org"),
    ({"color": "red"}, "color", "red"),
]


def test_a_refusal_names_field_and_value(tmp_path: Path) -> None:
    """A problem document names the member that was wrong and its value (RFC 9457)."""

    async def act(desk: Desk) -> None:
        for change, field, value in REFUSED:
            found = problem(await desk.ask("POST", "/v1/entries", {**WEB, **change}), 400)
            assert (found["field"], found.get("value", "")) == (field, value)
            assert found["detail"]

    at_desk(tmp_path, act)


def test_a_patch_merges(tmp_path: Path) -> None:
    """Members left out stay, null takes one back to its default, objects merge (RFC 7396)."""

    async def act(desk: Desk) -> None:
        asked = {
            **WEB,
            "hint": "a",
            "x509_svid_ttl": 60,
            "attributes": {"role": "web", "team": "x"},
        }
        path = (await desk.ask("POST", "/v1/entries", asked)).headers["location"]
        patch = {"x509_svid_ttl": 90, "hint": None, "attributes": {"team": None, "tier": "1"}}
        answer = await desk.ask("PATCH", path, patch)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["x509_svid_ttl"], found["hint"]) == (90, "")
        assert found["attributes"] == {"role": "web", "tier": "1"}
        assert (found["revision_number"], answer.headers["etag"]) == (1, '"1"')
        assert found["spiffe_id"] == WEB["spiffe_id"]
        refused = problem(await desk.ask("PATCH", path, {"spiffe_id": None}), 400)
        assert refused["field"] == "spiffe_id"
        assert problem(await desk.ask("PATCH", path, {"id": "other"}), 400)["field"] == "id"

    at_desk(tmp_path, act)


def test_a_stale_patch_changes_nothing(tmp_path: Path) -> None:
    """A stale If-Match gets 412; a current one, or an asterisk, is let through (RFC 9110)."""

    async def act(desk: Desk) -> None:
        path = (await desk.ask("POST", "/v1/entries", WEB)).headers["location"]

        async def change(tag: str) -> Any:
            return await desk.ask("PATCH", path, {"hint": tag[:5]}, headers={"If-Match": tag})

        assert (await change('"0"')).status_code == 200
        problem(await change('"0"'), 412)
        problem(await change('W/"1"'), 412)
        problem(await change("1"), 400)
        assert (await change("*")).status_code == 200
        assert (await desk.ask("GET", path)).json()["revision_number"] == 2

    at_desk(tmp_path, act)


def test_a_deleted_entry_is_gone(tmp_path: Path) -> None:
    """A deletion answers 204, a second one 404."""

    async def act(desk: Desk) -> None:
        path = (await desk.ask("POST", "/v1/entries", WEB)).headers["location"]
        assert (await desk.ask("DELETE", path)).status_code == 204
        problem(await desk.ask("DELETE", path), 404)
        problem(await desk.ask("GET", path), 404)
        problem(await desk.ask("PATCH", path, {"hint": "x"}), 404)

    at_desk(tmp_path, act)


def test_lists_have_filters_and_pages(tmp_path: Path) -> None:
    """A list is {items, next_page_token}; filters are parameters, counts have their own route."""

    async def act(desk: Desk) -> None:
        for number in range(5):
            entry = {**WEB, "spiffe_id": f"spiffe://example.org/w{number}", "hint": str(number % 2)}
            assert (await desk.ask("POST", "/v1/entries", entry)).status_code == 201
        first = (await desk.ask("GET", "/v1/entries", params={"page_size": 2})).json()
        assert len(first["items"]) == 2
        token = first["next_page_token"]
        rest = await desk.ask("GET", "/v1/entries", params={"page_size": 9, "page_token": token})
        assert (len(rest.json()["items"]), rest.json()["next_page_token"]) == (3, "")
        odd = (await desk.ask("GET", "/v1/entries", params={"hint": "1"})).json()["items"]
        assert sorted(each["spiffe_id"][-2:] for each in odd) == ["w1", "w3"]
        counted = await desk.ask("GET", "/v1/entries:count", params={"parent_id": PARENT})
        assert counted.json() == {"count": 5}
        none = await desk.ask(
            "GET", "/v1/entries:count", params={"selector": "unix:uid:1", "selector_match": "any"}
        )
        assert none.json() == {"count": 0}
        for wrong in (
            {"page_size": 0},
            {"page_token": "x"},
            {"selector": "unix"},
            {"parent_id": ""},
        ):
            problem(await desk.ask("GET", "/v1/entries", params=wrong), 400)

    at_desk(tmp_path, act)


def test_a_batch_answers_each_thing_in_its_place(tmp_path: Path) -> None:
    """Each thing of a batch has the status that it would have had alone, and nothing else fails."""

    async def act(desk: Desk) -> None:
        made = (await desk.ask("POST", "/v1/entries", WEB)).json()
        batch = {
            "create": [
                {**WEB, "spiffe_id": "spiffe://example.org/new"},
                WEB,
                {**WEB, "spiffe_id": "nonsense"},
            ],
            "update": [{"id": made["id"], "patch": {"hint": "x"}}, {"id": "none", "patch": {}}],
            "delete": [made["id"], "none"],
        }
        answer = await desk.ask("POST", "/v1/entries:batch", batch)
        assert answer.status_code == 200
        results = answer.json()["results"]
        statuses = [each["status"] for each in results]
        assert statuses == [201, 409, 400, 200, 404, 204, 404]
        assert results[1]["entry"]["id"] == made["id"]
        assert results[2]["problem"]["field"] == "spiffe_id"
        assert results[3]["entry"]["hint"] == "x"

    at_desk(tmp_path, act)


def test_a_batch_is_bounded(tmp_path: Path) -> None:
    """A batch has 1 to 500 things to do."""

    async def act(desk: Desk) -> None:
        problem(await desk.ask("POST", "/v1/entries:batch", {}), 400)
        problem(await desk.ask("POST", "/v1/entries:batch", {"delete": ["x"] * 501}), 400)

    at_desk(tmp_path, act)
