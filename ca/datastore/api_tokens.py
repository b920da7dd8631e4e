"""Administrators' API tokens, of which only a hash is kept."""

from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select

from ca.datastore.columns import read_texts, write_texts
from ca.datastore.engine.transaction import Transaction
from ca.datastore.subject import Subject
from ca.datastore.tables import api_tokens
from ca.registry.api_token import ApiToken, Scope
from finial.spiffe.refusal import Kind, Refusal


class ApiTokens(Subject):
    """The part of the datastore that keeps API tokens."""

    async def create_api_token(self, token: ApiToken) -> None:
        """Store a new token.

        Raises: Refusal of kind EXISTS when its id or its hash is taken.
        """
        taken = select(api_tokens.c.id).where(
            or_(api_tokens.c.id == token.id, api_tokens.c.token_hash == token.token_hash)
        )

        def act(transaction: Transaction) -> None:
            if transaction.connection.scalars(taken).first() is not None:
                raise Refusal(Kind.EXISTS, "this API token exists already", value=token.id)
            transaction.connection.execute(insert(api_tokens).values(_values(token)))

        await self._write(act)

    async def list_api_tokens(self) -> list[ApiToken]:
        """Read all tokens in the order in which they were made."""
        chosen = select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.id)
        return await self._ask(
            lambda connection: [_token(row) for row in connection.execute(chosen).mappings()]
        )

    async def find_api_token(self, token_hash: str) -> ApiToken | None:
        """Find the token with that SHA-256, in hex; whether it has expired is not asked here."""
        chosen = select(api_tokens).where(api_tokens.c.token_hash == token_hash)

        def ask(connection: Connection) -> ApiToken | None:
            row = connection.execute(chosen).mappings().one_or_none()
            return None if row is None else _token(row)

        return await self._ask(ask)

    async def revoke_api_token(self, token_id: str) -> ApiToken:
        """Forget a token; return what it was.

        Raises: Refusal of kind NOT_FOUND.
        """
        chosen = api_tokens.c.id == token_id

        def act(transaction: Transaction) -> ApiToken:
            row = (
                transaction.connection.execute(select(api_tokens).where(chosen))
                .mappings()
                .one_or_none()
            )
            if row is None:
                raise Refusal(
                    Kind.NOT_FOUND, "there is no such API token", field="id", value=token_id[:255]
                )
            transaction.connection.execute(delete(api_tokens).where(chosen))
            return _token(row)

        return await self._write(act)


def _values(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "token_hash": token.token_hash,
        "scopes": write_texts(sorted(token.scopes)),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _token(row: RowMapping) -> ApiToken:
    values = dict(row)
    scopes = frozenset(Scope(text) for text in read_texts(values["scopes"]))
    return ApiToken(**{**values, "scopes": scopes})
