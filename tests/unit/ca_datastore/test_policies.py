"""Policies, their versions and the modes of callees in the datastore."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ca.datastore.datastore import Datastore
from ca.registry.policy.stored import AuditLevel, CalleeMode, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyText
from finial.policy.id_pattern import IdPattern
from finial.policy.statement import Form
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.datastore import opened

POLICY = StoredPolicy(
    id="p1", name="orders", form=Form.RULE, text="{}", created_at=5, changed_at=5, changed_by="me"
)
MODE = CalleeMode(
    callee=IdPattern.parse("spiffe://example.org/team-a/*"), mode=Mode.SHADOW, changed_at=5
)


def acted(folder: Path, act: Callable[[Datastore], Awaitable[None]]) -> None:
    async def scene() -> None:
        async with opened(folder) as datastore:
            await act(datastore)

    asyncio.run(scene())


def revised(policy: StoredPolicy) -> StoredPolicy:
    text = PolicyText("orders", Form.CEDAR, "permit (principal, action, resource);")
    return policy.changed(text, enabled=False, now=7, who="you")


def test_policies_are_put_together(tmp_path: Path) -> None:
    """New ones are made, those whose names are taken are changed, equal ones are left alone."""

    async def act(datastore: Datastore) -> None:
        other = replace(POLICY, id="p2", name="other")
        assert await datastore.put_policies([POLICY, other]) == [(None, POLICY), (None, other)]
        wanted = replace(POLICY, id="p3", text='{"a":1}', changed_at=9, changed_by="you")
        after = replace(wanted, id="p1", revision=1)
        again = replace(other, id="p4", changed_at=9)
        done = await datastore.put_policies([wanted, again])
        assert done == [(POLICY, after), (other, other)]
        assert sorted((await datastore.load_policies())[0], key=lambda each: each.id) == [
            after,
            other,
        ]
        assert [each.who for each in await datastore.policy_versions("p1")] == ["you", "me"]
        assert len(await datastore.policy_versions("p2")) == 1
        before = await datastore.latest_sequence()
        assert await datastore.put_policies([again]) == [(other, other)]
        assert await datastore.latest_sequence() == before

    acted(tmp_path, act)


def test_policy_is_kept_with_all_its_versions(tmp_path: Path) -> None:
    """Created, updated, deleted: each is a version, also after the end."""

    async def act(datastore: Datastore) -> None:
        await datastore.create_policy(POLICY)
        assert await datastore.load_policies() == ([POLICY], [])
        after = await datastore.update_policy("p1", revised, expected_revision=0)
        assert (await datastore.load_policies())[0] == [after]
        assert await datastore.update_policy("p1", lambda policy: policy) == after
        assert await datastore.delete_policy("p1", "them", 9) == after
        assert await datastore.load_policies() == ([], [])
        versions = await datastore.policy_versions("p1")
        assert [(each.revision, each.form, each.deleted, each.who) for each in versions] == [
            (2, Form.CEDAR, True, "them"),
            (1, Form.CEDAR, False, "you"),
            (0, Form.RULE, False, "me"),
        ]
        assert await datastore.policy_versions("p2") == []

    acted(tmp_path, act)


def test_wrong_changes_are_refused(tmp_path: Path) -> None:
    """A name is given once, a revision that moved on is stale, and nobody changes what is not."""

    async def act(datastore: Datastore) -> None:
        await datastore.create_policy(POLICY)
        other = replace(POLICY, id="p2", name="other")
        await datastore.create_policy(other)
        for attempt, kind in (
            (datastore.create_policy(replace(POLICY, id="p3")), Kind.EXISTS),
            (datastore.update_policy("p2", revised), Kind.EXISTS),
            (datastore.update_policy("p1", revised, expected_revision=3), Kind.STALE),
            (datastore.update_policy("p9", revised), Kind.NOT_FOUND),
            (datastore.delete_policy("p9", "me", 1), Kind.NOT_FOUND),
            (datastore.unset_mode(MODE.callee), Kind.NOT_FOUND),
            (datastore.set_mode(MODE, expected_revision=3), Kind.STALE),
        ):
            with pytest.raises(Refusal) as refused:
                await attempt
            assert refused.value.kind is kind

    acted(tmp_path, act)


def test_modes_are_set_and_unset(tmp_path: Path) -> None:
    """The former one is told; each setting is another revision."""

    async def act(datastore: Datastore) -> None:
        before, first = await datastore.set_mode(MODE)
        assert (before, first) == (None, replace(MODE, revision=1))
        wanted = replace(MODE, mode=Mode.ENFORCE, audit=AuditLevel.ALL)
        before, second = await datastore.set_mode(wanted, expected_revision=1)
        assert (before, second) == (first, replace(wanted, revision=2))
        assert await datastore.load_policies() == ([], [second])
        assert await datastore.unset_mode(MODE.callee) == second
        assert await datastore.load_policies() == ([], [])

    acted(tmp_path, act)
