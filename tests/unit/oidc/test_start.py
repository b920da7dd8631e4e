"""The listeners of OIDC discovery."""

import asyncio
import logging
import os
import stat
from pathlib import Path

import httpx
import pytest

from ca.api.oidc.start import OidcApi
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.house import House
from tests.unit.oidc.place import listening, trusting

LOCAL = "https://localhost"
CONFIGURATION = "/.well-known/openid-configuration"


def test_https_shows_a_certificate_of_our_own_for_the_issuers_host(tmp_path: Path) -> None:
    """Who trusts the bundle reaches discovery by the issuer's name, without a token."""

    async def act(built: House, api: OidcApi) -> None:
        assert api.https is not None
        url = f"{LOCAL}:{api.https[1]}"
        async with httpx.AsyncClient(verify=trusting(built), base_url=url) as client:
            assert (await client.get(CONFIGURATION)).json()["issuer"] == LOCAL
            assert len((await client.get("/keys")).json()["keys"]) == 1
            assert (await client.head("/keys")).headers["content-length"] != "0"
            assert (await client.post("/keys", json={})).status_code == 413
            assert (await client.get("/live")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(base_url=url) as client:
                await client.get("/keys")

    listening(tmp_path, act, jwt_issuer=LOCAL)


def test_https_shows_the_certificate_that_was_given(tmp_path: Path) -> None:
    """A certificate of the public's authorities takes the place of ours."""
    given = SmallCa("web.test").leaf(dns=["localhost"])
    (tmp_path / "tls.pem").write_bytes(given.chain_pem)
    (tmp_path / "tls.key").write_bytes(given.key_pem)

    async def act(built: House, api: OidcApi) -> None:
        assert api.https is not None
        context = trusting(built)
        reader, writer = await asyncio.open_connection(
            "localhost", api.https[1], ssl=_insecure(context)
        )
        shown = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        assert shown == given.der
        assert reader is not None

    files = {"certificate_file": str(tmp_path / "tls.pem"), "key_file": str(tmp_path / "tls.key")}
    listening(tmp_path, act, jwt_issuer=LOCAL, oidc=files)


def _insecure(context: object) -> object:
    import ssl

    assert isinstance(context, ssl.SSLContext)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_certificate_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Better no discovery than one that nobody can reach."""

    async def act(built: House, api: OidcApi) -> None:
        raise AssertionError("it started")

    files = {"certificate_file": str(tmp_path / "none.pem"), "key_file": str(tmp_path / "none")}
    with pytest.raises(Refusal) as caught:
        listening(tmp_path, act, oidc=files)
    assert caught.value.kind is Kind.PRECONDITION


def test_a_proxy_finds_it_on_a_unix_socket(tmp_path: Path) -> None:
    """The socket is for every user who reaches its folder; requests are bounded there too."""
    socket = tmp_path / "oidc.sock"

    async def act(built: House, api: OidcApi) -> None:
        assert api.https is None
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o666
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        base = "http://oidc.example.org"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            assert (await client.get("/keys")).status_code == 200
            assert (await client.get("/keys", headers={"Host": "a"})).status_code == 421
            long = {f"X-{number}": "a" * 8000 for number in range(9)}
            assert (await client.get("/keys", headers=long)).status_code == 400
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(b"GET /keys HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\nabc")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 413")

    listening(tmp_path, act, oidc={"listen": f"unix://{socket}"})
    assert not socket.exists()


def test_one_address_has_its_share_of_connections(tmp_path: Path) -> None:
    """The connection beyond 64 is closed unheard; once one has gone there is room again."""

    async def act(built: House, api: OidcApi) -> None:
        assert api.https is not None
        context = trusting(built)

        async def opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("localhost", api.https[1], ssl=context)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                return await asyncio.wait_for(reader.read(12), 5)
            except ConnectionError:
                return b""

        held = [await opened() for _ in range(64)]
        assert await answer(*held[-1]) == b"HTTP/1.1 200"
        assert await answer(*await opened()) == b""
        held[0][1].close()
        async with asyncio.timeout(5):
            while await answer(*await opened()) != b"HTTP/1.1 200":
                pass
        for _, writer in held:
            writer.close()

    listening(tmp_path, act, jwt_issuer=LOCAL)


@pytest.mark.parametrize(
    ("tokens", "published", "said"),
    [
        ("https://oidc.example.org/", "https://oidc.example.org", "compare every letter"),
        ("", "https://oidc.example.org", "name no issuer"),
    ],
)
def test_an_issuer_that_tokens_do_not_say_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tokens: str, published: str, said: str
) -> None:
    """It serves nevertheless: who changes an issuer does so in some order."""

    async def act(built: House, api: OidcApi) -> None:
        assert api.https is not None

    with caplog.at_level(logging.WARNING):
        listening(tmp_path, act, jwt_issuer=tokens, oidc={"issuer": published})
    assert said in caplog.text


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /keys HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET /keys HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 421),
        (b"GET /keys HTTP/1.1\r\n", 421),
        (b"GET /keys HTTP/1.0\r\n", 421),
        (b"GET https://evil.example/keys HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET https://localhost/keys HTTP/1.1\r\nHost: evil.example\r\n", 421),
        (b"GET /%6beys HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET //keys HTTP/1.1\r\nHost: localhost\r\n", 404),
        (b"GET /x/../keys HTTP/1.1\r\nHost: localhost\r\n", 404),
        (b"GET /keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n", 413),
        (b"GET /keys HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n", 200),
        (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n", 400),
        (b"GET /keys HTTP/9.9\r\nHost: localhost\r\n", 400),
        (b"nonsense\r\n", 400),
        (b"PRI * HTTP/2.0\r\n", 400),
    ],
)
def test_odd_requests_get_a_plain_answer(tmp_path: Path, request_head: bytes, status: int) -> None:
    """What is asked in a strange way is answered or refused, and the next one is served."""
    path = tmp_path / "oidc.sock"

    async def act(built: House, api: OidcApi) -> None:
        async def said(head: bytes) -> bytes:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(head + b"Connection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return answer

        assert (await said(request_head)).split(b" ")[1] == str(status).encode()
        assert b"200 OK" in await said(b"GET /keys HTTP/1.1\r\nHost: localhost\r\n")

    listening(tmp_path, act, jwt_issuer=LOCAL, oidc={"listen": f"unix://{path}"})
