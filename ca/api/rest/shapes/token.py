"""Join tokens and API tokens as documents; only the answer to its making holds a secret."""

from typing import Annotated, Final, Self

from pydantic import Field

from ca.api.rest.shapes.shape import Answer, Shape
from ca.api.rest.shapes.times import Instant, instant
from ca.registry.api_token import ApiToken, Scope
from ca.registry.join_token import JoinToken
from finial.spiffe.identity import TrustDomain
from finial.spiffe.well_known import agent_id

_YEAR: Final = 366 * 24 * 3600
_Ttl = Annotated[int, Field(ge=1, le=_YEAR, description="In seconds.")]


class NewJoinToken(Shape):
    """What is wished of a join token."""

    ttl: _Ttl = 600
    spiffe_id: str | None = Field(
        None, description="A further SPIFFE ID of the node, under which workloads are registered."
    )


class JoinTokenDocument(Answer):
    """A join token, without the token."""

    id: str
    agent_id: str = Field(description="The SPIFFE ID that the agent will have.")
    spiffe_id: str | None
    expires_at: Instant | None
    spent: bool

    @classmethod
    def of(cls, token: JoinToken, trust_domain: TrustDomain) -> Self:
        """Write a value as a document."""
        return cls(
            id=token.id,
            agent_id=str(agent_id(trust_domain, f"/join_token/{token.id}")),
            spiffe_id=str(token.alias) if token.alias else None,
            expires_at=instant(token.expires_at),
            spent=bool(token.spent_by),
        )


class CreatedJoinToken(JoinTokenDocument):
    """A join token that was just made; its `value` cannot be asked for again."""

    value: str
    trust_domain: str
    servers: list[str] = Field(description="Where agents find the server, as host:port.")
    join: str = Field(description="All of it in one word, for `finial agent run --join-file`.")


class NewApiToken(Shape):
    """What is wished of an API token."""

    name: str = Field(min_length=1, max_length=100, description="Whose it is.")
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1)]
    ttl: _Ttl = 90 * 24 * 3600


class ApiTokenDocument(Answer):
    """An API token, without the token."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: Instant | None
    expires_at: Instant | None

    @classmethod
    def of(cls, token: ApiToken) -> Self:
        """Write a value as a document."""
        return cls(
            id=token.id,
            name=token.name,
            scopes=sorted(token.scopes),
            created_at=instant(token.created_at),
            expires_at=instant(token.expires_at),
        )


class CreatedApiToken(ApiTokenDocument):
    """An API token that was just made; its `token` cannot be asked for again."""

    token: str
