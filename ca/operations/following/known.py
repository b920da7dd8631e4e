"""What this server knows at this moment, so that serving agents reads no database."""

import asyncio
from dataclasses import dataclass, field

from ca.authority.keyring import Keyring
from ca.authority.slot import Use
from ca.issuance.issuer import Issuer
from ca.issuance.seal import SigningAuthority
from ca.registry.index import EntryIndex
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.whereabouts.lately import Lately
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain


@dataclass(frozen=True, slots=True)
class Signers:
    """Our keys: the keyrings, and of each use the authority that signs now, if there is one."""

    keyrings: dict[Use, Keyring] = field(default_factory=dict)
    active: dict[Use, SigningAuthority] = field(default_factory=dict)
    issuer: Issuer | None = None


class Known:
    """Entries, nodes, bundles and keys; only the follower and the rotation write here."""

    def __init__(self, trust_domain: TrustDomain) -> None:
        self.trust_domain = trust_domain
        self.entries = EntryIndex()
        self.nodes = NodeIndex()
        self.lately = Lately()
        self.bundle = Watch(Bundle(trust_domain))
        self.federated: Watch[dict[TrustDomain, Bundle]] = Watch({})
        self.signers = Watch(Signers())
        self.sequence = 0
        self.rotation_wanted = asyncio.Event()
        self.port = 0
