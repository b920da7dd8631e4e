"""What every operation works with: settings, stores, and what this server knows at this moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from attestors.contract import NodeVerifier
from ca.datastore.datastore import Datastore
from ca.events.happened import Event
from ca.events.journal import Journal
from ca.issuance.profile import Profiles
from ca.operations.following.follower import Follower
from ca.operations.following.known import Known
from ca.operations.following.lists import RevocationLists
from ca.operations.following.questions import Questions
from ca.operations.following.streams import Streams
from ca.operations.following.traffic import Collected
from ca.operations.hook_client import HookClient
from ca.registry.selectors.vocabulary import Vocabulary
from ca.settings import Settings
from finial.keys.contract import KeyManager
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.spiffe.identity import TrustDomain


@dataclass(frozen=True, slots=True)
class World:
    """Everything an operation may use; made once, by `ca.assemble`.

    `server_id` tells the servers of one trust domain apart; `addresses` returns where agents find
    them, as `host:port`.
    """

    settings: Settings
    server_id: str
    clock: Clock
    entropy: Entropy
    keys: KeyManager
    datastore: Datastore
    journal: Journal
    known: Known
    streams: Streams
    follower: Follower
    questions: Questions
    verifiers: Mapping[str, NodeVerifier]
    vocabulary: Vocabulary
    profiles: Profiles
    addresses: Callable[[], tuple[str, ...]]
    revocation: RevocationLists = field(default_factory=RevocationLists)
    hook: HookClient | None = None
    traffic: Collected = field(default_factory=Collected)

    @property
    def trust_domain(self) -> TrustDomain:
        """The trust domain that this server speaks for."""
        return self.known.trust_domain

    def record(self, *events: Event) -> None:
        """Tell the journal what happened, before it is acknowledged.

        Raises: Refusal of kind UNAVAILABLE when it cannot be audited.
        """
        if events:
            self.journal.record(*events)
