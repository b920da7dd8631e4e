"""Blocks over the REST API."""

import asyncio
from pathlib import Path
from typing import Any

from cryptography import x509

from ca.registry.issued import Issued, SvidKind
from tests.doubles.clock import settle
from tests.unit.rest.desk import AWAY, WEB, Desk, at_desk, problem

LEAK = {"subject": "spiffe://example.org/web", "reason": "key leaked"}


async def registered(desk: Desk) -> dict[str, Any]:
    made = await desk.ask("POST", "/v1/entries", WEB)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_a_block_is_previewed_made_shown_and_lifted(tmp_path: Path) -> None:
    """The preview changes nothing; the block says what it hits; lifted, it is gone."""

    async def act(desk: Desk) -> None:
        entry = await registered(desk)
        seen = await desk.ask("POST", "/v1/blocks?dry_run=true", LEAK)
        assert seen.status_code == 200
        assert seen.json()["dry_run"] is True
        assert [each["id"] for each in seen.json()["hits"]["entries"]] == [entry["id"]]
        assert (await desk.ask("GET", "/v1/blocks")).json()["items"] == []
        made = await desk.ask("POST", "/v1/blocks?wait=0", LEAK)
        assert made.status_code == 201
        block = made.json()["block"]
        assert (block["kind"], block["reason"], block["who"]) == (
            "spiffe_id",
            "key leaked",
            "local uid 0",
        )
        assert made.json()["reception"]["waiting"] == []
        assert (await desk.ask("GET", "/v1/blocks")).json()["items"] == [block]
        shown = await desk.ask("GET", f"/v1/blocks/{block['id']}")
        assert shown.json()["hits"]["entry_count"] == 1
        problem(await desk.ask("POST", "/v1/blocks", LEAK), 409)
        assert (await desk.ask("DELETE", f"/v1/blocks/{block['id']}")).status_code == 204
        problem(await desk.ask("DELETE", f"/v1/blocks/{block['id']}"), 404)
        problem(await desk.ask("GET", f"/v1/blocks/{block['id']}"), 404)

    at_desk(tmp_path, act)


def test_what_cannot_be_blocked_is_refused(tmp_path: Path) -> None:
    """Nobody, the server itself, without a reason, of an unknown kind, over already."""

    async def act(desk: Desk) -> None:
        await registered(desk)
        server = "spiffe://example.org/spire/server"
        for change, status, field in (
            ({"subject": "spiffe://example.org/nobody"}, 404, "subject"),
            ({"subject": server}, 409, "subject"),
            ({"subject": "nonsense"}, 400, "spiffe_id"),
            ({"reason": " "}, 400, "reason"),
            ({"kind": "weather"}, 400, "kind"),
            ({"until": "2001-01-01T00:00:00Z"}, 400, "until"),
            ({"kind": "serial", "subject": "zz"}, 400, "subject"),
        ):
            answer = await desk.ask("POST", "/v1/blocks", {**LEAK, **change})
            assert problem(answer, status)["field"] == field, answer.text

    at_desk(tmp_path, act)


def test_what_hits_nothing_is_blocked_by_force(tmp_path: Path) -> None:
    """Nothing has to be known of what is blocked, if somebody insists; the preview insists, too."""

    async def act(desk: Desk) -> None:
        unknown = {**LEAK, "kind": "serial", "subject": "4711"}
        problem(await desk.ask("POST", "/v1/blocks", unknown), 404)
        seen = await desk.ask("POST", "/v1/blocks?force=true&dry_run=true", unknown)
        assert (seen.status_code, seen.json()["hits"]["entry_count"]) == (200, 0)
        made = await desk.ask("POST", "/v1/blocks?force=true", unknown)
        assert made.status_code == 201, made.text

    at_desk(tmp_path, act)


def test_a_block_may_have_an_end(tmp_path: Path) -> None:
    """An instant with its offset from UTC, which is still to come."""

    async def act(desk: Desk) -> None:
        await registered(desk)
        for until, why in (
            ("2001-01-01T00:00:00Z", "the block would have ended already"),
            ("2200-01-01T00:00:00", "offset from UTC"),
            ("tomorrow", "valid datetime"),
        ):
            refused = problem(await desk.ask("POST", "/v1/blocks", {**LEAK, "until": until}), 400)
            assert why in refused["detail"]
        made = await desk.ask("POST", "/v1/blocks", {**LEAK, "until": "2200-01-01T01:00:00+01:00"})
        assert made.status_code == 201, made.text
        assert made.json()["block"]["until"] == "2200-01-01T00:00:00Z"
        [block] = (await desk.ask("GET", "/v1/blocks")).json()["items"]
        assert block["until"] == "2200-01-01T00:00:00Z"

    at_desk(tmp_path, act)


def test_blocking_is_a_scope_of_its_own(tmp_path: Path) -> None:
    """Who may read blocks may not block, and who may register entries may do neither."""

    async def act(desk: Desk) -> None:
        await registered(desk)
        reader = await desk.token("blocks:read")
        writer = await desk.token("blocks:write")
        other = await desk.token("entries:write", "entries:read")
        for headers, read, write in ((reader, 200, 403), (writer, 403, 201), (other, 403, 403)):
            seen = await desk.ask("GET", "/v1/blocks", peer=AWAY, headers=headers)
            assert seen.status_code == read
            made = await desk.ask("POST", "/v1/blocks", LEAK, peer=AWAY, headers=headers)
            assert made.status_code == write
        [block] = (await desk.ask("GET", "/v1/blocks")).json()["items"]
        assert block["who"].startswith("token ")

    at_desk(tmp_path, act)


def test_an_identity_shows_how_it_stands(tmp_path: Path) -> None:
    """Its entries, what lives, whether it is blocked; by its whole ID or its path alone."""

    async def act(desk: Desk) -> None:
        entry = await registered(desk)
        for name in ("web", "spiffe://example.org/web", "spiffe:/example.org/web"):
            shown = await desk.ask("GET", f"/v1/identities/{name}")
            assert shown.status_code == 200, shown.text
            found = shown.json()
            assert (found["id"], found["standing"]) == (WEB["spiffe_id"], "good")
            assert [each["id"] for each in found["entries"]] == [entry["id"]]
            assert found["last_seen"] is None
        problem(await desk.ask("GET", "/v1/identities/nobody"), 404)
        problem(await desk.ask("GET", "/v1/identities/a//b"), 400)
        await desk.ask("POST", "/v1/blocks", LEAK)
        found = (await desk.ask("GET", "/v1/identities/web")).json()
        assert (found["standing"], found["blocks"][0]["reason"]) == ("blocked", "key leaked")

    at_desk(tmp_path, act)


def test_an_identity_shows_what_else_keeps_it_from_something(tmp_path: Path) -> None:
    """A block of one entry, SVID or agent is part of it; of every entry it is all of it."""

    async def act(desk: Desk) -> None:
        world = desk.house.world
        entry = await registered(desk)
        further = {**WEB, "selectors": ["unix:uid:1000", "unix:gid:1"]}
        assert (await desk.ask("POST", "/v1/entries", further)).status_code == 201
        now = int(world.clock.now())
        agent = "spiffe://example.org/spire/agent/x509pop/two"
        given = Issued(SvidKind.X509, "77", WEB["spiffe_id"], "", now, now + 60, entry["id"], agent)
        await world.datastore.record_issued([given])
        for kind, subject, standing in (
            ("serial", "77", "partly blocked"),
            ("agent", agent, "partly blocked"),
            ("entry", entry["id"], "partly blocked"),
            ("selector", "unix:gid:1", "partly blocked"),
            ("selector", "unix:uid:1000", "blocked"),
        ):
            wish = {"kind": kind, "subject": subject, "reason": "key leaked"}
            made = await desk.ask("POST", "/v1/blocks", wish)
            assert made.status_code == 201, made.text
            found = (await desk.ask("GET", "/v1/identities/web")).json()
            assert found["standing"] == standing
            assert [each["subject"] for each in found["blocks"]] == [subject]
            await desk.ask("DELETE", f"/v1/blocks/{made.json()['block']['id']}")

    at_desk(tmp_path, act)


def test_an_identity_is_watched(tmp_path: Path) -> None:
    """Whoever knows how it stands waits for what comes next, and is told of a block at once."""

    async def act(desk: Desk) -> None:
        await registered(desk)
        tag = (await desk.ask("GET", "/v1/identities/web")).headers["etag"]
        known = {"If-None-Match": tag}
        same = await desk.ask("GET", "/v1/identities/web", headers=known)
        assert (same.status_code, same.content) == (304, b"")
        waiting = asyncio.ensure_future(
            desk.ask("GET", "/v1/identities/web?wait=50", headers=known)
        )
        await settle()
        await desk.ask("POST", "/v1/blocks", LEAK)
        async with asyncio.timeout(5):
            answer = await waiting
        assert answer.json()["standing"] == "blocked"
        assert answer.headers["etag"] != tag

    at_desk(tmp_path, act)


def test_revocation_lists_are_shown_in_pem(tmp_path: Path) -> None:
    """One of each authority, also while nothing is revoked."""

    async def act(desk: Desk) -> None:
        shown = await desk.ask("GET", "/v1/crls")
        assert shown.status_code == 200
        [crl] = shown.text.split("-----END X509 CRL-----\n")[:-1]
        assert len(x509.load_pem_x509_crl(f"{crl}-----END X509 CRL-----\n".encode())) == 0

    at_desk(tmp_path, act)
