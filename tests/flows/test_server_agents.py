"""Administrators look at agents; agents say which version they are; memory follows the database."""

from pathlib import Path
from typing import Any

from ca.registry.change import Topic
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind
from finial.wire.convert import spiffe_id_message
from finial.wire.pb import agent_pb2, types_pb2
from finial.wire.pb.well_known import BoolValue
from tests.doubles.clock import settle
from tests.doubles.datastore import bundle, entry, node
from tests.doubles.house import Client, House
from tests.flows.scenes import play, refused

Filter = agent_pb2.ListAgentsRequest.Filter


async def listed(client: Client, **members: Any) -> list[str]:
    response = await client.call("Agent.ListAgents", agent_pb2.ListAgentsRequest(**members))
    return [agent.id.path.rpartition("/")[2] for agent in response.agents]


async def populate(built: House) -> None:
    datastore = built.world.datastore
    await datastore.save_node(node("a", can_reattest=True))
    await datastore.save_node(node("b", banned=True, serial_number=""))
    await datastore.save_node(node("c", attestation_type="join_token", expires_at=5))
    await built.world.follower.caught_up()


def test_agents_are_listed_by_filter_page_and_mask(tmp_path: Path) -> None:
    """Filters are joined by AND, pages lead through all, the ID is always there."""

    async def act(built: House) -> None:
        await populate(built)
        local = await built.local()
        assert await listed(local) == ["a", "b", "c"]
        assert await listed(local, filter=Filter(by_attestation_type="x509pop")) == ["a", "b"]
        assert await listed(local, filter=Filter(by_banned=BoolValue(value=False))) == ["a", "c"]
        assert await listed(local, filter=Filter(by_can_reattest=BoolValue(value=True))) == ["a"]
        early = Filter(by_expires_before="2000-01-01 00:00:00 +0000 +00")
        assert await listed(local, filter=early) == ["c"]
        both = Filter(by_attestation_type="x509pop", by_banned=BoolValue(value=True))
        assert await listed(local, filter=both) == ["b"]
        first = await local.call("Agent.ListAgents", agent_pb2.ListAgentsRequest(page_size=2))
        assert len(first.agents) == 2
        assert await listed(local, page_size=2, page_token=first.next_page_token) == ["c"]
        counted = agent_pb2.CountAgentsRequest(
            filter=agent_pb2.CountAgentsRequest.Filter(by_attestation_type="x509pop")
        )
        assert (await local.call("Agent.CountAgents", counted)).count == 2
        assert (await local.call("Agent.CountAgents")).count == 3
        mask = types_pb2.AgentMask(banned=True)
        masked = await local.call("Agent.ListAgents", agent_pb2.ListAgentsRequest(output_mask=mask))
        assert [each.banned for each in masked.agents] == [False, True, False]
        assert not masked.agents[0].attestation_type

    play(tmp_path, act)


def test_only_agents_are_looked_for(tmp_path: Path) -> None:
    """An ID outside the agents' namespace is invalid, an unknown agent not found."""

    async def act(built: House) -> None:
        local = await built.local()
        for path, kind in (
            ("/web", Kind.INVALID),
            ("/spire/agent", Kind.INVALID),
            ("/spire/agent/x/none", Kind.NOT_FOUND),
        ):
            named = types_pb2.SPIFFEID(trust_domain="example.org", path=path)
            for rpc in ("GetAgent", "BanAgent", "DeleteAgent"):
                request = getattr(agent_pb2, f"{rpc}Request")(id=named)
                assert (await refused(local.call(f"Agent.{rpc}", request))).kind is kind

    play(tmp_path, act)


def test_an_agent_says_its_version(tmp_path: Path) -> None:
    """It is stored when it is new, never when it is empty, and bounded."""

    async def act(built: House) -> None:
        agent = await built.join()
        for version in ("1.2.3", "1.2.3", ""):
            request = agent_pb2.PostStatusRequest(agent_version=version)
            await agent.client.call("Agent.PostStatus", request)
        found = built.world.known.nodes.get(agent.id)
        assert found is not None
        assert found.agent_version == "1.2.3"
        long = agent_pb2.PostStatusRequest(agent_version="x" * 256)
        assert (await refused(agent.client.call("Agent.PostStatus", long))).kind is Kind.INVALID
        local = await built.local()
        request = agent_pb2.GetAgentRequest(id=spiffe_id_message(agent.id))
        assert (await local.call("Agent.GetAgent", request)).agent_version == "1.2.3"

    play(tmp_path, act)


def test_memory_follows_what_others_write(tmp_path: Path) -> None:
    """Entries, nodes and bundles that another server stored are known without being asked for."""

    async def act(built: House) -> None:
        world = built.world
        await world.datastore.create_entries([entry("web")])
        await world.datastore.save_node(node("one"))
        foreign = bundle(b"\x30\x00", trust_domain=SpiffeId.parse("spiffe://a.org").trust_domain)
        await world.datastore.set_federated_bundle(foreign)
        await world.follower.poll()
        await world.follower.caught_up()
        assert world.known.entries.get("web")
        assert world.known.nodes.get(node("one").id)
        assert list(world.known.federated.value) == [foreign.trust_domain]
        assert world.known.sequence == await world.datastore.latest_sequence()

    play(tmp_path, act)


def test_memory_that_fell_behind_reads_everything_again(tmp_path: Path) -> None:
    """When the changes in between are gone, what went meanwhile goes here too."""

    async def act(built: House) -> None:
        world = built.world
        [kept, _] = await world.datastore.create_entries([entry("kept"), entry("gone")])
        await world.follower.caught_up()
        stream = world.streams.open(node("one").id)
        await world.datastore.save_node(node("one"))
        await world.follower.caught_up()
        behind = world.known.sequence
        await world.datastore.delete_entries(["gone"])
        await world.datastore.prune_changes(built.clock.now() + 10**6)
        world.known.sequence = behind - 1
        await world.follower.caught_up()
        assert [each.id for each in world.known.entries] == [kept.id]  # type: ignore[union-attr]
        assert world.known.sequence == await world.datastore.latest_sequence()
        notice = await stream.next()
        assert (notice.topic, notice.ids) == (Topic.ENTRIES.value, ())  # type: ignore[union-attr]

    play(tmp_path, act)


def test_a_backup_that_was_restored_does_not_keep_memory_busy(tmp_path: Path) -> None:
    """A number that the database no longer reaches is given up for the one it has."""

    async def act(built: House) -> None:
        world = built.world
        latest = await world.datastore.latest_sequence()
        world.follower.committed(latest + 100)
        await world.follower.caught_up()
        await settle()
        assert world.known.sequence == latest

    play(tmp_path, act)
