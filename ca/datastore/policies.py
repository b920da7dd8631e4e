"""Policies, all their versions, and the modes of callees."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import callee_modes, policies, policy_versions
from ca.registry.change import Topic
from ca.registry.policy.stored import AuditLevel, CalleeMode, PolicyVersion, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.id_pattern import IdPattern
from finial.policy.statement import Form
from finial.spiffe.refusal import Kind, Refusal

MODES: Final = "modes"
"""What a change of modes names, beside the ids of policies."""


class Policies(Subject):
    """The part of the datastore that keeps who may call whom."""

    async def create_policy(self, policy: StoredPolicy) -> None:
        """Store a new policy.

        Raises: Refusal of kind EXISTS when its name is taken; `value` is the id of that one.
        """

        def act(transaction: Transaction) -> None:
            _judge_name(transaction.connection, policy)
            transaction.connection.execute(insert(policies).values(_values(policy)))
            _remember(transaction, policy, deleted=False)

        await self._write(act)

    async def update_policy(
        self,
        policy_id: str,
        change: Callable[[StoredPolicy], StoredPolicy],
        *,
        expected_revision: int | None = None,
    ) -> StoredPolicy:
        """Replace a policy by what the pure function `change`, run in another thread, makes of it.

        Raises: Refusal of kind NOT_FOUND, STALE, EXISTS when its new name is taken; what `change`
        raises.
        """

        def act(transaction: Transaction) -> StoredPolicy:
            before = _find(transaction.connection, policy_id)
            _judge_revision(before.revision, expected_revision)
            after = change(before)
            if after == before:
                return before
            _judge_name(transaction.connection, after)
            chosen = update(policies).where(policies.c.id == policy_id)
            transaction.connection.execute(chosen.values(_values(after)))
            _remember(transaction, after, deleted=False)
            return after

        return await self._write(act)

    async def put_policies(
        self, wanted: Sequence[StoredPolicy]
    ) -> list[tuple[StoredPolicy | None, StoredPolicy]]:
        """Store new policies, all or none; those whose names are taken change the ones there are.

        Returns what each was, None for one that is new, and what it is; both are the same where
        nothing changed.
        """

        def act(
            transaction: Transaction,
        ) -> list[tuple[StoredPolicy | None, StoredPolicy]]:
            rows = transaction.connection.execute(select(policies)).mappings()
            known = {each.name: each for each in map(_policy, rows)}
            found = [(known.get(each.name), each) for each in wanted]
            done = [(old, old.replaced_by(new) if old else new) for old, new in found]
            made = [_values(after) for before, after in done if before is None]
            if made:
                transaction.connection.execute(insert(policies), made)
            for before, after in done:
                if before is not None and after != before:
                    chosen = update(policies).where(policies.c.id == before.id)
                    transaction.connection.execute(chosen.values(_values(after)))
            changed = [after for before, after in done if after != before]
            _remember(transaction, *changed, deleted=False)
            return done

        return await self._write(act)

    async def delete_policy(self, policy_id: str, who: str, now: int) -> StoredPolicy:
        """Forget a policy, though not its versions; return what it was.

        Raises: Refusal of kind NOT_FOUND.
        """

        def act(transaction: Transaction) -> StoredPolicy:
            before = _find(transaction.connection, policy_id)
            transaction.connection.execute(delete(policies).where(policies.c.id == policy_id))
            last = before.changed(before.told, enabled=before.enabled, now=now, who=who)
            _remember(transaction, last, deleted=True)
            return before

        return await self._write(act)

    async def load_policies(self) -> tuple[list[StoredPolicy], list[CalleeMode]]:
        """Read all policies by name, and all modes by callee."""

        def ask(connection: Connection) -> tuple[list[StoredPolicy], list[CalleeMode]]:
            found = connection.execute(select(policies).order_by(policies.c.name)).mappings()
            modes = connection.execute(
                select(callee_modes).order_by(callee_modes.c.callee)
            ).mappings()
            return [_policy(row) for row in found], [_mode(row) for row in modes]

        return await self._ask(ask)

    async def policy_versions(self, policy_id: str) -> list[PolicyVersion]:
        """Read what a policy was, the latest first; also of one that was deleted."""
        chosen = (
            select(policy_versions)
            .where(policy_versions.c.policy_id == policy_id)
            .order_by(policy_versions.c.revision.desc())
        )
        return await self._ask(
            lambda connection: [_version(row) for row in connection.execute(chosen).mappings()]
        )

    async def set_mode(
        self, wanted: CalleeMode, *, expected_revision: int | None = None
    ) -> tuple[CalleeMode | None, CalleeMode]:
        """Set the mode of a callee; return what it was and what it is.

        Raises: Refusal of kind STALE.
        """
        chosen = callee_modes.c.callee == str(wanted.callee)

        def act(transaction: Transaction) -> tuple[CalleeMode | None, CalleeMode]:
            connection = transaction.connection
            row = connection.execute(select(callee_modes).where(chosen)).mappings().one_or_none()
            before = None if row is None else _mode(row)
            revision = before.revision if before else 0
            _judge_revision(revision, expected_revision)
            values = {**_mode_values(wanted), "revision": revision + 1}
            connection.execute(delete(callee_modes).where(chosen))
            connection.execute(insert(callee_modes).values(values))
            transaction.note(Topic.POLICIES, [MODES])
            return before, _read_mode(values)

        return await self._write(act)

    async def unset_mode(self, callee: IdPattern) -> CalleeMode:
        """Forget the mode of a callee; return what it was.

        Raises: Refusal of kind NOT_FOUND.
        """
        chosen = callee_modes.c.callee == str(callee)

        def act(transaction: Transaction) -> CalleeMode:
            connection = transaction.connection
            row = connection.execute(select(callee_modes).where(chosen)).mappings().one_or_none()
            if row is None:
                raise Refusal(
                    Kind.NOT_FOUND,
                    "this callee has no mode of its own",
                    field="callee",
                    value=str(callee)[:80],
                )
            connection.execute(delete(callee_modes).where(chosen))
            transaction.note(Topic.POLICIES, [MODES])
            return _mode(row)

        return await self._write(act)


def policy_not_found(policy_id: str) -> Refusal:
    """Say that there is no such policy."""
    return Refusal(Kind.NOT_FOUND, "there is no such policy", field="id", value=policy_id[:80])


def _find(connection: Connection, policy_id: str) -> StoredPolicy:
    chosen = select(policies).where(policies.c.id == policy_id)
    row = connection.execute(chosen).mappings().one_or_none()
    if row is None:
        raise policy_not_found(policy_id)
    return _policy(row)


def _judge_name(connection: Connection, policy: StoredPolicy) -> None:
    chosen = select(policies.c.id).where(policies.c.name == policy.name)
    taken = connection.execute(chosen).scalar_one_or_none()
    if taken not in (None, policy.id):
        raise Refusal(Kind.EXISTS, "another policy has this name", field="name", value=str(taken))


def _judge_revision(revision: int, expected: int | None) -> None:
    if expected is not None and revision != expected:
        raise Refusal(
            Kind.STALE,
            f"it was changed meanwhile: revision {revision}, not {expected}",
            remedy="look at it again",
        )


def _remember(transaction: Transaction, *changed: StoredPolicy, deleted: bool) -> None:
    found = [_version_values(each, deleted=deleted) for each in changed]
    if found:
        transaction.connection.execute(insert(policy_versions), found)
    transaction.note(Topic.POLICIES, [each.id for each in changed])


def _version_values(policy: StoredPolicy, *, deleted: bool) -> dict[str, Any]:
    return {
        "policy_id": policy.id,
        "revision": policy.revision,
        "name": policy.name,
        "form": policy.form.value,
        "text": policy.text,
        "enabled": policy.enabled,
        "deleted": deleted,
        "at": policy.changed_at,
        "who": policy.changed_by,
    }


def _values(policy: StoredPolicy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "name": policy.name,
        "form": policy.form.value,
        "text": policy.text,
        "enabled": policy.enabled,
        "revision": policy.revision,
        "created_at": policy.created_at,
        "changed_at": policy.changed_at,
        "changed_by": policy.changed_by,
    }


def _policy(row: RowMapping) -> StoredPolicy:
    return StoredPolicy(**{**row, "form": Form(row["form"])})


def _version(row: RowMapping) -> PolicyVersion:
    return PolicyVersion(**{**row, "form": Form(row["form"])})


def _mode_values(mode: CalleeMode) -> dict[str, Any]:
    return {
        "callee": str(mode.callee),
        "mode": mode.mode.value,
        "audit": mode.audit.value,
        "changed_at": mode.changed_at,
        "changed_by": mode.changed_by,
    }


def _mode(row: RowMapping) -> CalleeMode:
    return _read_mode(dict(row))


def _read_mode(values: dict[str, Any]) -> CalleeMode:
    read = {
        "callee": IdPattern.parse(values["callee"]),
        "mode": Mode(values["mode"]),
        "audit": AuditLevel(values["audit"]),
    }
    return CalleeMode(**{**values, **read})
