"""Join tokens: made once, spent once."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    CursorResult,
    RowMapping,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from ca.datastore.columns import read_optional_id, write_id
from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import join_tokens
from ca.registry.join_token import JoinToken
from finial.spiffe.refusal import Kind, Refusal

_insert = insert(join_tokens)
_named = join_tokens.c.id == bindparam("token")
_one = select(join_tokens).where(_named)
_spendable = or_(join_tokens.c.spent_by == "", join_tokens.c.spent_by == bindparam("key"))
_spend = update(join_tokens).where(_named, _spendable, join_tokens.c.expires_at > bindparam("now"))
_consume = delete(join_tokens).where(
    _named, _spendable, join_tokens.c.expires_at <= bindparam("now")
)


@dataclass(frozen=True, slots=True)
class Spending:
    """Which token is spent by which key; `key_hash` is the SHA-256 of the public key, in hex."""

    token_id: str
    key_hash: str


class JoinTokens(Subject):
    """The part of the datastore that keeps join tokens."""

    async def create_join_token(self, token: JoinToken) -> None:
        """Store a new token.

        Raises: Refusal of kind EXISTS when its id is taken, as it is when the same token was
        made before.
        """

        def act(transaction: Transaction) -> None:
            if _read(transaction.connection, token.id) is not None:
                raise Refusal(Kind.EXISTS, "this join token exists already")
            transaction.connection.execute(_insert, _values(token))

        await self._write(act)

    async def spend_join_token(self, token_id: str, key_hash: str, now: float) -> JoinToken:
        """Spend a token by a key, exactly once; the same key may come again until it expires.

        Raises: Refusal of kind INVALID when it is missing, spent by another key, or expired; an
        expired token is consumed (SPIRE 7.26).
        """
        spending = Spending(token_id, key_hash)
        outcome = await self._write(
            lambda transaction: spend(transaction.connection, spending, now)
        )
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def join_token(self, token_id: str) -> JoinToken | None:
        """Read one token."""
        return await self._ask(lambda connection: _read(connection, token_id))

    async def list_join_tokens(self) -> list[JoinToken]:
        """Read all tokens, those that expire first at the head."""
        chosen = select(join_tokens).order_by(join_tokens.c.expires_at, join_tokens.c.id)
        return await self._ask(
            lambda connection: [_token(row) for row in connection.execute(chosen).mappings()]
        )

    async def delete_join_token(self, token_id: str) -> bool:
        """Forget a token; say whether it was there."""
        chosen = delete(join_tokens).where(join_tokens.c.id == token_id)
        return await self._write(lambda transaction: _count(transaction, chosen) == 1)

    async def prune_join_tokens(self, now: float) -> int:
        """Forget the tokens that expired before `now`, spent or not; return how many."""
        chosen = delete(join_tokens).where(join_tokens.c.expires_at < int(now))
        return await self._write(lambda transaction: _count(transaction, chosen))


def spend(connection: Connection, spending: Spending, now: float) -> JoinToken | Refusal:
    """Spend a token in a transaction, as `JoinTokens.spend_join_token` does.

    The condition stands in the statement, so that of two servers one wins. A refusal is returned
    rather than raised, so that consuming an expired token is committed.
    """
    asked = {"token": spending.token_id, "key": spending.key_hash, "now": now}
    if connection.execute(_spend, {**asked, "spent_by": spending.key_hash}).rowcount == 1:
        return _token(connection.execute(_one, asked).mappings().one())
    if connection.execute(_consume, asked).rowcount == 1:
        return _unspendable("join token expired")
    return _unspendable("join token does not exist or has already been used")


def _unspendable(detail: str) -> Refusal:
    remedy = "make a new one with `finial token create`"
    return Refusal(Kind.INVALID, detail, field="join_token", remedy=remedy)


def _count(transaction: Transaction, statement: Any) -> int:
    found: CursorResult[Any] = transaction.connection.execute(statement)
    return found.rowcount


def _read(connection: Connection, token_id: str) -> JoinToken | None:
    row = connection.execute(_one, {"token": token_id}).mappings().one_or_none()
    return None if row is None else _token(row)


def _values(token: JoinToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "proof_key": token.proof_key,
        "expires_at": token.expires_at,
        "alias": write_id(token.alias),
        "spent_by": token.spent_by,
    }


def _token(row: RowMapping) -> JoinToken:
    values = dict(row)
    return JoinToken(**{**values, "alias": read_optional_id(values["alias"])})
