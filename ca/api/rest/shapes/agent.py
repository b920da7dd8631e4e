"""Agents as documents; members are named as in SPIRE's `types.Agent`."""

import datetime as dt
from typing import Annotated, Self

from fastapi import Query

from ca.api.rest.shapes.entry_query import MatchName, Texts
from ca.api.rest.shapes.parsing import parsed_set
from ca.api.rest.shapes.shape import Answer
from ca.api.rest.shapes.times import Instant, instant, seconds
from ca.registry.match import Match
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_filter import NodeFilter
from finial.spiffe.selector import Selector


class AgentDocument(Answer):
    """What is known of one agent."""

    id: str
    attestation_type: str
    x509svid_serial_number: str
    x509svid_expires_at: Instant | None
    selectors: list[str]
    banned: bool
    can_reattest: bool
    agent_version: str
    attested_at: Instant | None

    @classmethod
    def of(cls, node: Node) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            id=str(node.id),
            attestation_type=node.attestation_type,
            x509svid_serial_number=node.serial_number,
            x509svid_expires_at=instant(node.expires_at),
            selectors=[str(selector) for selector in node.selectors],
            banned=node.banned,
            can_reattest=node.can_reattest,
            agent_version=node.agent_version,
            attested_at=instant(node.attested_at),
        )


def node_filter(
    *,
    attestation_type: str | None = None,
    selector: Texts = None,
    selector_match: MatchName = "superset",
    banned: bool | None = None,
    can_reattest: bool | None = None,
    expires_before: Annotated[dt.datetime | None, Query()] = None,
) -> NodeFilter:
    """Read the parameters of a query; one that is left out matches every agent.

    Raises: Refusal of kind INVALID.
    """
    return NodeFilter(
        attestation_type=attestation_type,
        selectors=parsed_set("selector", selector, Selector.parse),
        selectors_match=Match[selector_match.upper()],
        banned=banned,
        can_reattest=can_reattest,
        expires_before=seconds(expires_before) if expires_before is not None else None,
    )
