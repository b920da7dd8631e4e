"""Agents as SPIRE's messages, and the filters that ask for them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypedDict

from ca.api.grpc.messages.masks import Fields, fill
from ca.registry.match import Match
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_filter import NodeFilter
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.wire.convert import selector_from, selector_message, spiffe_id_message
from finial.wire.pb import agent_pb2, types_pb2

_WRITERS: Final[Mapping[str, Callable[[Node, types_pb2.Agent], None]]] = {
    "attestation_type": lambda node, message: setattr(
        message, "attestation_type", node.attestation_type
    ),
    "x509svid_serial_number": lambda node, message: setattr(
        message, "x509svid_serial_number", node.serial_number
    ),
    "x509svid_expires_at": lambda node, message: setattr(
        message, "x509svid_expires_at", node.expires_at
    ),
    "selectors": lambda node, message: message.selectors.extend(
        map(selector_message, node.selectors)
    ),
    "banned": lambda node, message: setattr(message, "banned", node.banned),
    "can_reattest": lambda node, message: setattr(message, "can_reattest", node.can_reattest),
    "agent_version": lambda node, message: setattr(message, "agent_version", node.agent_version),
}


def agent_message(node: Node, fields: Fields) -> types_pb2.Agent:
    """Write an agent; its ID is always there, the rest as the fields say."""
    message = types_pb2.Agent(id=spiffe_id_message(node.id))
    return fill(node, message, _WRITERS, fields)


def node_filter(
    wanted: agent_pb2.ListAgentsRequest.Filter | agent_pb2.CountAgentsRequest.Filter,
) -> NodeFilter:
    """Read a filter; its parts are joined by AND.

    Raises: Refusal of kind INVALID.
    """
    return NodeFilter(
        attestation_type=wanted.by_attestation_type or None,
        banned=wanted.by_banned.value if wanted.HasField("by_banned") else None,
        can_reattest=(wanted.by_can_reattest.value if wanted.HasField("by_can_reattest") else None),
        expires_before=_go_time(wanted.by_expires_before),
        **(
            selector_match(wanted.by_selector_match) if wanted.HasField("by_selector_match") else {}
        ),
    )


class SelectorQuestion(TypedDict, total=False):
    """The part of a filter that asks for selectors."""

    selectors: frozenset[Selector]
    selectors_match: Match


def selector_match(wanted: types_pb2.SelectorMatch) -> SelectorQuestion:
    """Read which selectors are asked for, and how.

    Raises: Refusal of kind INVALID.
    """
    return {
        "selectors": frozenset(map(selector_from, wanted.selectors)),
        "selectors_match": match_of(wanted.match),
    }


def match_of(number: int) -> Match:
    """Read SPIRE's MatchBehavior.

    Raises: Refusal of kind INVALID.
    """
    try:
        return Match(number)
    except ValueError:
        raise Refusal(Kind.INVALID, f"unsupported match behavior {number}", field="match") from None


def _go_time(text: str) -> int | None:
    """Read a time in Go's layout `2006-01-02 15:04:05 -0700 -07`; what is no time is ignored."""
    try:
        return int(
            datetime.strptime(" ".join(text.split()[:3]), "%Y-%m-%d %H:%M:%S %z").timestamp()
        )
    except (ValueError, OverflowError):
        return None
