import json
from pathlib import Path

from cryptography import x509

from ca.api.rest.application import describe
from cli.request import new_request
from finial.wire.join_string import JoinString
from tests.unit.rest.desk import AWAY, Desk, at_desk, problem

ROOT_FOLDER = Path(__file__).parents[3]


def test_a_join_token_is_made_and_listed_without_its_text(tmp_path: Path) -> None:
    """The answer holds a join string for the server's addresses; the list holds no secret."""

    async def act(desk: Desk) -> None:
        wish = {"ttl": 60, "spiffe_id": "spiffe://example.org/rack1"}
        answer = await desk.ask("POST", "/v1/join-tokens", wish)
        assert answer.status_code == 201
        made = answer.json()
        join = JoinString.parse(made["join"])
        assert (join.token, list(join.servers)) == (made["value"], made["servers"])
        assert made["agent_id"].endswith(f"/spire/agent/join_token/{made['id']}")
        assert made["value"] not in made["agent_id"]
        listed = await desk.ask("GET", "/v1/join-tokens")
        [known] = listed.json()["items"]
        assert known == {name: made[name] for name in known}
        assert made["value"] not in listed.text
        assert made["value"] not in str(desk.house.audit.records)
        for wrong in ({"ttl": 0}, {"spiffe_id": "spiffe://example.org/spire/x"}, {"token": "x"}):
            problem(await desk.ask("POST", "/v1/join-tokens", wrong), 400)

    at_desk(tmp_path, act, advertised_addresses=["ca.example.org:8081"])


def test_agents_are_listed_shown_banned_and_evicted(tmp_path: Path) -> None:
    """An agent's resource is the path after /spire/agent/ in its SPIFFE ID."""

    async def act(desk: Desk) -> None:
        agent = await desk.house.join()
        path = "/v1/agents/" + agent.id.path.removeprefix("/spire/agent/")
        [listed] = (await desk.ask("GET", "/v1/agents")).json()["items"]
        shown = (await desk.ask("GET", path)).json()
        assert listed == shown
        assert shown["id"] == str(agent.id)
        assert shown["x509svid_serial_number"] == str(agent.svid.serial)
        assert shown["x509svid_expires_at"].endswith("Z")
        assert (shown["banned"], shown["can_reattest"]) == (False, False)
        assert (await desk.ask("POST", f"{path}:ban", {})).status_code == 204
        banned = await desk.ask("GET", "/v1/agents:count", params={"banned": "true"})
        assert banned.json() == {"count": 1}
        assert (await desk.ask("DELETE", path)).status_code == 204
        problem(await desk.ask("GET", path), 404)
        problem(await desk.ask("DELETE", path), 404)
        problem(await desk.ask("POST", f"{path}:ban", {}), 404)
        problem(await desk.ask("GET", "/v1/agents/a//b"), 400)

    at_desk(tmp_path, act)


def test_agents_are_found_by_when_they_expire(tmp_path: Path) -> None:
    """A list of agents takes a time, in RFC 3339, before which their SVIDs end."""

    async def act(desk: Desk) -> None:
        await desk.house.join()
        for when, count in (("2001-01-01T00:00:00Z", 0), ("2200-01-01T00:00:00Z", 1)):
            found = await desk.ask("GET", "/v1/agents:count", params={"expires_before": when})
            assert found.json() == {"count": count}
        problem(await desk.ask("GET", "/v1/agents", params={"expires_before": "soon"}), 400)

    at_desk(tmp_path, act)


def test_authorities_and_the_bundle(tmp_path: Path) -> None:
    """The active authorities are in the bundle, which is a SPIFFE bundle or PEM by choice."""

    async def act(desk: Desk) -> None:
        items = (await desk.ask("GET", "/v1/authorities")).json()["items"]
        assert {(each["use"], each["phase"]) for each in items} == {
            ("x509", "active"),
            ("jwt", "active"),
        }
        document = await desk.ask("GET", "/v1/bundle")
        assert document.headers["content-type"] == "application/json"
        assert {key["use"] for key in document.json()["keys"]} == {"x509-svid", "jwt-svid"}
        pem = await desk.ask("GET", "/v1/bundle", params={"format": "pem"})
        assert pem.text.startswith("-----BEGIN CERTIFICATE-----")
        asked = await desk.ask("GET", "/v1/bundle", headers={"Accept": "application/x-pem-file"})
        assert asked.text == pem.text
        assert document.headers["etag"] == pem.headers["etag"]

    at_desk(tmp_path, act)


def test_what_is_minted_is_in_the_ledger(tmp_path: Path) -> None:
    """Minting answers 201 with the SVID, and the ledger has a row before it left."""

    async def act(desk: Desk) -> None:
        _, csr = new_request("spiffe://example.org/legacy", ["legacy.example.org"])
        answer = await desk.ask("POST", "/v1/svids/x509", {"csr": csr, "ttl": 60})
        assert answer.status_code == 201
        minted = answer.json()
        leaf = x509.load_pem_x509_certificate(minted["x509_svid"].encode())
        assert minted["id"] == "spiffe://example.org/legacy"
        assert minted["bundle"].startswith("-----BEGIN CERTIFICATE")
        wish = {"id": "spiffe://example.org/ci", "audience": ["vault"], "ttl": 30}
        token = (await desk.ask("POST", "/v1/svids/jwt", wish)).json()
        assert token["token"].count(".") == 2
        rows = (await desk.ask("GET", "/v1/issued")).json()["items"]
        assert rows[0]["spiffe_id"] == token["id"]
        assert rows[1]["serial"] == str(leaf.serial_number)
        only = await desk.ask("GET", "/v1/issued", params={"kind": "jwt", "spiffe_id": token["id"]})
        assert [each["serial"] for each in only.json()["items"]] == [rows[0]["serial"]]
        none = await desk.ask("GET", "/v1/issued", params={"expires_after": "2200-01-01T00:00:00Z"})
        assert none.json()["items"] == []

    at_desk(tmp_path, act)


def test_a_bad_request_to_mint_is_refused(tmp_path: Path) -> None:
    """A CSR that is none, or a reserved SPIFFE ID, is refused with the member's name."""

    async def act(desk: Desk) -> None:
        for csr in ("nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nx\n", "AAAA"):
            problem(await desk.ask("POST", "/v1/svids/x509", {"csr": csr}), 400)
        wish = {"id": "spiffe://example.org/spire/server", "audience": ["a"]}
        problem(await desk.ask("POST", "/v1/svids/jwt", wish), 400)
        problem(await desk.ask("POST", "/v1/svids/jwt", {**wish, "audience": []}), 400)

    at_desk(tmp_path, act)


def test_health_needs_no_token(tmp_path: Path) -> None:
    """Probes learn whether the server is live and ready, and what is not well."""

    async def well(desk: Desk) -> None:
        assert (await desk.ask("GET", "/v1/health/live", peer=AWAY)).status_code == 200
        ready = await desk.ask("GET", "/v1/health/ready", peer=AWAY)
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "failing": []})

    async def unwell(desk: Desk) -> None:
        ready = await desk.ask("GET", "/v1/health/ready", peer=AWAY)
        assert (ready.status_code, ready.json()["failing"]) == (503, ["no authority"])

    for name in ("well", "unwell"):
        (tmp_path / name).mkdir()
    at_desk(tmp_path / "well", well)
    at_desk(tmp_path / "unwell", unwell, failing=("no authority",))


def test_metrics_and_descriptions(tmp_path: Path) -> None:
    """Metrics are text for Prometheus; the description loads nothing from elsewhere."""

    async def act(desk: Desk) -> None:
        metrics = await desk.ask("GET", "/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert metrics.text == "finial_ca_entries 1\n"
        assert (await desk.ask("GET", "/openapi.json")).json() == describe()
        page = await desk.ask("GET", "/docs")
        assert "/v1/entries" in page.text
        assert "http" not in page.text.replace("over HTTPS", "")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")

    at_desk(tmp_path, act)


def test_the_committed_description_is_current() -> None:
    """docs/openapi.json is what the server serves; `python -m ca.api.rest.describe` writes it."""
    committed = json.loads((ROOT_FOLDER / "docs" / "openapi.json").read_text())
    assert committed == describe()


def test_every_operation_is_described() -> None:
    """Each operation has a sentence, a stable id and, but for health, the scope it needs."""
    for path, verbs in describe()["paths"].items():
        for operation in verbs.values():
            assert operation["description"].endswith(".")
            assert "." in operation["operationId"]
            assert "/health/" in path or operation["security"]
