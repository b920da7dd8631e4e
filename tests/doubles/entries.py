"""Registration entries for tests, told apart by what a test cares about."""

from typing import Any

from ca.registry.entry import Entry
from ca.registry.nodes.node import Node
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector

DOMAIN = TrustDomain("example.org")


def sid(path: str, domain: str = "example.org") -> SpiffeId:
    return SpiffeId(TrustDomain(domain), path)


def agent(name: str) -> SpiffeId:
    return sid(f"/spire/agent/x509pop/{name}")


def selectors(*texts: str) -> tuple[Selector, ...]:
    return tuple(sorted(map(Selector.parse, texts)))


def entry(id_: str = "e1", **changes: Any) -> Entry:
    """An entry of the agent `a` for uid 1000; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "id": id_,
        "spiffe_id": sid(f"/{id_}"),
        "parent_id": agent("a"),
        "selectors": selectors("unix:uid:1000"),
    }
    return Entry(**{**fields, **changes})


def node(name: str = "a", **changes: Any) -> Node:
    """A node that attested by x509pop with serial number 1."""
    fields: dict[str, Any] = {
        "id": agent(name),
        "attestation_type": "x509pop",
        "serial_number": "1",
        "expires_at": 1_800_003_600,
        "selectors": selectors(f"x509pop:name:{name}"),
    }
    return Node(**{**fields, **changes})
