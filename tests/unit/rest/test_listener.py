import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.api.rest.https import GivenIdentity
from ca.api.rest.routes.watching import Vitals
from ca.api.rest.start import RestApi, start
from ca.operations.server_identity import renew_server_identity
from cli.request import new_request
from finial.spiffe.bundle_document import render_pem
from finial.spiffe.refusal import Refusal
from tests.doubles.house import House, house

VITALS = Vitals(lambda: b"", tuple)


def listening(
    folder: Path, act: Callable[[House, RestApi, Path], Awaitable[None]], **rest: object
) -> None:
    """Run a scene beside the listeners of a whole server."""

    async def scene() -> None:
        socket = folder / "admin.sock"
        settings = {"admin_socket": str(socket), **rest}
        async with house(folder, rest=settings) as built:
            identity = (await renew_server_identity(built.world, ("localhost",))).tls
            api = await start(built.world, VITALS, lambda: identity)
            try:
                await act(built, api, socket)
            finally:
                await api.close(1.0)

    asyncio.run(scene())


async def said(socket: Path, *parts: bytes, size: int = 65536) -> bytes:
    """Send bytes to a socket and read until it is closed, or for a moment."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(size), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_the_socket_is_for_its_owner_and_knows_the_caller(tmp_path: Path) -> None:
    """admin.sock has mode 0600, and the audit log names the caller by the kernel's word."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://ca") as client:
            assert (await client.post("/v1/join-tokens", json={})).status_code == 201
            assert (await client.get("/v1/health/live")).status_code == 200
        [made] = [each for each in built.audit.records if each["kind"] == "join_token_created"]
        assert f"'uid': {os.getuid()}" in str(made)
        assert f"'pid': {os.getpid()}" in str(made)

    listening(tmp_path, act)


def test_headers_are_bounded(tmp_path: Path) -> None:
    """More than 64 KiB of headers, in one piece or many, end the connection with 400."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        line = b"X-A: " + b"a" * 8000 + b"\r\n"
        many = [b"GET /v1/health/live HTTP/1.1\r\nHost: a\r\n", *([line] * 9)]
        assert (await said(socket, *many)).startswith(b"HTTP/1.1 400")
        assert (await said(socket, b"\x16\x03\x01nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
        good = b"GET /v1/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert (await said(socket, good)).startswith(b"HTTP/1.1 200")

    listening(tmp_path, act)


def test_a_long_body_ends_the_connection(tmp_path: Path) -> None:
    """A body that goes on and on is answered with 413 before it ends."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        head = (
            b"POST /v1/entries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        answer = await said(socket, head, *([chunk] * 33))
        assert answer.startswith(b"HTTP/1.1 413")

    listening(tmp_path, act)


def test_requests_follow_one_another(tmp_path: Path) -> None:
    """A connection is kept, and pipelined requests are answered in turn."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        one = b"GET /v1/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /v1/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(one * 3 + last)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert answer.count(b"HTTP/1.1 200") == 4

    listening(tmp_path, act)


def test_a_thousand_idle_connections_do_no_harm(tmp_path: Path) -> None:
    """Connections beyond 512 are closed unheard, and others are still served afterwards."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        idle = [await asyncio.open_unix_connection(socket) for _ in range(1000)]
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(idle[-1][0].read(), 5)
        for _, writer in idle:
            writer.close()
        good = b"GET /v1/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        async with asyncio.timeout(5):
            # The server hears of each end in its own time.
            while not (await said(socket, good)).startswith(b"HTTP/1.1 200"):
                pass

    listening(tmp_path, act)


def test_https_shows_the_servers_certificate(tmp_path: Path) -> None:
    """HTTPS has a certificate of our own authority for the configured names, and wants a token."""

    async def act(built: House, api: RestApi, socket: Path) -> None:
        assert api.https is not None
        import ssl

        pem = render_pem(built.world.known.bundle.value).decode()
        context = ssl.create_default_context(cadata=pem)
        transport = httpx.AsyncHTTPTransport(verify=context)
        # The clock stands still in this house, so the certificate may not be of this year.
        context.verify_flags |= ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
        url = f"https://localhost:{api.https[1]}"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            assert (await client.get("/v1/health/ready")).status_code == 200
            assert (await client.get("/v1/entries")).status_code == 401
        refused = [each for each in built.audit.records if each["kind"] == "call_refused"]
        assert "127.0.0.1" in str(refused)

    listening(tmp_path, act, bind_port=0)


def test_a_given_certificate_is_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate from files is taken when it changes; a broken one leaves the former.

    That is said once: handshakes are anybody's, and would fill the log.
    """
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    given = GivenIdentity(certificate, key)
    with pytest.raises(Refusal):
        given.current()
    _write(certificate, key, "one")
    first = given.current()
    assert given.current() is first
    _write(certificate, key, "two")
    second = given.current()
    assert second.chain != first.chain
    key.write_text("broken")
    for _ in range(3):
        assert given.current() is second
    assert caplog.text.count("the former one stays") == 1
    key.unlink()
    assert given.current() is second
    _write(certificate, key, "three")
    assert given.current() is not second
    key.write_text("broken")
    given.current()
    assert caplog.text.count("the former one stays") == 3


def _write(certificate: Path, key: Path, name: str) -> None:
    import datetime as dt

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem, _ = new_request(f"spiffe://example.org/{name}")
    private = load_pem_private_key(pem.encode(), None)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=private.public_key(),  # type: ignore[arg-type]
        serial_number=1,
        not_valid_before=dt.datetime(2020, 1, 1),  # noqa: DTZ001 - naive is UTC here
        not_valid_after=dt.datetime(2040, 1, 1),  # noqa: DTZ001
    ).sign(private, hashes.SHA256())  # type: ignore[arg-type]
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_text(pem)
