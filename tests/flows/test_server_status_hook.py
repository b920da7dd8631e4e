"""An external service has a say about who gets an identity."""

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import BlockWish, create_block
from ca.operations.ask_standing import HOOK, ask_again
from ca.operations.issuing.issue_svids import X509Wish, issue_jwt_svid, issue_x509_svids
from ca.operations.issuing.mint_svids import mint_jwt_svid
from ca.registry.standing_answer import StandingAnswers
from finial.blocks import Block, SubjectKind
from finial.runtime.files import write_private
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.house import House, csr, entry_for, register
from tests.flows.scenes import play, refused
from tests.flows.server_hook import WEB, Service, hooked, svid


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


def test_whoever_was_served_in_the_silence_is_asked_about_after_it(tmp_path: Path) -> None:
    """What was issued while nobody answered is blocked as soon as somebody denies it."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web"))
        service = Service()
        service.answer = _unreachable
        world = hooked(built, service)
        assert not isinstance(await svid(world, agent.id, entry.id), Refusal)
        service.answer = {"standing": "deny"}
        await ask_again(world)
        assert [each.subject for each in world.known.blocks] == [str(WEB)]

    play(tmp_path, act)


def test_a_slow_service_holds_up_nobody_for_long(tmp_path: Path) -> None:
    """However many SVIDs are asked for at once, their agent waits for two answers at most."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        entries = await register(
            local, *(entry_for(agent.id, f"/web{number}") for number in range(20))
        )
        service = Service()

        def slow() -> httpx.Response:
            built.clock.advance(2)
            raise httpx.ReadTimeout("nothing came")

        service.answer = slow
        wishes = [X509Wish(each.id, csr()) for each in entries]
        results = await issue_x509_svids(hooked(built, service), SYSTEM, agent.id, wishes)
        assert not any(isinstance(each, Refusal) for each in results)
        assert len(service.asked) == 2
        assert len(built.world.known.standings) == 20

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
