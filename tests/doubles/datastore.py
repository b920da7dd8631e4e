"""A datastore in a folder that a test brings, and values to put into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ca.authority.slot import Phase, Slot, Use
from ca.datastore.datastore import Datastore
from ca.registry.entry import Entry
from ca.registry.issued import Issued, SvidKind
from ca.registry.nodes.node import Node
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector
from tests.doubles.clock import NOW, StandingClock

TRUST_DOMAIN = TrustDomain("example.org")
AGENT = SpiffeId(TRUST_DOMAIN, "/spire/agent/x509pop/one")


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/ca.sqlite?timeout=0.2"


@asynccontextmanager
async def opened(folder: Path, clock: StandingClock | None = None) -> AsyncIterator[Datastore]:
    """Open the datastore in a folder, and close it at the end."""
    datastore = await Datastore.open(url(folder), clock or StandingClock(), TRUST_DOMAIN)
    try:
        yield datastore
    finally:
        await datastore.close()


def workload(name: str) -> SpiffeId:
    return SpiffeId(TRUST_DOMAIN, f"/{name}")


def entry(name: str, **members: Any) -> Entry:
    """An entry with its name as id, path and selector."""
    own = {
        "id": name,
        "spiffe_id": workload(name),
        "parent_id": AGENT,
        "selectors": (Selector("unix", "uid:1000"), Selector("unix", f"user:{name}")),
    }
    return Entry(**{**own, **members})


def node(name: str = "one", **members: Any) -> Node:
    """A node that attested and whose SVID lives for an hour."""
    own = {
        "id": SpiffeId(TRUST_DOMAIN, f"/spire/agent/x509pop/{name}"),
        "attestation_type": "x509pop",
        "serial_number": "1",
        "expires_at": int(NOW) + 3600,
        "selectors": (Selector("x509pop", "subject:cn:one"),),
    }
    return Node(**{**own, **members})


def svid(serial: str, **members: Any) -> Issued:
    """A row of the ledger for an X509-SVID of an hour."""
    own = {
        "kind": SvidKind.X509,
        "serial": serial,
        "spiffe_id": "spiffe://example.org/web",
        "authority_id": "aa",
        "issued_at": int(NOW),
        "expires_at": int(NOW) + 3600,
        "entry_id": "web",
        "agent_id": str(AGENT),
    }
    return Issued(**{**own, **members})


def slot(authority_id: str, phase: Phase = Phase.ACTIVE, use: Use = Use.X509) -> Slot:
    """An authority that lives for a day."""
    return Slot(
        use=use,
        phase=phase,
        authority_id=authority_id,
        key_id=f"{use.value}-{authority_id}",
        document=b"\x30\x00" + authority_id.encode(),
        not_before=int(NOW),
        not_after=int(NOW) + 86400,
        chain=(b"\x30\x01", b"\x30\x02"),
        tainted=False,
        last_expiry=7,
    )


def bundle(*authorities: bytes, trust_domain: TrustDomain = TRUST_DOMAIN, **members: Any) -> Bundle:
    """A bundle with those certificates and one JWT key."""
    return Bundle(
        trust_domain,
        tuple(X509Authority(each) for each in authorities),
        (JwtAuthority("kid", b"\x30\x03", expires_at=5),),
        **members,
    )
