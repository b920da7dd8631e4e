"""Who called whom, as documents."""

import datetime as dt
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field

from ca.api.rest.shapes.ids import whole_id
from ca.api.rest.shapes.parsing import required
from ca.api.rest.shapes.shape import Answer, Page
from ca.api.rest.shapes.times import Instant, instant
from ca.operations.collect_traffic import Traffic
from ca.registry.traffic.flow import Flow, TrafficFilter
from finial.policy.id_pattern import IdPattern
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.traffic import Means, Outcome

NOBODY = "-"
SHOWN_AGENTS = 16

# Longer than others' tokens: it names a caller and a callee.
LongToken = Annotated[
    str, Query(max_length=8192, description="From the page before.", alias="page_token")
]
Ids = Annotated[str | None, Query(max_length=2048)]


class FlowDocument(Answer):
    """Requests of one kind."""

    caller: str | None = Field(description="Null for somebody without an identity.")
    callee: str | None = Field(description="Null where the proxy that asked has no identity.")
    means: Means = Field(description="What proved who called.")
    outcome: Outcome = Field(description="Shadowed: let through although the rules say no.")
    method: str | None = Field(description="Null by pairs, and for requests not told apart.")
    path: str | None = Field(description="Its shape: what changes from request to request is *.")
    reason: str | None = Field(description="The reason id of the decision.")
    example: str | None = Field(description="A path that no rule allowed, as it was sent.")
    count: int
    first_seen: Instant | None
    last_seen: Instant | None
    agents: list[str] = Field(description=f"Which agents decided, the first {SHOWN_AGENTS}.")

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """Write a value as a document."""
        key = flow.key
        return cls(
            caller=None if key.caller is None else str(key.caller),
            callee=None if key.callee is None else str(key.callee),
            means=key.means,
            outcome=key.outcome,
            method=key.method or None,
            path=key.shape or None,
            reason=key.reason or None,
            example=flow.example or None,
            count=flow.count,
            first_seen=instant(flow.first_at),
            last_seen=instant(flow.last_at),
            agents=sorted(map(str, flow.agents))[:SHOWN_AGENTS],
        )


class TrafficPage(Page[FlowDocument]):
    """One page of flows, and how much of the trust domain it tells."""

    since: Instant | None = Field(description="Since when this server collects.")
    silent: list[str] = Field(description="Connected agents that did not answer in time.")
    unable: int = Field(description="How many connected agents keep no record.")

    @classmethod
    def of(cls, found: Traffic) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            items=[FlowDocument.of(each) for each in found.page.items],
            next_page_token=found.page.next_token,
            since=instant(found.since),
            silent=sorted(map(str, found.silent))[:SHOWN_AGENTS],
            unable=found.unable,
        )


def traffic_filter(
    trust_domain: TrustDomain,
    *,
    caller: str | None,
    callee: str | None,
    outcomes: frozenset[str] | None,
    means: frozenset[str] | None,
    agent: str | None,
    since: dt.datetime | None,
) -> TrafficFilter:
    """Read what is asked for; IDs of this trust domain may be given by their paths.

    Raises: Refusal of kind INVALID.
    """
    nobody = caller == NOBODY

    def pattern(name: str, text: str | None) -> IdPattern | None:
        if text is None:
            return None
        return required(name, _whole(trust_domain, text), IdPattern.parse)

    return TrafficFilter(
        caller=None if nobody else pattern("caller", caller),
        nobody=nobody,
        callee=pattern("callee", callee),
        outcomes=outcomes,
        means=means,
        agent=required("agent", agent, SpiffeId.parse) if agent is not None else None,
        since=since.timestamp() if since is not None else 0.0,
    )


def _whole(trust_domain: TrustDomain, text: str) -> str:
    return text if text.startswith("spiffe:") else whole_id(trust_domain, text.lstrip("/"))
