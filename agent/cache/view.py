"""What one caller may see: a pure function of what is held and of the caller's selectors."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agent.cache.entitlement import Entitlement, Entitlements
from agent.cache.x509_svids import HeldSvid
from finial.blocks import NOTHING_BLOCKED, Block, Blocks
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity of a caller: the entry, its SVID once it is signed, and the hint to send."""

    entitlement: Entitlement
    svid: HeldSvid | None
    hint: str

    @property
    def spiffe_id(self) -> SpiffeId:
        """The SPIFFE ID that the entry grants."""
        return self.entitlement.spiffe_id


@dataclass(frozen=True, slots=True)
class Withheld:
    """An entry that matches and gives its identity to nobody while a block holds."""

    entitlement: Entitlement
    block: Block


@dataclass(frozen=True, slots=True)
class View:
    """A caller's identities, the default one first, and the bundles that they give a right to.

    `withheld` is what the caller would have besides, were it not blocked. `crls` are revocation
    lists of our own trust domain, in DER, for whoever gets its bundle. `valid_until` is the expiry
    of the first SVID in it to expire.
    """

    identities: tuple[Identity, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    crls: tuple[bytes, ...] = ()
    own_bundle: Bundle | None = None
    federated: tuple[Bundle, ...] = ()
    valid_until: float = math.inf

    @property
    def signed(self) -> tuple[tuple[Identity, HeldSvid], ...]:
        """The identities that have an SVID."""
        return tuple((each, each.svid) for each in self.identities if each.svid is not None)

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of entries whose SVID is still being signed."""
        return tuple(each.entitlement.id for each in self.identities if each.svid is None)

    def only(self, spiffe_id: SpiffeId) -> "View":
        """The view narrowed to one SPIFFE ID, with hints as they were registered.

        Hints are made unique after the choice, so that no entitled ID is lost (WAPI-34).
        """
        chosen = [each for each in self.identities if each.spiffe_id == spiffe_id]
        unique = unique_hints(each.entitlement for each in chosen)
        withheld = (each for each in self.withheld if each.entitlement.spiffe_id == spiffe_id)
        return replace(
            self,
            withheld=tuple(withheld),
            identities=tuple(
                replace(each, hint=hint) for each, hint in zip(chosen, unique, strict=True)
            ),
        )


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that the agent holds for its workloads; replaced whole at each change.

    `synced` tells whether the entries were known at any time: before that nobody can be refused.
    `blocks` is what is locked out everywhere, `lockout` the block of this agent itself.
    """

    trust_domain: TrustDomain
    entitlements: Entitlements = field(default_factory=Entitlements)
    svids: Mapping[str, HeldSvid] = field(default_factory=dict)
    bundles: Mapping[TrustDomain, Bundle] = field(default_factory=dict)
    synced: bool = False
    blocks: Blocks = NOTHING_BLOCKED
    lockout: Block | None = None

    @property
    def own_bundle(self) -> Bundle | None:
        """The bundle of the agent's own trust domain."""
        return self.bundles.get(self.trust_domain)

    def view(self, selectors: Iterable[Selector], now: float) -> View:
        """What a caller with these selectors may see.

        Spec: Workload API sections 4.3, 5.2.1 and 8 (WAPI-09, WAPI-19, WAPI-25, WAPI-53).
        """
        shown = frozenset(selectors)
        entitlements, withheld = self._judged(shown, now)
        svids = [self._svid(each, now) for each in entitlements]
        hints = unique_hints(entitlements)
        return View(
            tuple(map(Identity, entitlements, svids, hints)),
            withheld,
            tuple(each.der for each in self.blocks.crls),
            self.own_bundle if entitlements else None,
            self._federated(entitlements),
            min((svid.expires_at for svid in svids if svid is not None), default=math.inf),
        )

    def blocked_entries(self, now: float) -> tuple[str, ...]:
        """The ids of the entries that a block names, whoever asks for them."""
        if not self.blocks:
            return ()
        return tuple(
            each.id
            for each in self.entitlements
            if self.blocks.of_entry(each.id, each.spiffe_id, now) is not None
        )

    def block_of(
        self, entitlement: Entitlement, selectors: Collection[Selector], now: float
    ) -> Block | None:
        """What withholds an entry from a caller with these selectors."""
        return self._block_of_all(selectors, now) or self.blocks.of_entry(
            entitlement.id, entitlement.spiffe_id, now
        )

    def _judged(
        self, selectors: frozenset[Selector], now: float
    ) -> tuple[tuple[Entitlement, ...], tuple[Withheld, ...]]:
        """What a caller has, and what is withheld from it."""
        matching = self.entitlements.matching(selectors)
        if not self.blocks and self.lockout is None:
            return matching, ()
        blocks = [(each, self.block_of(each, selectors, now)) for each in matching]
        return (
            tuple(each for each, block in blocks if block is None),
            tuple(Withheld(each, block) for each, block in blocks if block is not None),
        )

    def _block_of_all(self, selectors: Collection[Selector], now: float) -> Block | None:
        return self.lockout or self.blocks.of_selectors(selectors, now)

    def _svid(self, entitlement: Entitlement, now: float) -> HeldSvid | None:
        svid = self.svids.get(entitlement.id)
        if svid is None or svid.expires_at <= now or not svid.serves(entitlement):
            return None
        # The identity is not blocked, this SVID of it is: a new one is on its way.
        return None if self.blocks.of_serial(svid.serial, now) is not None else svid

    def _federated(self, entitlements: Iterable[Entitlement]) -> tuple[Bundle, ...]:
        domains = {domain for each in entitlements for domain in each.federates_with}
        domains.discard(self.trust_domain)
        return tuple(self.bundles[each] for each in sorted(domains) if each in self.bundles)


def unique_hints(entitlements: Iterable[Entitlement]) -> list[str]:
    """The hints to send, in the same order: a repeated one stays with the older entry only.

    Spec: Workload API section 5.2.1 (WAPI-25); the SVID itself is kept (WAPI-19).
    """
    seen: set[str] = set()
    hints: list[str] = []
    for entitlement in entitlements:
        hints.append("" if entitlement.hint in seen else entitlement.hint)
        seen.add(entitlement.hint)
    return hints
