"""How the status hook's service is asked, and what is never sent to it."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from ca import settings
from ca.operations.hook_client import HookClient
from ca.registry.standing_answer import Opinion, StandingAnswer
from ca.settings import StatusHook
from finial.runtime.clock import SystemClock
from finial.runtime.files import write_private
from finial.runtime.settings import SettingsError
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.house import House, entry_for, house, register
from tests.flows.scenes import play, refused
from tests.flows.server_hook import WEB, Service, hooked, svid


def test_secret_that_others_can_read_is_not_sent(tmp_path: Path) -> None:
    """It counts as a service that cannot be asked."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        secret = tmp_path / "secret"
        secret.write_text("hush")
        secret.chmod(0o644)
        service = Service(standing="allow")
        world = hooked(built, service, secret_file=secret, on_failure="closed")
        assert isinstance(await svid(world, agent.id, entry.id), Refusal)
        assert service.asked == []

    play(tmp_path, act)


@pytest.mark.parametrize("secret", [b"\xff\xfehush", b"hush\nhush", b"hush\x00", b" \n", None])
def test_secret_that_cannot_be_sent_is_not(tmp_path: Path, secret: bytes | None) -> None:
    """The answer is that the service cannot be asked, and nothing of the secret is told."""

    async def act() -> None:
        if secret is not None:
            write_private(tmp_path / "secret", secret)
        hook = StatusHook(url="https://idp.example.org/", secret_file=tmp_path / "secret")
        service = Service(standing="allow")
        client = HookClient(hook, httpx.MockTransport(service))
        refusal = await refused(client.ask(WEB, 0.0))
        assert refusal.kind is Kind.UNAVAILABLE
        assert "the secret in" in refusal.detail
        assert "hush" not in refusal.detail
        assert service.asked == []

    asyncio.run(act())


@pytest.mark.parametrize("lacking", ["ca_file", "secret_file"])
def test_a_service_that_could_never_be_asked_lets_no_server_begin(
    tmp_path: Path, lacking: str
) -> None:
    """Else a typing error would mean that everybody is allowed, or nobody."""
    nowhere = tmp_path / "nowhere"
    hook = StatusHook(url="https://idp.example.org/", **{lacking: nowhere})  # type: ignore[arg-type]
    table = {"url": hook.url, lacking: str(nowhere)}
    refusal = asyncio.run(refused(_begin(tmp_path, status_hook=table)))
    assert refusal.kind is Kind.PRECONDITION
    assert str(nowhere) in refusal.detail
    nowhere.write_text("hush")
    nowhere.chmod(0o644)
    with pytest.raises(Refusal, match="nowhere"):
        HookClient(hook).prepare()
    write_private(nowhere, SmallCa().pem if lacking == "ca_file" else b"hush")
    HookClient(hook).prepare()


async def _begin(folder: Path, **tables: Any) -> None:
    async with house(folder, **tables):
        raise AssertionError("it began")


@pytest.mark.parametrize("trusted", [True, False])
def test_service_is_asked_over_tls(tmp_path: Path, trusted: bool) -> None:
    """Its certificate has to be of the authority that the operator gave, and of its name."""
    now = SystemClock().now()
    ca, other = SmallCa(now=now), SmallCa(now=now)
    leaf = ca.leaf(dns=["localhost"])
    (tmp_path / "leaf.pem").write_bytes(leaf.chain_pem + leaf.key_pem)
    (tmp_path / "ca.pem").write_bytes((ca if trusted else other).pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        body = b'{"standing": "deny", "lifetime": 5}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async def act() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        hook = StatusHook(url=f"https://localhost:{port}/", ca_file=tmp_path / "ca.pem", timeout=5)
        client = HookClient(hook)
        try:
            if trusted:
                answer = await client.ask(WEB, 100.0)
                assert answer == StandingAnswer(Opinion.DENY, 105.0)
            else:
                assert (await refused(client.ask(WEB, 100.0))).kind is Kind.UNAVAILABLE
        finally:
            await client.close()
            server.close()

    asyncio.run(act())


@pytest.mark.parametrize("url", ["http://idp.example.org/", "https://", "idp.example.org", ""])
def test_service_is_never_asked_in_the_clear(url: str) -> None:
    """A configuration that would is refused."""
    table = {"server": {"trust_domain": "example.org"}, "status_hook": {"url": url}}
    with pytest.raises(SettingsError, match="https://"):
        settings.read(table)
