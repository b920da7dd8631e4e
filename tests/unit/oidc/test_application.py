"""What verifiers are answered, and what nobody is."""

from pathlib import Path

import pytest

from ca.api.rest.connection import RemotePeer
from ca.operations.rotate_authority import rotate_authorities
from finial.spiffe.bundle import Bundle
from tests.unit.oidc.place import HOST, ISSUER, Place, asked

CONFIGURATION = "/.well-known/openid-configuration"
AWAY = RemotePeer("192.0.2.7:4711")
ELSEWHERE = RemotePeer("192.0.2.8:4711")


def test_the_documents_lead_from_one_to_the_other(tmp_path: Path) -> None:
    """The discovery document names the issuer and where the keys are, which are the bundle's."""

    async def act(place: Place) -> None:
        found = await place.get("/td" + CONFIGURATION)
        assert found.status_code == 200
        assert found.headers["content-type"] == "application/json"
        assert found.json()["issuer"] == ISSUER
        assert found.json()["jwks_uri"] == f"{ISSUER}/keys"
        keys = (await place.get("/td/keys")).json()["keys"]
        bundle = place.house.world.known.bundle.value
        assert [each["kid"] for each in keys] == [each.key_id for each in bundle.jwt_authorities]
        assert [(each["use"], each["alg"]) for each in keys] == [("sig", "ES256")]
        assert place.finished == [(f"oidc {CONFIGURATION}", "200"), ("oidc /keys", "200")]

    asked(tmp_path, act)


def test_a_proxy_may_cut_the_issuers_path_off(tmp_path: Path) -> None:
    """Both documents are there with and without it; other prefixes are not."""

    async def act(place: Place) -> None:
        for path in (CONFIGURATION, "/keys"):
            with_path = await place.get("/td" + path)
            assert (await place.get(path)).content == with_path.content
            assert (await place.get("/other" + path)).status_code == 404
        assert (await place.get("/")).status_code == 404

    asked(tmp_path, act)


def test_head_tells_what_get_would(tmp_path: Path) -> None:
    """HEAD has the same headers, and no content."""

    async def act(place: Place) -> None:
        for path in (CONFIGURATION, "/keys", "/live", "/ready", "/nowhere"):
            whole, head = await place.get(path), await place.ask("HEAD", path)
            assert (head.status_code, head.headers) == (whole.status_code, whole.headers)
            if whole.status_code == 200:
                assert not head.content

    asked(tmp_path, act)


@pytest.mark.parametrize(
    ("ca_ttl", "seconds"), [("24h", 30), ("2m", 5), ("20s", 1)], ids=["day", "minutes", "seconds"]
)
def test_a_cache_forgets_keys_before_the_next_one_signs(
    tmp_path: Path, ca_ttl: str, seconds: int
) -> None:
    """Keys are kept for half of the time in which a successor is published and does not sign."""

    async def act(place: Place) -> None:
        answer = await place.get("/keys")
        assert answer.headers["cache-control"] == f"public, max-age={seconds}"
        configuration = await place.get(CONFIGURATION)
        assert configuration.headers["cache-control"] == "public, max-age=300"

    asked(tmp_path, act, ca_ttl=ca_ttl)


def test_what_is_known_is_not_sent_again(tmp_path: Path) -> None:
    """An entity tag names the content; who shows it is told that nothing changed, until it does."""

    async def act(place: Place) -> None:
        tag = (await place.get("/keys")).headers["etag"]
        for shown in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            again = await place.get("/keys", headers={"If-None-Match": shown})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        other = await place.get(CONFIGURATION, headers={"If-None-Match": tag})
        assert other.status_code == 200
        place.house.clock.advance(12 * 3600)
        await rotate_authorities(place.house.world)
        fresh = await place.get("/keys", headers={"If-None-Match": tag})
        assert fresh.status_code == 200
        assert len(fresh.json()["keys"]) == 2

    asked(tmp_path, act)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("oidc.example.org", 200),
        ("oidc.example.org:8443", 200),
        ("OIDC.example.org", 200),
        ("oidc.example.org.", 200),
        ("oidc.internal", 200),
        ("[2001:db8::1]:8443", 200),
        ("[2001:db8::1]", 200),
        ("evil.example", 421),
        ("oidc.example.org.evil.example", 421),
        ("oidc.example.org, evil.example", 421),
        ("", 421),
    ],
)
def test_only_names_that_are_ours_are_answered(tmp_path: Path, host: str, status: int) -> None:
    """The issuer's host and the further domains, with any port; health by whatever name."""

    async def act(place: Place) -> None:
        for path in (CONFIGURATION, "/keys"):
            answer = await place.get(path, headers={"Host": host})
            assert answer.status_code == status
            if status != 200:
                assert answer.headers["cache-control"] == "no-store"
        assert (await place.get("/ready", headers={"Host": host})).status_code == 200

    asked(tmp_path, act, oidc={"domains": ["oidc.internal", "2001:db8::1"]})


def test_a_host_in_another_header_counts_for_nothing(tmp_path: Path) -> None:
    """Neither who is forwarded nor what is asked for changes a document."""

    async def act(place: Place) -> None:
        plain = await place.get(CONFIGURATION)
        headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        answer = await place.get(CONFIGURATION + "?host=evil.example", headers=headers)
        assert answer.content == plain.content

    asked(tmp_path, act)


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_there_is_nothing_but_to_read(tmp_path: Path, verb: str) -> None:
    """Other methods are refused, and told which there are."""

    async def act(place: Place) -> None:
        answer = await place.ask(verb, "/keys", headers=HOST)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"

    asked(tmp_path, act)


def test_a_request_has_no_body(tmp_path: Path) -> None:
    """Whoever announces one is refused before it comes, and the connection ends."""

    async def act(place: Place) -> None:
        for headers in ({"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}):
            answer = await place.get("/keys", headers=headers)
            assert answer.status_code == 413
            assert answer.headers["connection"] == "close"
        assert (await place.get("/keys", headers={"Content-Length": "0"})).status_code == 200

    asked(tmp_path, act)


def test_who_asks_too_often_is_told_to_wait(tmp_path: Path) -> None:
    """Each address has its own measure; a proxy on the socket limits by itself."""

    async def act(place: Place) -> None:
        answers = [await place.get("/keys", peer=AWAY) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].headers["access-control-allow-origin"] == "*"
        assert (await place.get("/keys", peer=ELSEWHERE)).status_code == 200
        for _ in range(5):
            assert (await place.get("/keys")).status_code == 200
        place.house.clock.advance(1)
        assert (await place.get("/keys", peer=AWAY)).status_code == 200

    asked(tmp_path, act, rate=2.0)


def test_without_a_key_nobody_is_told_that_there_is_none_to_trust(tmp_path: Path) -> None:
    """No empty set of keys that a cache would keep: the server is not ready, and says so."""

    async def act(place: Place) -> None:
        known = place.house.world.known
        known.bundle.set(Bundle(known.trust_domain))
        answer = await place.get("/keys")
        assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
        assert answer.headers["retry-after"] == "1"
        assert (await place.get("/ready")).status_code == 503
        assert (await place.get("/live")).status_code == 200
        assert (await place.get(CONFIGURATION)).status_code == 200

    asked(tmp_path, act)


def test_a_key_that_has_ended_is_not_shown(tmp_path: Path) -> None:
    """A minute after its end nothing that it signed is accepted, so it is left out."""

    async def act(place: Place) -> None:
        [authority] = place.house.world.known.bundle.value.jwt_authorities
        place.house.clock.jump(authority.expires_at + 60 - place.house.clock.now())
        assert (await place.get("/keys")).status_code == 200
        place.house.clock.jump(1)
        assert (await place.get("/keys")).status_code == 503

    asked(tmp_path, act)


def test_pages_of_other_origins_may_read(tmp_path: Path) -> None:
    """What is public is so for scripts of every origin, as SPIRE has it, and never sniffed."""

    async def act(place: Place) -> None:
        for path in (CONFIGURATION, "/keys", "/nowhere"):
            answer = await place.get(path)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["x-content-type-options"] == "nosniff"

    asked(tmp_path, act)
