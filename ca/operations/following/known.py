"""What this server knows at this moment, so that serving agents reads no database."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from ca.authority.keyring import Keyring
from ca.authority.slot import Use
from ca.issuance.issuer import Issuer
from ca.issuance.seal import SigningAuthority
from ca.registry.block.block_index import BlockIndex
from ca.registry.index import EntryIndex
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.policy.attribute_table import AttributeTable
from ca.registry.policy.policy_index import PolicyIndex
from ca.registry.standing_answer import StandingAnswers
from ca.registry.whereabouts.lately import Lately
from finial.blocks import Blocks, BlocksDocument, encode
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain


@dataclass(frozen=True, slots=True)
class Signers:
    """Our keys: the keyrings, and of each use the authority that signs now, if there is one."""

    keyrings: dict[Use, Keyring] = field(default_factory=dict)
    active: dict[Use, SigningAuthority] = field(default_factory=dict)
    issuer: Issuer | None = None


@dataclass(frozen=True, slots=True)
class PublishedBlocks:
    """What agents were told last of what is blocked, ready to be asked, and as it travels."""

    document: BlocksDocument
    lookup: Blocks
    content: bytes

    @classmethod
    def of(cls, document: BlocksDocument) -> Self:
        """Write a document down."""
        return cls(document, Blocks(document), encode(document))


class Known:
    """Entries, nodes, blocks, policies, bundles and keys.

    Only the follower, the rotation and whoever publishes write here. `blocks` is what is in force;
    `blocks_told` is what agents were told of it, which follows within moments of `blocks_wanted`.
    """

    def __init__(self, trust_domain: TrustDomain) -> None:
        self.trust_domain = trust_domain
        self.entries = EntryIndex()
        self.nodes = NodeIndex()
        self.blocks = BlockIndex()
        self.policies = PolicyIndex()
        self.policies_wanted = asyncio.Event()
        self.attributes = AttributeTable()
        self.blocks_told = Watch(PublishedBlocks.of(BlocksDocument(version=0)))
        self.blocks_wanted = asyncio.Event()
        self.blocks_floor = 0
        self.standings = StandingAnswers()
        self.lately = Lately()
        self.bundle = Watch(Bundle(trust_domain))
        self.federated: Watch[dict[TrustDomain, Bundle]] = Watch({})
        self.signers = Watch(Signers())
        self.sequence = 0
        self.rotation_wanted = asyncio.Event()
        self.port = 0

    @property
    def state(self) -> tuple[int, int]:
        """What changes whenever a caller may have to be judged anew."""
        return self.sequence, self.blocks_told.value.document.version
