import os
from pathlib import Path

from ca.api.rest.connection import LocalPeer
from tests.unit.rest.desk import AWAY, WEB, Desk, at_desk, problem

EVERY_ROUTE = [
    ("GET", "/v1/entries", "entries:read"),
    ("GET", "/v1/entries:count", "entries:read"),
    ("GET", "/v1/entries/x", "entries:read"),
    ("POST", "/v1/entries", "entries:write"),
    ("POST", "/v1/entries:batch", "entries:write"),
    ("PATCH", "/v1/entries/x", "entries:write"),
    ("DELETE", "/v1/entries/x", "entries:write"),
    ("GET", "/v1/agents", "agents:read"),
    ("GET", "/v1/agents:count", "agents:read"),
    ("GET", "/v1/agents/x509pop/a", "agents:read"),
    ("GET", "/v1/agents/x509pop/a/explain", "agents:read"),
    ("GET", "/v1/agents/x509pop/a/explain", "entries:read"),
    ("GET", "/v1/doctor", "agents:read"),
    ("GET", "/v1/doctor", "entries:read"),
    ("DELETE", "/v1/agents/x509pop/a", "agents:write"),
    ("POST", "/v1/agents/x509pop/a:ban", "agents:write"),
    ("GET", "/v1/join-tokens", "tokens:read"),
    ("POST", "/v1/join-tokens", "tokens:write"),
    ("GET", "/v1/api-tokens", "tokens:read"),
    ("POST", "/v1/api-tokens", "tokens:write"),
    ("DELETE", "/v1/api-tokens/x", "tokens:write"),
    ("GET", "/v1/authorities", "authorities:read"),
    ("GET", "/v1/bundle", "authorities:read"),
    ("GET", "/v1/issued", "issued:read"),
    ("POST", "/v1/svids/x509", "mint"),
    ("POST", "/v1/svids/jwt", "mint"),
    ("POST", "/v1/blocks", "blocks:write"),
    ("GET", "/v1/blocks", "blocks:read"),
    ("GET", "/v1/blocks/x", "blocks:read"),
    ("DELETE", "/v1/blocks/x", "blocks:write"),
    ("GET", "/v1/identities/web", "identities:read"),
    ("GET", "/v1/enforcement", "agents:read"),
    ("GET", "/v1/traffic", "traffic:read"),
    ("GET", "/v1/crls", "authorities:read"),
    ("GET", "/v1/enforcement", "blocks:read"),
    ("POST", "/v1/policies", "policies:write"),
    ("GET", "/v1/policies", "policies:read"),
    ("POST", "/v1/policies:apply", "policies:write"),
    ("POST", "/v1/policies:try", "policies:read"),
    ("POST", "/v1/policies:explain", "policies:read"),
    ("GET", "/v1/policies/x", "policies:read"),
    ("PUT", "/v1/policies/x", "policies:write"),
    ("DELETE", "/v1/policies/x", "policies:write"),
    ("GET", "/v1/policies/x/versions", "policies:read"),
    ("GET", "/v1/callees", "policies:read"),
    ("GET", "/v1/callees/x", "policies:read"),
    ("PUT", "/v1/callees/x", "policies:write"),
    ("DELETE", "/v1/callees/x", "policies:write"),
    ("GET", "/metrics", "metrics:read"),
    ("GET", "/openapi.json", "docs:read"),
    ("GET", "/docs", "docs:read"),
]


def test_root_and_the_servers_user_may_do_everything(tmp_path: Path) -> None:
    """On the local socket root and the server's uid are let in, and nobody else."""

    async def act(desk: Desk) -> None:
        for uid, status in ((0, 200), (os.geteuid(), 200), (61003, 403)):
            answer = await desk.ask("GET", "/v1/entries", peer=LocalPeer(5, uid, uid))
            assert answer.status_code == status
        assert "61003" in problem(answer, 403)["detail"]

    at_desk(tmp_path, act)


def test_over_https_every_route_needs_its_scope(tmp_path: Path) -> None:
    """Without a token 401, with one of other scopes 403, on every route but the health ones."""

    async def act(desk: Desk) -> None:
        every = {each for _, _, each in EVERY_ROUTE}
        tokens = {scope: await desk.token(*sorted(every - {scope})) for scope in every}
        for verb, path, scope in EVERY_ROUTE:
            desk.house.clock.advance(2)  # the same refusal is recorded once a second
            body = {} if verb in ("POST", "PATCH", "PUT") else None
            bare = await desk.ask(verb, path, body, peer=AWAY)
            assert "remedy" in problem(bare, 401)
            assert bare.headers["www-authenticate"].startswith("Bearer")
            denied = await desk.ask(verb, path, body, peer=AWAY, headers=tokens[scope])
            assert problem(denied, 403)["value"] == scope
        kinds = [record["kind"] for record in desk.house.audit.records]
        assert kinds.count("call_refused") == 2 * len(EVERY_ROUTE)

    at_desk(tmp_path, act)


def test_every_route_is_known_here() -> None:
    """A route that this file does not name has forgotten its scope."""
    from ca.api.rest.application import describe

    described = {
        (verb.upper(), path.replace("{path}", "x509pop/a").replace("{entry_id}", "x"))
        for path, verbs in describe()["paths"].items()
        for verb in verbs
        if "/health/" not in path
    }
    for name in ("token_id", "block_id", "policy_id", "callee"):
        described = {(verb, path.replace(f"{{{name}}}", "x")) for verb, path in described}
    described = {(verb, path.replace("{spiffe_id}", "web")) for verb, path in described}
    assert described == {(verb, path) for verb, path, _ in EVERY_ROUTE}


def test_a_token_opens_what_its_scopes_name(tmp_path: Path) -> None:
    """A token is good until it is revoked or expires, and the audit log names it."""

    async def act(desk: Desk) -> None:
        token = await desk.token("entries:write", "entries:read", ttl=600)
        answer = await desk.ask("POST", "/v1/entries", WEB, peer=AWAY, headers=token)
        assert answer.status_code == 201
        made = [each for each in desk.house.audit.records if each["kind"] == "entry_created"]
        assert str(AWAY.address) in str(made[0])
        desk.house.clock.advance(599)
        assert (await desk.ask("GET", "/v1/entries", peer=AWAY, headers=token)).status_code == 200
        desk.house.clock.advance(2)
        problem(await desk.ask("GET", "/v1/entries", peer=AWAY, headers=token), 401)

    at_desk(tmp_path, act)


def test_a_revoked_token_opens_nothing(tmp_path: Path) -> None:
    """A revocation holds at once; a second one finds nothing."""

    async def act(desk: Desk) -> None:
        token = await desk.token("entries:read")
        [known] = (await desk.ask("GET", "/v1/api-tokens")).json()["items"]
        path = f"/v1/api-tokens/{known['id']}"
        assert (await desk.ask("DELETE", path)).status_code == 204
        problem(await desk.ask("GET", "/v1/entries", peer=AWAY, headers=token), 401)
        problem(await desk.ask("DELETE", path), 404)

    at_desk(tmp_path, act)


def test_nobody_gives_away_what_they_do_not_have(tmp_path: Path) -> None:
    """A token that may make tokens cannot make one with more scopes than its own."""

    async def act(desk: Desk) -> None:
        token = await desk.token("tokens:write", "entries:read")
        wish = {"name": "more", "scopes": ["entries:read", "mint"]}
        found = problem(
            await desk.ask("POST", "/v1/api-tokens", wish, peer=AWAY, headers=token), 403
        )
        assert found["value"] == "mint"
        wish["scopes"] = ["entries:read"]
        answer = await desk.ask("POST", "/v1/api-tokens", wish, peer=AWAY, headers=token)
        assert answer.status_code == 201

    at_desk(tmp_path, act)


def test_a_token_is_shown_once(tmp_path: Path) -> None:
    """Neither lists, the datastore nor the audit log hold a token's text."""

    async def act(desk: Desk) -> None:
        header = await desk.token("entries:read")
        text = header["Authorization"].split()[1]
        listed = (await desk.ask("GET", "/v1/api-tokens")).text
        assert text not in listed
        assert text not in str(desk.house.audit.records)
        assert not _is_in_files(text, tmp_path)
        for wrong in (text[:-1], text + "x", "finial_", "x" * 300):
            header = {"Authorization": f"Bearer {wrong}"}
            problem(await desk.ask("GET", "/v1/entries", peer=AWAY, headers=header), 401)

    at_desk(tmp_path, act)


def test_minting_over_https_is_off_until_it_is_switched_on(tmp_path: Path) -> None:
    """A token with the scope mint is refused over HTTPS unless the settings allow it."""
    wish = {"id": "spiffe://example.org/ci", "audience": ["vault"]}

    async def off(desk: Desk) -> None:
        token = await desk.token("mint")
        answer = await desk.ask("POST", "/v1/svids/jwt", wish, peer=AWAY, headers=token)
        assert "switched off" in problem(answer, 403)["detail"]

    async def on(desk: Desk) -> None:
        token = await desk.token("mint")
        answer = await desk.ask("POST", "/v1/svids/jwt", wish, peer=AWAY, headers=token)
        assert answer.status_code == 201

    for name in ("off", "on"):
        (tmp_path / name).mkdir()
    at_desk(tmp_path / "off", off)
    at_desk(tmp_path / "on", on, rest={"mint_over_https": True})


def test_what_cannot_be_audited_is_not_done(tmp_path: Path) -> None:
    """With a full disk under the audit log an act is refused as unavailable, and leaves nothing."""

    async def act(desk: Desk) -> None:
        desk.house.audit.is_full = True
        problem(await desk.ask("POST", "/v1/join-tokens", {}), 503)
        assert await desk.house.world.datastore.list_join_tokens() == []

    at_desk(tmp_path, act)


def _is_in_files(text: str, folder: Path) -> bool:
    return any(text.encode() in file.read_bytes() for file in folder.glob("*.sqlite*"))
