"""What nobody should send to the REST API, sent to both of its ports."""

import contextlib
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles.ports import port, unharmed
from tests.doubles.programs import Up, up

pytestmark = pytest.mark.slow
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "spiffe_id.json").read_text())
ENTRIES = "/v1/entries"


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    with up("--no-rate-limits") as running:
        running.register("/bystander", f"unix:uid:{os.getuid()}")
        yield running


class Api:
    """The REST API at one of its ports; over HTTPS with a token that may do everything."""

    def __init__(self, world: Up, name: str) -> None:
        self.where = port(world, name).where
        self.agent_id = world["agent_id"]
        self.headers: dict[str, str] = {}
        transport: httpx.BaseTransport | None = None
        if isinstance(self.where, Path):
            transport = httpx.HTTPTransport(uds=str(self.where))
        else:
            scopes = [
                f"--scope={each}" for each in ("entries:read", "entries:write", "agents:read")
            ]
            made = world.finial("api-token", "create", "faults", *scopes)
            self.headers = {"Authorization": f"Bearer {made['token']}"}
        self.client = httpx.Client(
            transport=transport,
            verify=ssl._create_unverified_context(),
            base_url="http://localhost" if transport else world["rest_address"],
            headers=self.headers,
            timeout=30,
        )

    def post(self, body: bytes, kind: str = "application/json") -> httpx.Response:
        return self.client.post(ENTRIES, content=body, headers={"Content-Type": kind})

    def entry(self, **changes: Any) -> bytes:
        """A good entry, changed."""
        found = {
            "spiffe_id": "spiffe://example.org/w",
            "parent_id": self.agent_id,
            "selectors": ["unix:uid:4711"],
        }
        return json.dumps(found | changes).encode()

    def raw(self, said: bytes) -> bytes:
        """Send bytes and read the answer to its end."""
        with self._connected() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(said)
            answer = b""
            with contextlib.suppress(OSError):
                while more := connection.recv(65_536):
                    answer += more
            return answer

    def _connected(self) -> socket.socket:
        if isinstance(self.where, Path):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(20)
            plain.connect(str(self.where))
            return plain
        return ssl._create_unverified_context().wrap_socket(
            socket.create_connection(self.where, 20)
        )


@pytest.fixture(params=["admin.sock", "REST port"])
def api(request: pytest.FixtureRequest, world: Up) -> Iterator[Api]:
    found = Api(world, request.param)
    before = found.client.get(ENTRIES).json()["items"]
    with unharmed(world, megabytes=30), contextlib.closing(found.client):
        yield found
        assert found.client.get(ENTRIES).json()["items"] == before


def problem(answer: httpx.Response, status: int, *words: str) -> None:
    """A refusal has its status, says what is wrong, and is no bug of ours."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert len(document["detail"]) < 1000
    for word in words:
        assert word in json.dumps(document), document


def test_json_that_can_be_read_in_two_ways(api: Api) -> None:
    """Duplicate keys, NaN, huge numbers and text that is none are refused by name (TDB-21)."""
    entry = api.entry()
    cases = [
        (entry[:-1] + b', "parent_id": "spiffe://example.org/other"}', "twice"),
        (api.entry(x509_svid_ttl=0).replace(b": 0", b": 1e999"), "out of range"),
        (api.entry(x509_svid_ttl=0).replace(b": 0", b": NaN"), "does not know"),
        (api.entry(x509_svid_ttl=0).replace(b": 0", b": " + b"9" * 5000), "JSON"),
        (b"[" * 100_000, "nests deeper"),
        (b'{"a":' * 100_000, "nests deeper"),
        (b'{"spiffe_id": "\xff\xfe"}', "UTF-8"),
        (b'{"spiffe_id": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"spiffe_id": "\\ud800"}', "surrogate"),
        (b'{"spiffe_id": "a\x00b"}', "JSON"),
        (b"\x00" * 1000, "JSON"),
        (b"{", "JSON"),
        (entry + entry, "JSON"),
        (b"\xef\xbb\xbf" + entry, "JSON"),
    ]
    for body, word in cases:
        problem(api.post(body), 400, word)


def test_a_hundred_thousand_names_cost_nobody_time(api: Api) -> None:
    """Names by the megabyte, the last one twice, are refused while others are served."""
    names = ",".join(f'"{number}":0' for number in range(150_000))
    problem(api.post(f'{{{names},"0":1}}'.encode()), 400, "twice")
    collisions = ",".join(f'"a{number * (2**61 - 1)}":0' for number in range(60_000))
    assert api.post(f"{{{collisions}}}".encode()).status_code == 400


def test_values_out_of_bounds(api: Api) -> None:
    """Numbers, texts and lists beyond their bounds are refused, and the field is named."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"x509_svid_ttl": 10**30}, "x509_svid_ttl"),
        ({"x509_svid_ttl": -1}, "x509_svid_ttl"),
        ({"x509_svid_ttl": 1.5}, "x509_svid_ttl"),
        ({"x509_svid_ttl": "3600"}, "x509_svid_ttl"),
        ({"x509_svid_ttl": True}, "x509_svid_ttl"),
        ({"jwt_svid_ttl": 2**63}, "jwt_svid_ttl"),
        ({"hint": "a\u0000b"}, "hint"),
        ({"hint": "h" * 5000}, "hint"),
        ({"spiffe_id": "spiffe://example.org/\u0000"}, "spiffe_id"),
        ({"spiffe_id": "spiffe://example.org/" + "a" * 3000}, "spiffe_id"),
        ({"spiffe_id": None}, "spiffe_id"),
        ({"spiffe_id": ["spiffe://example.org/a"]}, "spiffe_id"),
        ({"parent_id": "spiffe://other.org/a"}, "parent_id"),
        ({"selectors": []}, "selectors"),
        ({"selectors": "unix:uid:1"}, "selectors"),
        ({"selectors": ["unix"]}, "selectors"),
        ({"selectors": [":x"]}, "selectors"),
        ({"selectors": ["unix:uid:1\u0000"]}, "selectors"),
        ({"selectors": [f"unix:uid:{number}" for number in range(100_000)]}, "selectors"),
        ({"dns_names": ["a..b"]}, "dns_names"),
        ({"dns_names": ["x" * 300]}, "dns_names"),
        ({"federates_with": ["spiffe://nobody.test"]}, "federates_with"),
        ({"attributes": {"role\u0000": "x"}}, "attributes"),
        ({"expires_at": "yesterday"}, "expires_at"),
        ({"expires_at": "9999999-01-01T00:00:00Z"}, "expires_at"),
        ({"no_such_member": 1}, "no_such_member"),
    ]
    for changes, field in cases:
        problem(api.post(api.entry(**changes)), 400, field)


def test_bodies_that_are_too_long_or_of_another_kind(api: Api) -> None:
    """Two megabytes are too many; what is not called JSON is not read as JSON."""
    problem(api.post(api.entry(hint="h" * (2 * 1024 * 1024))), 413, "longer than")
    problem(api.post(api.entry(hint="h" * (2 * 1024 * 1024 - 400))), 400, "hint")
    for kind in ("text/plain", "application/xml", "", "application/json5", "multipart/form-data"):
        problem(api.post(api.entry(), kind), 415, "JSON")


def test_spiffe_ids_of_the_vectors(api: Api) -> None:
    """ID-01 to ID-19: each ID that the standard forbids is refused with the reason."""
    forbidden = [each for each in VECTORS if each["verdict"] == "refused"]
    assert len(forbidden) > 30
    for each in forbidden:
        answer = api.post(api.entry(spiffe_id=each["input"]))
        # Half a character is no text, so that one is refused as JSON.
        problem(answer, 400, "spiffe_id" if each["input"].isprintable() else "")


def test_paths_and_queries(api: Api) -> None:
    """What is not there is 404, another method 405, a query out of bounds 400."""
    for path, status in (
        ("/v1/nothing", 404),
        ("/", 404),
        ("/v1/entries/" + "x" * 3000, 404),
        ("/v1/entries/%00", 404),
        ("/v1/entries/..%2f..%2fetc", 404),
        ("/v1/entries?page_size=0", 400),
        ("/v1/entries?page_size=-1", 400),
        ("/v1/entries?page_size=" + "9" * 30, 400),
        ("/v1/entries?page_token=%00%ff", 400),
        ("/v1/entries?selector=", 400),
        ("/v1/entries?spiffe_id=x", 400),
        ("/v1/agents?expires_before=never", 400),
        ("/v1/agents?banned=perhaps", 400),
        ("/v1/agents?baned=true", 400),
        ("/v1/entries?\u00e9=1", 400),
    ):
        problem(api.client.get(path), status)
    problem(api.client.request("PUT", ENTRIES), 405)
    problem(api.client.request("TRACE", ENTRIES), 405)
    stale = api.client.patch(f"{ENTRIES}/none", json={}, headers={"If-Match": b'"\xff"'})
    assert stale.status_code in (400, 404, 412)


def test_http_that_is_none(api: Api) -> None:
    """Broken requests, headers by the 100 KB and lengths that lie are refused and the line cut."""
    head = "POST /v1/entries HTTP/1.1\r\nHost: localhost\r\n"
    auth = "".join(f"{name}: {value}\r\n" for name, value in api.headers.items())
    json_ = "Content-Type: application/json\r\n"
    cases = [
        b"\x16\x03\x01\x02\x00" + bytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n" * 10_000 + b"X",
        f"{head}X-Big: {'v' * 100_000}\r\n\r\n".encode(),
        (head + "".join(f"X-{number}: v\r\n" for number in range(20_000)) + "\r\n").encode(),
        f"{head}{auth}{json_}Content-Length: -1\r\n\r\n".encode(),
        f"{head}{auth}{json_}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".encode(),
        f"{head}{auth}{json_}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n".encode(),
        f"{head}{auth}{json_}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
        f"{head}{auth}{json_}Content-Length: 99999999999999999999999\r\n\r\n".encode(),
        b"GET /v1/entries\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    for said in cases:
        answer = api.raw(said)
        assert not answer or answer.split(b" ", 2)[1][:1] == b"4", (said[:80], answer[:200])


def test_a_body_that_is_never_ended(api: Api) -> None:
    """A body that is announced and does not come is given up; so is one beyond the bound."""
    head = "POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    auth = "".join(f"{name}: {value}\r\n" for name, value in api.headers.items())
    answer = api.raw(f"{head}{auth}Content-Length: 9000000\r\n\r\n".encode() + b"x" * 3_000_000)
    assert b" 413 " in answer.split(b"\r\n")[0]


def test_without_a_token_nothing_is_learned(world: Up) -> None:
    """Over HTTPS no body, however broken, gets a stranger further than the question who they are."""
    address = world["rest_address"]
    with unharmed(world):
        for token in ("", "Bearer", "Bearer x", "Basic eDp5", "Bearer " + "t" * 10_000):
            with httpx.Client(
                verify=ssl._create_unverified_context(), base_url=address, timeout=30
            ) as client:
                headers = {"Authorization": token} if token else {}
                answer = client.get(ENTRIES, headers=headers)
                problem(answer, 401)
                assert answer.headers["www-authenticate"].startswith("Bearer")
