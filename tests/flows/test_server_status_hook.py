"""An external service has a say about who gets an identity."""

import asyncio
import gzip
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ca import settings
from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import BlockWish, create_block
from ca.operations.ask_standing import HOOK, ask_again
from ca.operations.hook_client import HookClient
from ca.operations.issuing.issue_svids import X509Wish, issue_jwt_svid, issue_x509_svids
from ca.operations.issuing.mint_svids import mint_jwt_svid
from ca.operations.world import World
from ca.registry.standing_answer import Opinion, StandingAnswer, StandingAnswers
from ca.settings import StatusHook
from finial.blocks import Block, SubjectKind
from finial.runtime.clock import SystemClock
from finial.runtime.files import write_private
from finial.runtime.settings import SettingsError
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.house import House, csr, entry_for, house, register
from tests.flows.scenes import play, refused

WEB = SpiffeId.parse("spiffe://example.org/web")


class Service:
    """What answers, and what it was asked."""

    def __init__(self, **answer: Any) -> None:
        self.answer: dict[str, Any] | Callable[[], httpx.Response] = answer
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if callable(self.answer):
            return self.answer()
        return httpx.Response(200, json=self.answer)


def hooked(built: House, service: Service, **settings: Any) -> World:
    """The same world with a hook."""
    hook = StatusHook(url="https://idp.example.org/standing", **settings)
    return replace(built.world, hook=HookClient(hook, httpx.MockTransport(service)))


async def svid(world: World, agent: SpiffeId, entry_id: str) -> Any:
    """The one result of asking for an X.509-SVID."""
    [result] = await issue_x509_svids(world, SYSTEM, agent, [X509Wish(entry_id, csr())])
    return result


def test_who_is_denied_is_blocked_everywhere(tmp_path: Path) -> None:
    """Nothing is issued, agents are told a block with an end; allowed again, it is lifted."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service(standing="deny", lifetime=60, reason="left\x1bthe company")
        world = hooked(built, service)
        result = await svid(world, agent.id, entry.id)
        assert isinstance(result, Refusal)
        assert "denied by the status hook: left?the company" in result.detail
        [block] = world.known.blocks
        assert (block.who, block.until) == (HOOK.name, int(built.clock.now()) + 70)
        assert world.known.blocks_told.value.document.spiffe_ids == {str(WEB): block.id}
        minting = mint_jwt_svid(world, SYSTEM, WEB, ["them"], 0)
        assert (await refused(minting)).kind is Kind.DENIED
        assert len(service.asked) == 1
        built.clock.advance(60)
        await ask_again(world)
        [longer] = world.known.blocks
        assert (longer.id, longer.until) == (block.id, block.until + 60)
        service.answer = {"standing": "allow", "lifetime": 60}
        built.clock.advance(60)
        await ask_again(world)
        assert list(world.known.blocks) == []
        assert not isinstance(await svid(world, agent.id, entry.id), Refusal)
        kinds = [each for each in built.audit.kinds() if "blocked" in str(each)]
        assert kinds == ["blocked", "unblocked"]

    play(tmp_path, act)


def test_what_it_does_not_know_is_let_be(tmp_path: Path) -> None:
    """An answer counts for its lifetime; the secret goes along, and nobody else has it."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        write_private(tmp_path / "secret", b"hush\n")
        service = Service(standing="unknown")
        world = hooked(built, service, secret_file=tmp_path / "secret")
        assert not isinstance(await svid(world, agent.id, entry.id), Refusal)
        await issue_jwt_svid(world, SYSTEM, agent.id, entry.id, ["them"])
        [request] = service.asked
        assert request.headers["authorization"] == "Bearer hush"
        assert json.loads(request.content) == {"id": str(WEB)}
        built.clock.advance(60)
        await issue_jwt_svid(world, SYSTEM, agent.id, entry.id, ["them"])
        assert len(service.asked) == 2
        built.clock.advance(3600)
        await ask_again(world)
        assert len(world.known.standings) == 0
        await ask_again(built.world)

    play(tmp_path, act)


def _unreachable() -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.mark.parametrize(
    "answer",
    [
        _unreachable,
        lambda: httpx.Response(500),
        lambda: httpx.Response(302, headers={"Location": "https://elsewhere.example.org"}),
        lambda: httpx.Response(200, content=b"allow"),
        lambda: httpx.Response(200, content=b"x" * 100_000),
        lambda: httpx.Response(
            200,
            content=gzip.compress(b'{"standing":"allow"}'),
            headers={"Content-Encoding": "gzip"},
        ),
        lambda: httpx.Response(200, json={"standing": "perhaps"}),
    ],
)
def test_operator_chooses_what_a_silent_service_means(
    tmp_path: Path, answer: Callable[[], httpx.Response]
) -> None:
    """Open: it is issued. Closed: it is refused as unavailable. Neither blocks anybody."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service()
        service.answer = answer
        assert not isinstance(await svid(hooked(built, service), agent.id, entry.id), Refusal)
        closed = hooked(built, service, on_failure="closed")
        result = await svid(closed, agent.id, entry.id)
        assert isinstance(result, Refusal)
        assert result.kind is Kind.UNAVAILABLE
        token = issue_jwt_svid(closed, SYSTEM, agent.id, entry.id, ["them"])
        assert (await refused(token)).kind is Kind.UNAVAILABLE
        assert list(built.world.known.blocks) == []
        assert closed.hook is not None
        await closed.hook.close()

    play(tmp_path, act)


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_silence_ends_no_denial(tmp_path: Path, on_failure: str) -> None:
    """Only an answer does, also after a restart, for which the answers of before are gone."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service(standing="deny", lifetime=60)
        world = hooked(built, service, on_failure=on_failure)
        await svid(world, agent.id, entry.id)
        service.answer = _unreachable
        for second in range(200):
            built.clock.advance(1)
            if second == 100:
                world.known.standings = StandingAnswers()
            await ask_again(world)
            assert len(world.known.blocks.holding(built.clock.now())) == 1
        result = await svid(world, agent.id, entry.id)
        assert isinstance(result, Refusal)
        service.answer = {"standing": "unknown"}
        await ask_again(world)
        assert list(world.known.blocks) == []

    play(tmp_path, act)


def test_answers_that_come_at_once_take_effect_once(tmp_path: Path) -> None:
    """Several agents ask for the same identity; each is told the same, and none fails."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service(standing="deny", lifetime=60)
        world = hooked(built, service)

        async def everybody() -> list[Any]:
            return await asyncio.gather(*(svid(world, agent.id, entry.id) for _ in range(4)))

        assert {each.kind for each in await everybody()} == {Kind.DENIED}
        built.clock.advance(61)
        service.answer = {"standing": "allow"}
        assert not any(isinstance(each, Refusal) for each in await everybody())
        kinds = [each for each in built.audit.kinds() if "blocked" in str(each)]
        assert kinds == ["blocked", "unblocked"]

    play(tmp_path, act)


def test_an_administrator_may_be_faster(tmp_path: Path) -> None:
    """Who blocks or unblocks while the service's answer takes effect is no fault of anybody."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service(standing="deny", lifetime=60)
        world = hooked(built, service)
        made = await create_block(
            built.world, SYSTEM, BlockWish(SubjectKind.SPIFFE_ID, str(WEB), "x")
        )
        world.known.blocks.replace([])
        result = await svid(world, agent.id, entry.id)
        assert isinstance(result, Refusal)
        assert result.kind is Kind.DENIED
        service.answer = {"standing": "allow"}
        world.known.blocks.replace([replace_who(made.block)])
        await world.datastore.delete_block(made.block.id)
        built.clock.advance(61)
        assert not isinstance(await svid(world, agent.id, entry.id), Refusal)

    play(tmp_path, act)


def replace_who(block: Block) -> Block:
    """The same block as one of the hook's."""
    return msgspec.structs.replace(block, who=HOOK.name)


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


def test_a_block_of_an_administrator_stays(tmp_path: Path) -> None:
    """The service neither lifts nor changes what a person has blocked."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        wish = BlockWish(SubjectKind.SPIFFE_ID, str(WEB), "key leaked")
        made = await create_block(built.world, SYSTEM, wish)
        for standing in ("allow", "deny"):
            world = hooked(built, Service(standing=standing))
            assert isinstance(await svid(world, agent.id, entry.id), Refusal)
            assert list(built.world.known.blocks) == [made.block]
            built.clock.advance(61)

    play(tmp_path, act)


def test_without_room_for_a_block_nothing_is_issued_all_the_same(tmp_path: Path) -> None:
    """What agents cannot be told any more is refused by the server."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        world = hooked(built, Service(standing="deny"))
        many = [
            Block(f"b{number}", SubjectKind.JTI, "x" * 2000, "y" * 256, 1) for number in range(300)
        ]
        world.known.blocks.replace(many)
        result = await svid(world, agent.id, entry.id)
        assert isinstance(result, Refusal)
        assert "no reason given" in result.detail
        assert len(world.known.blocks) == 300

    play(tmp_path, act)


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
