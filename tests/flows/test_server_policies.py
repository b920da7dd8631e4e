"""Who may call whom, as agents are told it."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ca.events.happened import SYSTEM
from ca.operations.administration.administer_modes import callee_standing, set_mode, unset_mode
from ca.operations.enforcement import Versions, enforcement
from ca.operations.following.streams import FURTHEST_AHEAD
from ca.operations.publish_policies import publish_policies
from ca.registry.policy.stored import AuditLevel, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, decode_policies
from finial.policy.id_pattern import IdPattern
from finial.policy.statement import Form
from finial.spiffe.refusal import Kind
from finial.wire.pb import follow_pb2
from tests.doubles.house import Agent, House, entry_for, register
from tests.flows.scenes import play, refused
from tests.unit.rest.desk import Desk

PATIENCE = 5.0
PAYMENT = IdPattern.parse("spiffe://example.org/payment")


@asynccontextmanager
async def following(agent: Agent, held: int = 0) -> Any:
    """Open an agent's stream and say hello."""
    async with agent.client.stream("Follow.Follow") as stream:
        versions = {"policies": held, "bundle": 1}
        hello = follow_pb2.Hello(protocol=1, capabilities=["policies"], versions=versions)
        await stream.send(follow_pb2.Up(hello=hello))
        yield stream


async def told(stream: Any) -> PolicyDocument:
    """The next document of rules."""
    async with asyncio.timeout(PATIENCE):
        while (down := await stream.receive()) is not None:
            if down.WhichOneof("message") == "changed" and down.changed.topic == "policies":
                document = decode_policies(down.changed.document)
                assert document.version == down.changed.version
                return document
    raise AssertionError("the stream ended")


def rule(name: str, to: str, **members: Any) -> StoredPolicy:
    text = json.dumps(
        {"name": name, "from": "spiffe://example.org/*", "to": f"spiffe://example.org{to}"}
        | members
    )
    return StoredPolicy(id=name, name=name, form=Form.RULE, text=text)


async def store(built: House, *policies: StoredPolicy) -> None:
    for each in policies:
        await built.world.datastore.create_policy(each)
    await built.world.follower.caught_up()
    await publish_policies(built.world)


def test_an_agent_is_told_the_rules_of_its_callees(tmp_path: Path) -> None:
    """Not those of others; each callee with its mode; again only when something has changed."""

    async def act(built: House) -> None:
        agent, other, local = await built.join(), await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/payment"), entry_for(other.id, "/orders"))
        async with following(agent) as stream, following(other) as elsewhere:
            first = await told(stream)
            assert first.callees == {"spiffe://example.org/payment": Mode.OPEN}
            assert (await told(elsewhere)).callees == {"spiffe://example.org/orders": Mode.OPEN}
            await set_mode(built.world, SYSTEM, PAYMENT, Mode.ENFORCE, AuditLevel.ALL)
            await store(built, rule("pay", "/payment"), rule("order", "/orders"))
            second = await told(stream)
            assert second.callees == {"spiffe://example.org/payment": Mode.ENFORCE}
            assert [each.name for each in second.policies] == ["pay"]
            assert second.audit_all == ("spiffe://example.org/payment",)
            assert second.version > first.version
            await store(built, rule("other", "/orders"))
            await unset_mode(built.world, SYSTEM, PAYMENT)
            await publish_policies(built.world)
            last = await told(stream)
            assert (last.policies, last.callees) == (
                (),
                {"spiffe://example.org/payment": Mode.OPEN},
            )
            # An open callee asks no rule, so the agent of /orders was never told anything.
            [one] = built.world.streams.of(other.id)
            assert one.told["policies"] == first.version

    play(tmp_path, act)


def test_attributes_are_resolved_to_identities(tmp_path: Path) -> None:
    """Values of those that a rule may be about, for the names that it asks for."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/payment"))
        await set_mode(built.world, SYSTEM, PAYMENT, Mode.SHADOW)
        made = await Desk(built).ask(
            "POST",
            "/v1/entries",
            {
                "spiffe_id": "spiffe://example.org/admin",
                "parent_id": str(agent.id),
                "selectors": ["unix:uid:1"],
                "attributes": {"role": "admin", "team": "a"},
            },
        )
        assert made.status_code == 201, made.text
        await store(built, rule("admins", "/payment", when={"caller": {"role": "admin"}}))
        async with following(agent) as stream:
            document = await told(stream)
            assert document.attributes == {"spiffe://example.org/admin": {"role": ["admin"]}}

    play(tmp_path, act)


def test_versions_only_grow(tmp_path: Path) -> None:
    """An agent that holds a later version, as after a restored database, is told a later one."""

    async def act(built: House) -> None:
        agent = await built.join()
        now = int(built.clock.now() * 1000)
        async with following(agent, now + 5000) as stream:
            assert (await told(stream)).version == now + 5001
        async with following(agent, now + 10**12) as stream:
            assert (await told(stream)).version == now + 10**12 + 1
        async with following(agent, now + 10**13) as stream:
            assert (await told(stream)).version == now + FURTHEST_AHEAD + 1

    play(tmp_path, act)


def test_mode_is_explicit(tmp_path: Path) -> None:
    """It is set, told with who set it, inherited from a prefix, and audited both ways."""

    async def act(built: House) -> None:
        world = built.world
        found = callee_standing(world, PAYMENT)
        assert (found.holds.mode, found.own, found.is_set) == (Mode.OPEN, False, False)
        every = IdPattern.parse("spiffe://example.org/*")
        await set_mode(world, SYSTEM, every, Mode.SHADOW)
        found = callee_standing(world, PAYMENT)
        assert (found.holds.mode, found.own, found.is_set) == (Mode.SHADOW, False, True)
        found = await set_mode(world, SYSTEM, PAYMENT, Mode.ENFORCE)
        assert (found.holds.mode, found.own, found.holds.changed_by) == (
            Mode.ENFORCE,
            True,
            "system",
        )
        await unset_mode(world, SYSTEM, PAYMENT)
        kinds = [each for each in built.audit.kinds() if "mode" in str(each)]
        assert kinds == ["callee_mode_set", "callee_mode_set", "callee_mode_unset"]
        for wrong in (
            "spiffe://other.org/x",
            "spiffe://example.org/spire/server",
            "spiffe://example.org",
        ):
            attempt = set_mode(world, SYSTEM, IdPattern.parse(wrong), Mode.OPEN)
            assert (await refused(attempt)).kind is Kind.INVALID

    play(tmp_path, act)


def test_agents_that_lag_are_named(tmp_path: Path) -> None:
    """Told and not applied, away, or unable: each may decide by something out of date."""

    async def act(built: House) -> None:
        agent, away = await built.join(), await built.join()
        async with following(agent) as stream:
            document = await told(stream)
            found = {each.agent: each for each in enforcement(built.world)}
            assert not found[away.id].connected
            assert found[away.id].lags
            here = found[agent.id]
            assert (here.connected, here.blocks) == (True, None)
            assert here.policies == Versions(document.version, 0)
            assert here.lags
            applied = follow_pb2.Applied(topic="policies", version=document.version)
            await stream.send(follow_pb2.Up(applied=applied))
            async with asyncio.timeout(PATIENCE):
                async for topic in built.world.streams.applied.changes():
                    if topic == "policies":
                        break
            [here] = [each for each in enforcement(built.world) if each.agent == agent.id]
            assert here.policies is not None
            assert not here.policies.lags
            shown = await Desk(built).ask("GET", "/v1/enforcement?lagging=true")
            assert {each["agent_id"] for each in shown.json()["items"]} == {
                str(agent.id),
                str(away.id),
            }

    play(tmp_path, act)


def test_rules_that_fit_into_no_message_are_not_told(tmp_path: Path) -> None:
    """The agent keeps its former ones, and shows as one that lags, rather than decide by a part."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/payment"))
        async with following(agent) as stream:
            first = await told(stream)
            await set_mode(built.world, SYSTEM, PAYMENT, Mode.ENFORCE)
            text = f"permit (principal, action, resource); // {'x' * 60_000}"
            large = [
                StoredPolicy(id=f"{number}", name=f"{number}", form=Form.CEDAR, text=text)
                for number in range(60)
            ]
            await store(built, *large)
            [here] = enforcement(built.world)
            assert here.policies is not None
            assert here.policies.told > first.version
            assert here.policies.lags
            await built.world.datastore.delete_policy("0", "me", 0)
            await built.world.datastore.delete_policy("1", "me", 0)
            await built.world.follower.caught_up()
            await publish_policies(built.world)
            assert len((await told(stream)).policies) == 58

    play(tmp_path, act)
