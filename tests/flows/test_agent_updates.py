"""What comes in an open stream of the Workload API when identities and bundles change."""

import asyncio

from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.certificate import split_der
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import Scene, never, soon, until
from tests.doubles.scripted_server import DOMAIN
from tests.flows.agent_scenes import ME, play, refused


def test_a_new_entry_arrives_in_an_open_stream() -> None:
    """WAPI-09, WAPI-10: a new identity comes in one message, together with the known ones."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            first = await soon(stream.receive())
            played.server.entry("b", "/db", ME)
            played.server.tell_entries()
            second = await soon(stream.receive())
            assert len(second.svids) == 2
            assert second.svids[0] == first.svids[0]
            await never(stream)

    play(act)


def test_a_deleted_entry_leaves_an_open_stream() -> None:
    """WAPI-56: one of two identities that is revoked is missing from the next message."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            del played.server.entries["a"]
            played.server.tell_entries()
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/db"]

    play(act)


def test_the_last_identity_lost_ends_the_stream() -> None:
    """WAPI-16, WAPI-28, WAPI-56: losing the last identity ends every stream with a denial."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with (
            played.agent() as agent,
            agent.open() as svids,
            agent.open("FetchX509Bundles") as bundles,
            agent.open("FetchJWTBundles") as jwt_bundles,
        ):
            streams = (svids, bundles, jwt_bundles)
            for stream in streams:
                await soon(stream.receive())
            played.server.entries.clear()
            played.server.tell_entries()
            for stream in streams:
                assert (await refused(stream.receive())).kind is Kind.DENIED

    play(act)


def test_a_changed_entry_changes_the_answer() -> None:
    """WAPI-09: an entry that grants another ID brings a message with that ID alone."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            played.server.entry("a", "/other", ME, created_at=1)
            played.server.tell_entries()
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/other"]

    play(act)


def test_a_rotation_brings_one_message() -> None:
    """WAPI-09, WAPI-10: one of two SVIDs that rotates brings one message that has both."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            played.server.svid_ttl = 36_000
            played.server.entry("b", "/db", ME)
            played.server.tell_entries()
            await until(lambda: len(agent.parts.tasks.holdings.value.svids) == 2)
            async with agent.open() as stream:
                first = await soon(stream.receive())
                await played.pass_time(2000)
                second = await soon(stream.receive())
                assert second.svids[0].x509_svid != first.svids[0].x509_svid
                assert second.svids[1] == first.svids[1]
                await never(stream)

    play(act)


def test_a_stream_is_held_until_its_svid_is_signed() -> None:
    """WAPI-11: a caller whose SVID is being signed waits instead of being denied."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await never(stream)
            played.server.hold_signing.set()
            assert len((await soon(stream.receive())).svids) == 1

    play(act)


def test_a_stream_is_not_held_for_ever() -> None:
    """WEP-16: a caller whose SVID cannot be had within a bounded time is told Unavailable."""

    async def act(played: Scene) -> None:
        played.server.hold_signing = asyncio.Event()
        played.server.entry("a", "/web", ME)
        async with played.agent(hold=20) as agent, agent.open() as stream:
            await never(stream)
            await played.pass_time(21)
            assert (await refused(stream.receive())).kind is Kind.UNAVAILABLE

    play(act)


def test_after_holding_a_stream_gets_what_there_is() -> None:
    """WAPI-11: when one of two SVIDs cannot be had in time the other is sent alone."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        played.server.refuse_entries["b"] = Refusal(Kind.INTERNAL, "no")
        async with played.agent(hold=20) as agent, agent.open() as stream:
            await never(stream)
            await played.pass_time(21)
            answer = await soon(stream.receive())
            assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/web"]
            assert agent.records.named("signing_failed")

    play(act)


def test_a_new_bundle_comes_with_the_svids() -> None:
    """TDB-05, WAPI-09, WAPI-23: only the bundle changes, and the message has the SVIDs too."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            first = await soon(stream.receive())
            played.server.rotate_ca(SmallCa(now=played.clock.now()))
            played.server.tell_bundle()
            second = await soon(stream.receive())
            assert len(split_der(second.svids[0].bundle)) == 2
            assert second.svids[0].x509_svid == first.svids[0].x509_svid

    play(act)


def test_many_changes_become_few_messages() -> None:
    """WAPI-12: of fifty changes in no time a bounded number is sent, the last one complete."""

    async def act(played: Scene) -> None:
        played.server.entry("e", "/e", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            holdings = agent.parts.tasks.holdings
            own = holdings.value.own_bundle
            assert own is not None
            for _ in range(50):
                authority = X509Authority(SmallCa(now=played.clock.now()).der)
                agent.parts.tasks.sync.learn_bundles(
                    [Bundle(DOMAIN, (*own.x509_authorities, authority))]
                )
                await asyncio.sleep(0.001)  # noqa: TID251 - one change after another
            await played.pass_time(1)
            received = 0
            last = None
            while received < 50:
                waiting = asyncio.ensure_future(stream.receive())
                done, _ = await asyncio.wait({waiting}, timeout=0.2)
                if not done:
                    waiting.cancel()
                    break
                last, received = waiting.result(), received + 1
            assert 1 <= received <= 8
            assert last is not None
            assert last.svids[0].bundle.endswith(authority.der)

    play(act)


def test_a_bundle_stream_says_nothing_while_svids_rotate() -> None:
    """WAPI-10: a bundle stream gets no message when only an SVID changed."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open("FetchX509Bundles") as stream:
            await soon(stream.receive())
            await played.pass_time(2000)
            await until(lambda: len(agent.records.named("svid_received")) > 1)
            await never(stream)

    play(act)


def test_shutdown_ends_streams_with_unavailable() -> None:
    """WAPI-08: when the agent stops, streams end with a status that tells clients to come again."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            await agent.parts.listeners.close(0.1)
            assert (await refused(stream.receive())).kind is Kind.UNAVAILABLE

    play(act)
