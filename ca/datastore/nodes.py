"""Nodes: attested, renewed, banned, evicted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, update

from ca.datastore.columns import parts, read_id, read_selectors, write_selectors
from ca.datastore.engine.rows import RowsInsert
from ca.datastore.engine.transaction import Transaction
from ca.datastore.entries import aliases, create, dated, delete_by_ids
from ca.datastore.join_tokens import Spending, spend
from ca.datastore.ledger import insert_issued, write_issued
from ca.datastore.subject import Subject
from ca.datastore.tables import nodes
from ca.registry.change import Topic
from ca.registry.entry import Entry
from ca.registry.issued import Issued
from ca.registry.nodes.node import Node
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal

_PRUNED_AT_ONCE = 1000

_insert = RowsInsert(nodes)
_one = select(nodes).where(nodes.c.id == bindparam("node"))
_update = update(nodes).where(nodes.c.id == bindparam("node"))


class Nodes(Subject):
    """The part of the datastore that keeps nodes."""

    async def attest_node(
        self,
        node: Node,
        *,
        spend_token: Spending | None = None,
        alias_entry: Entry | None = None,
        issued: Issued | None = None,
    ) -> Node:
        """Store what an attestation came to, all of it in one transaction.

        That is the node (replacing what was known of it), the join token spent by it, the entry
        that gives its workloads a stable parent, and its SVID in the ledger. `attested_at` is kept
        where it is set and is now otherwise. An alias entry that is there already is left alone.

        Raises: Refusal of kind DENIED when the node is banned (SPIRE BR-06), INVALID when the
        token cannot be spent.
        """
        now = self._clock.now()

        def act(transaction: Transaction) -> Node | Refusal:
            if spend_token is not None:
                token = spend(transaction.connection, spend_token, now)
                if isinstance(token, Refusal):
                    return token
            stored = _attest(transaction, node, int(now))
            if alias_entry is not None:
                create(transaction, [dated(alias_entry, now)])
            if issued is not None:
                insert_issued.run(transaction.connection, [write_issued(issued)])
            return stored

        outcome = await self._write(act)
        if isinstance(outcome, Refusal):
            # Raised here, after the commit, because an expired token is consumed all the same.
            raise outcome
        return outcome

    async def save_node(self, node: Node) -> None:
        """Store a node, whatever was known of it."""

        def act(transaction: Transaction) -> None:
            _save(transaction, node, _read(transaction.connection, node.id) is not None)

        await self._write(act)

    async def update_node(self, node_id: SpiffeId, change: Callable[[Node], Node]) -> Node:
        """Replace a node by what the pure function `change`, run in another thread, makes of it.

        Raises: Refusal of kind NOT_FOUND; what `change` raises.
        """

        def act(transaction: Transaction) -> Node:
            before = _read(transaction.connection, node_id)
            if before is None:
                raise _not_found(node_id)
            after = change(before)
            if after != before:
                _save(transaction, after, there=True)
            return after

        return await self._write(act)

    async def renew_node(
        self, node_id: SpiffeId, change: Callable[[Node], Node], issued: Issued
    ) -> Node:
        """Store a node's new serial number together with its SVID in the ledger (SPIRE BR-03).

        Raises: Refusal of kind NOT_FOUND; what `change` raises.
        """

        def act(transaction: Transaction) -> Node:
            before = _read(transaction.connection, node_id)
            if before is None:
                raise _not_found(node_id)
            after = change(before)
            _save(transaction, after, there=True)
            insert_issued.run(transaction.connection, [write_issued(issued)])
            return after

        return await self._write(act)

    async def delete_node(self, node_id: SpiffeId) -> Node:
        """Evict a node: forget it and the alias entries made for it; return what it was.

        Raises: Refusal of kind NOT_FOUND.
        Spec: SPIRE BR-07.
        """

        def act(transaction: Transaction) -> Node:
            before = _read(transaction.connection, node_id)
            if before is None:
                raise _not_found(node_id)
            _forget(transaction, [before])
            return before

        return await self._write(act)

    async def prune_nodes(
        self, expired_before: float, *, once_only_too: bool = False, limit: int = _PRUNED_AT_ONCE
    ) -> list[Node]:
        """Evict nodes whose SVID expired before that time and that are not banned; return them.

        Those that cannot attest again by themselves stay, unless `once_only_too` (SPIRE 7.13).
        """
        chosen = select(nodes).where(nodes.c.expires_at < int(expired_before), ~nodes.c.banned)
        if not once_only_too:
            chosen = chosen.where(nodes.c.can_reattest)

        def act(transaction: Transaction) -> list[Node]:
            rows = transaction.connection.execute(chosen.order_by(nodes.c.id).limit(limit))
            found = [_node(row) for row in rows.mappings()]
            _forget(transaction, found)
            return found

        return await self._write(act)

    async def node(self, node_id: SpiffeId) -> Node | None:
        """Read one node."""
        return await self._ask(lambda connection: _read(connection, node_id))

    async def nodes_by_id(self, ids: Sequence[str]) -> list[Node]:
        """Read the nodes of those SPIFFE IDs, given as text, that are there, sorted by ID."""
        return await self._ask(lambda connection: read_nodes(connection, ids))

    async def load_nodes(self) -> list[Node]:
        """Read all nodes, sorted by ID; see `load_entries` for how to follow afterwards."""
        chosen = select(nodes).order_by(nodes.c.id)
        return await self._ask(
            lambda connection: [_node(row) for row in connection.execute(chosen).mappings()]
        )


def read_nodes(connection: Connection, ids: Sequence[str]) -> list[Node]:
    """Read the nodes of those SPIFFE IDs in a transaction, as `Nodes.nodes_by_id` does."""
    found: list[Node] = []
    for part in parts(sorted(set(ids))):
        chosen = select(nodes).where(nodes.c.id.in_(part)).order_by(nodes.c.id)
        found += [_node(row) for row in connection.execute(chosen).mappings()]
    return found


def _attest(transaction: Transaction, node: Node, now: int) -> Node:
    before = _read(transaction.connection, node.id)
    if before is not None and before.banned:
        raise Refusal(Kind.DENIED, "failed to attest: agent is banned", reason=Reason.AGENT_BANNED)
    stored = node if node.attested_at else replace(node, attested_at=now)
    _save(transaction, stored, before is not None)
    return stored


def _save(transaction: Transaction, node: Node, there: bool) -> None:
    values = _values(node)
    if there:
        transaction.connection.execute(_update, {**values, "node": values["id"]})
    else:
        _insert.run(transaction.connection, [tuple(values[each.name] for each in nodes.columns)])
    transaction.note(Topic.NODES, [values["id"]])


def _forget(transaction: Transaction, found: Sequence[Node]) -> None:
    ids = [str(node.id) for node in found]
    transaction.connection.execute(delete(nodes).where(nodes.c.id.in_(ids)))
    transaction.note(Topic.NODES, ids)
    made_for_it = [alias for node in found for alias in aliases(transaction.connection, node.id)]
    delete_by_ids(transaction, made_for_it)


def _read(connection: Connection, node_id: SpiffeId) -> Node | None:
    row = connection.execute(_one, {"node": str(node_id)}).mappings().one_or_none()
    return None if row is None else _node(row)


def _values(node: Node) -> dict[str, Any]:
    return {
        "id": str(node.id),
        "attestation_type": node.attestation_type,
        "serial_number": node.serial_number,
        "expires_at": node.expires_at,
        "selectors": write_selectors(node.selectors),
        "new_serial_number": node.new_serial_number,
        "new_expires_at": node.new_expires_at,
        "can_reattest": node.can_reattest,
        "banned": node.banned,
        "agent_version": node.agent_version,
        "attested_at": node.attested_at,
    }


def _node(row: RowMapping) -> Node:
    values = dict(row)
    return Node(
        **{
            **values,
            "id": read_id(values["id"]),
            "selectors": read_selectors(values["selectors"]),
        }
    )


def _not_found(node_id: SpiffeId) -> Refusal:
    return Refusal(Kind.NOT_FOUND, "agent not found", field="id", value=str(node_id))
