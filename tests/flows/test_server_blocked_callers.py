"""Whoever calls the server by what is blocked is refused, also in the middle of something."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ca.events.happened import SYSTEM
from ca.operations.administration.administer_blocks import create_block, remove_block
from ca.operations.administration.administer_tokens import create_join_token
from ca.operations.admit_agent import standing_of
from ca.operations.attest_node import Attestation, attest_node
from ca.operations.blocked import refuse_blocked_svid
from ca.operations.renew_agent import renew_agent
from ca.registry.issued import Issued, SvidKind
from finial.blocks import SubjectKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason
from finial.spiffe.selector import Selector
from finial.spiffe.x509_svid import X509Svid
from finial.wire.pb import follow_pb2
from tests.doubles.house import House, csr, entry_for, register
from tests.flows.scenes import play, refused
from tests.flows.server_blocks import WEB, following, told, wish, x509_svid


@pytest.mark.parametrize("kind", [SubjectKind.ENTRY, SubjectKind.AGENT, SubjectKind.SELECTOR])
def test_an_svid_that_was_given_by_what_is_blocked_administers_nothing(
    tmp_path: Path, kind: SubjectKind
) -> None:
    """Its identity is good, but it came from a blocked entry, agent or selector; unblocked, it
    counts again.
    """

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [entry] = await register(local, entry_for(agent.id, "/web", "unix:uid:7", admin=True))
        given = await x509_svid(agent, entry.id)
        admin = await built.show(X509Svid.parse(given.svid.cert_chain))
        await admin.call("Entry.ListEntries")
        subject = {
            SubjectKind.ENTRY: entry.id,
            SubjectKind.AGENT: agent.id,
            SubjectKind.SELECTOR: "unix:uid:7",
        }[kind]
        made = await create_block(built.world, SYSTEM, wish(subject, kind))
        refusal = await refused(admin.call("Entry.ListEntries"))
        assert refusal.kind is Kind.DENIED
        assert "is blocked: key leaked" in refusal.detail
        await create_block(built.world, SYSTEM, wish("spiffe://example.org/web"))
        await remove_block(built.world, SYSTEM, made.block.id)
        assert (await refused(admin.call("Entry.ListEntries"))).kind is Kind.DENIED
        [last] = built.world.known.blocks
        await remove_block(built.world, SYSTEM, last.id)
        await admin.call("Entry.ListEntries")

    play(tmp_path, act)


def _blocking_after(
    built: House, act: Callable[..., Awaitable[Any]], subject: object
) -> Callable[..., Awaitable[Any]]:
    """The same act of the datastore, and before it is known to have been done, a block."""

    async def do(*args: Any, **named: Any) -> Any:
        done = await act(*args, **named)
        await create_block(built.world, SYSTEM, wish(subject))
        return done

    return do


class _Between:
    """A datastore during one of whose acts something else happens."""

    def __init__(self, datastore: Any, **acts: Any) -> None:
        self._datastore = datastore
        self.__dict__.update(acts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._datastore, name)


def test_an_agent_that_is_blocked_while_it_renews_gets_nothing(tmp_path: Path) -> None:
    """What was signed meanwhile is kept back."""

    async def act(built: House) -> None:
        agent, stored = await built.join(), built.world.datastore
        renewing = _blocking_after(built, stored.renew_node, agent.id)
        world = replace(built.world, datastore=_Between(stored, renew_node=renewing))  # type: ignore[arg-type]
        refusal = await refused(renew_agent(world, SYSTEM, agent.id, csr()))
        assert (refusal.kind, refusal.reason) == (Kind.DENIED, Reason.AGENT_BLOCKED)

    play(tmp_path, act)


def test_a_node_that_is_blocked_while_it_attests_gets_nothing(tmp_path: Path) -> None:
    """It is known as an agent then, and blocked as one."""

    async def act(built: House) -> None:
        stored = built.world.datastore
        made = await create_join_token(built.world, SYSTEM, 600)
        agent = SpiffeId.parse(f"spiffe://example.org/spire/agent/join_token/{made.token.id}")
        attesting = _blocking_after(built, stored.attest_node, agent)
        world = replace(built.world, datastore=_Between(stored, attest_node=attesting))  # type: ignore[arg-type]
        attestation = Attestation("join_token", made.text.encode(), csr())
        refusal = await refused(attest_node(world, SYSTEM, attestation, _converse))
        assert (refusal.kind, refusal.reason) == (Kind.DENIED, Reason.AGENT_BLOCKED)
        assert built.world.known.nodes.get(agent) is not None

    play(tmp_path, act)


async def _converse(challenge: bytes) -> bytes:
    raise AssertionError(challenge)


def test_an_svid_signed_for_an_agent_whose_node_is_blocked_meanwhile_is_kept_back(
    tmp_path: Path,
) -> None:
    """By a selector that the node shows and that no entry names."""

    async def act(built: House) -> None:
        agent, world = await built.join(), built.world
        node = world.known.nodes.get(agent.id)
        assert node is not None
        shown = replace(node, selectors=(Selector("x509pop", "ca:fingerprint:1"),))
        world.known.nodes.apply([shown], [])
        await create_block(world, SYSTEM, wish(shown.selectors[0], SubjectKind.SELECTOR))
        svid = Issued(SvidKind.X509, "1", str(WEB), "", 1, 2, "e", str(agent.id))
        with pytest.raises(Exception, match="is blocked: key leaked"):
            refuse_blocked_svid(world, svid)
        stranger = replace(svid, agent_id="spiffe://example.org/spire/agent/gone")
        refuse_blocked_svid(world, stranger)

    play(tmp_path, act)


def test_connections_of_a_blocked_agent_end_whether_or_not_it_listens(tmp_path: Path) -> None:
    """One that holds no stream is cast out like any other, also by a selector of its node."""

    async def act(built: House) -> None:
        agent, world = await built.join(), built.world
        cast_out: list[frozenset[SpiffeId]] = []
        world.follower.on_cast_out(cast_out.append)
        made = await create_block(world, SYSTEM, wish(agent.id))
        assert cast_out == [frozenset({agent.id})]
        await remove_block(world, SYSTEM, made.block.id)
        node = world.known.nodes.get(agent.id)
        assert node is not None
        world.known.nodes.apply([replace(node, selectors=(Selector("x", "1"),))], [])
        await create_block(world, SYSTEM, wish("x:1", SubjectKind.SELECTOR))
        assert cast_out == [frozenset({agent.id})] * 2

    play(tmp_path, act)


def test_a_stream_that_was_let_in_before_the_block_is_not_opened_after_it(tmp_path: Path) -> None:
    """Whoever keeps a call waiting before its first message is judged again by it."""

    async def act(built: House) -> None:
        agent = await built.join()
        async with agent.client.stream("Follow.Follow") as stream:
            # The calls of one connection begin in their order: the stream was let in before this.
            await agent.client.call("Entry.GetAuthorizedEntries")
            await create_block(built.world, SYSTEM, wish(agent.id))
            hello = follow_pb2.Hello(protocol=1, capabilities=["blocks"])
            await stream.send(follow_pb2.Up(hello=hello))
            refusal = await refused(told(stream))
        assert refusal.reason is Reason.AGENT_BLOCKED

    play(tmp_path, act)


def test_a_stream_ends_with_the_svid_that_opened_it(tmp_path: Path) -> None:
    """A blocked serial number of an agent's own ends its stream; one that can, attests again."""

    async def act(built: House) -> None:
        agent, world = await built.join(), built.world
        serial = str(agent.svid.serial)
        async with following(agent, "blocks") as stream:
            await told(stream)
            await create_block(world, SYSTEM, wish(serial, SubjectKind.SERIAL))
            assert (await refused(_to_the_end(stream))).kind is Kind.DENIED
        refusal = await refused(agent.client.call("Entry.GetAuthorizedEntries"))
        assert (refusal.kind, refusal.reason) == (Kind.DENIED, None)
        node = world.known.nodes.get(agent.id)
        assert node is not None
        world.known.nodes.apply([replace(node, can_reattest=True)], [])
        with pytest.raises(Exception, match="is blocked: key leaked") as caught:
            standing_of(world, agent.id, serial, agent.svid.not_after)
        assert caught.value.reason is Reason.AGENT_NOT_ACTIVE  # type: ignore[attr-defined]

    play(tmp_path, act)


async def _to_the_end(stream: Any) -> None:
    while await stream.receive() is not None:
        pass
