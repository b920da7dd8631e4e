"""Nodes in the datastore, and what an attestation comes to."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ca.datastore.join_tokens import Spending
from ca.datastore.ledger import IssuedFilter
from ca.registry.change import Topic
from ca.registry.join_token import JoinToken
from ca.registry.nodes.node import Node
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.clock import NOW
from tests.doubles.datastore import entry, node, opened, svid, workload


async def refusal_of(act: Awaitable[Any]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await act
    return refused.value


def alias(of: Node, name: str = "fleet") -> Any:
    selector = Selector("spiffe_id", str(of.id))
    return entry(name, spiffe_id=workload("fleet"), parent_id=of.id, selectors=(selector,))


def test_node_comes_back_whole(tmp_path: Path) -> None:
    """Every member of a node is read as it was written."""

    async def act() -> None:
        whole = node(
            new_serial_number="2",
            new_expires_at=9,
            can_reattest=True,
            banned=True,
            agent_version="1.2",
            attested_at=5,
        )
        async with opened(tmp_path) as datastore:
            await datastore.save_node(whole)
            await datastore.save_node(node("two"))
            assert await datastore.node(whole.id) == whole
            assert await datastore.load_nodes() == [whole, node("two")]
            assert await datastore.nodes_by_id([str(whole.id), "none"]) == [whole]
            assert await datastore.node(node("none").id) is None

    asyncio.run(act())


def test_attestation_stores_all_of_it(tmp_path: Path) -> None:
    """Node, spent token, alias entry and ledger row are written by one act with one number each."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(JoinToken("t1", b"p", int(NOW) + 60))
            stored = await datastore.attest_node(
                node(),
                spend_token=Spending("t1", "key"),
                alias_entry=alias(node()),
                issued=svid("77", entry_id=""),
            )
            assert stored == replace(node(), attested_at=int(NOW))
            assert await datastore.node(node().id) == stored
            [token] = await datastore.list_join_tokens()
            assert token.spent_by == "key"
            assert [each.id for each in await datastore.load_entries()] == ["fleet"]
            assert len((await datastore.list_issued(IssuedFilter(serial="77"))).items) == 1
            topics = [change.topic for change in await datastore.changes_after(0)]
            assert topics == [Topic.NODES, Topic.ENTRIES]

    asyncio.run(act())


def test_attestation_with_a_spent_token_stores_nothing(tmp_path: Path) -> None:
    """An agent whose token cannot be spent leaves no node, no entry and no SVID."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            refusal = await refusal_of(
                datastore.attest_node(
                    node(),
                    spend_token=Spending("t1", "key"),
                    alias_entry=alias(node()),
                    issued=svid("77"),
                )
            )
            assert refusal.detail == "join token does not exist or has already been used"
            assert await datastore.load_nodes() == []
            assert await datastore.load_entries() == []
            assert (await datastore.list_issued(IssuedFilter())).items == ()
            assert await datastore.latest_sequence() == 0

    asyncio.run(act())


def test_attestation_with_an_expired_token_consumes_it(tmp_path: Path) -> None:
    """A token found expired during attestation is gone, and the node is not there."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(JoinToken("t1", b"p", int(NOW)))
            refusal = await refusal_of(
                datastore.attest_node(node(), spend_token=Spending("t1", "key"))
            )
            assert refusal.detail == "join token expired"
            assert await datastore.list_join_tokens() == []
            assert await datastore.load_nodes() == []

    asyncio.run(act())


def test_agent_that_lost_its_answer_may_attest_again(tmp_path: Path) -> None:
    """The same key with the same token replaces the node and leaves its alias as it was."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_join_token(JoinToken("t1", b"p", int(NOW) + 60))
            for serial in ("1", "2"):
                await datastore.attest_node(
                    node(serial_number=serial),
                    spend_token=Spending("t1", "key"),
                    alias_entry=alias(node(), f"alias-{serial}"),
                )
            [stored] = await datastore.load_nodes()
            assert stored.serial_number == "2"
            assert [each.id for each in await datastore.load_entries()] == ["alias-1"]

    asyncio.run(act())


def test_attestation_replaces_what_was_known(tmp_path: Path) -> None:
    """A second attestation replaces selectors and serial numbers (SPIRE 7.11)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.save_node(node(new_serial_number="5", new_expires_at=5))
            again = node(serial_number="6", selectors=(), attested_at=3)
            assert await datastore.attest_node(again) == again
            assert await datastore.load_nodes() == [again]

    asyncio.run(act())


def test_banned_agent_cannot_attest(tmp_path: Path) -> None:
    """A banned agent is refused with its reason until it is evicted (BR-06)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.save_node(node(banned=True))
            refusal = await refusal_of(datastore.attest_node(node()))
            assert refusal.kind is Kind.DENIED
            assert refusal.reason is Reason.AGENT_BANNED
            assert refusal.detail == "failed to attest: agent is banned"
            await datastore.delete_node(node().id)
            await datastore.attest_node(node())

    asyncio.run(act())


def test_update_of_a_node(tmp_path: Path) -> None:
    """A change is stored and told; one that changes nothing is not; a missing node is refused."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.save_node(node())
            changed = await datastore.update_node(node().id, lambda n: replace(n, banned=True))
            assert changed.banned
            assert await datastore.node(node().id) == changed
            sequence = await datastore.latest_sequence()
            await datastore.update_node(node().id, lambda n: n)
            assert await datastore.latest_sequence() == sequence
            refusal = await refusal_of(datastore.update_node(node("none").id, lambda n: n))
            assert refusal.kind is Kind.NOT_FOUND

    asyncio.run(act())


def test_renewal_stores_serial_and_ledger_row(tmp_path: Path) -> None:
    """A renewal keeps the old serial number beside the new one, and its SVID in the ledger
    (BR-03)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.save_node(node())
            renewed = await datastore.renew_node(
                node().id, lambda n: replace(n, new_serial_number="2"), svid("2")
            )
            assert (renewed.serial_number, renewed.new_serial_number) == ("1", "2")
            assert len((await datastore.list_issued(IssuedFilter(serial="2"))).items) == 1
            refusal = await refusal_of(
                datastore.renew_node(node("none").id, lambda n: n, svid("3"))
            )
            assert refusal.kind is Kind.NOT_FOUND
            assert (await datastore.list_issued(IssuedFilter(serial="3"))).items == ()

    asyncio.run(act())


def test_eviction_takes_the_alias_along(tmp_path: Path) -> None:
    """An evicted node's alias entry goes with it, its workloads' entries stay (BR-07)."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.attest_node(node(), alias_entry=alias(node()))
            await datastore.create_entries([entry("web", parent_id=node().id)])
            assert (await datastore.delete_node(node().id)).id == node().id
            assert [each.id for each in await datastore.load_entries()] == ["web"]
            refusal = await refusal_of(datastore.delete_node(node().id))
            assert refusal.kind is Kind.NOT_FOUND

    asyncio.run(act())


def test_pruning_spares_banned_and_those_that_cannot_return(tmp_path: Path) -> None:
    """Only expired nodes go, never banned ones, and those that join once only on demand (7.13)."""

    async def act() -> None:
        old = int(NOW) - 10
        async with opened(tmp_path) as datastore:
            for each in (
                node("alive", can_reattest=True),
                node("banned", can_reattest=True, banned=True, expires_at=old),
                node("old", can_reattest=True, expires_at=old),
                node("once", expires_at=old),
            ):
                await datastore.save_node(each)
            pruned = await datastore.prune_nodes(NOW)
            assert [each.id.path for each in pruned] == ["/spire/agent/x509pop/old"]
            pruned = await datastore.prune_nodes(NOW, once_only_too=True)
            assert [each.id.path for each in pruned] == ["/spire/agent/x509pop/once"]
            assert len(await datastore.load_nodes()) == 2

    asyncio.run(act())


def test_pruning_is_limited(tmp_path: Path) -> None:
    """One pruning takes at most as many nodes as it may."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            for name in "abc":
                await datastore.save_node(node(name, can_reattest=True, expires_at=1))
            assert len(await datastore.prune_nodes(NOW, limit=2)) == 2
            assert len(await datastore.prune_nodes(NOW, limit=2)) == 1

    asyncio.run(act())
