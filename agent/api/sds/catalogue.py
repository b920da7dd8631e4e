"""Which secret a name means for one caller, or why there is none.

The rules, for names that Envoy's configuration holds:

- `default`: the certificate of the caller's default identity (the oldest entry's, WAPI-53), and
  never another's while that one is being signed, or is blocked;
- a SPIFFE ID: the certificate of that identity, if it is one of the caller's;
- `ROOTCA`, or the ID of the own trust domain: what peers of the own domain are verified by;
- the ID of a trust domain that one of the caller's entries federates with: the same for that one;
- `ALL`: all of those domains in one, which only the SPIFFE validator can keep apart;
- every name is answered under the name that was asked for, whatever else means the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.api.sds.secret import Form, Secret, Trust, certificate, validation
from agent.cache.entitlement import by_age
from agent.cache.view import Identity, View, Withheld
from agent.cache.x509_svids import HeldSvid
from agent.settings import Sds
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal

EVERYTHING: Final = "*"
"""The name that stands for all secrets, in Envoy's protocol and in what is missing."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What a stream is open for: these names, or everything the caller may have besides."""

    names: frozenset[str] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.names)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no secret of a name.

    UNAVAILABLE is on its way. DENIED is not the caller's, as things are: without `why` because it
    has no identity, or not the SPIFFE ID it `asked_for`, or because that is `withheld`. INVALID and
    PRECONDITION never become anything.
    """

    kind: Kind
    why: str = ""
    asked_for: str = ""
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is for one interest; `pending` are the entries that wait to be signed."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)
    entry_ids: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    spiffe_ids: tuple[SpiffeId, ...] = ()


Keep = Callable[[tuple[object, ...], tuple[object, ...], Callable[[], Secret]], Secret]
"""Makes a secret, or finds the one that was made of the very same objects under the same key."""


class Catalogue:
    """The secrets of one view.

    `trusts` are made of the bundles that it gives a right to.
    """

    def __init__(
        self,
        view: View,
        trusts: Iterable[Trust],
        own: TrustDomain,
        *,
        names: Sds,
        form: Form,
        keep: Keep,
    ) -> None:
        self.view = view
        self._trusts = {each.bundle.trust_domain: each for each in trusts}
        self._own = own
        self._names = names
        self._form = form
        self._keep = keep

    def offer(self, interest: Interest) -> Offer:
        """Look everything up that a stream is open for."""
        found = {name: self._find(name) for name in sorted(interest.names)}
        if interest.everything:
            found = {**self._everything(), **found}
        entries = self._entries(interest)
        return Offer(
            {name: each for name, each in found.items() if isinstance(each, Secret)},
            {name: each for name, each in found.items() if isinstance(each, Missing)},
            tuple(each.entitlement.id for each in entries),
            tuple(each.entitlement.id for each in entries if each.svid is None),
            tuple(dict.fromkeys(each.spiffe_id for each in self.view.identities)),
        )

    def _find(self, name: str) -> Secret | Missing:
        if name == self._names.default_svid_name:
            return self._certificate(name, self._default()) or self._denied()
        if name == self._names.default_bundle_name:
            return self._bundle(name, self._own)
        if name == self._names.default_all_bundles_name:
            return self._all_bundles(name)
        try:
            spiffe_id = SpiffeId.parse(name)
        except Refusal as refusal:
            return self._no_name(name, refusal)
        if not spiffe_id.path:
            return self._bundle(name, spiffe_id.trust_domain)
        found = [each for each in self.view.identities if each.spiffe_id == spiffe_id]
        return self._certificate(name, found) or self._denied(name, spiffe_id)

    def _default(self) -> Sequence[Identity]:
        """The identity of the oldest entry; nobody takes its place while it is blocked."""
        every: tuple[Identity | Withheld, ...] = (*self.view.identities, *self.view.withheld)
        oldest = min(every, key=lambda each: by_age(each.entitlement), default=None)
        return (oldest,) if isinstance(oldest, Identity) else ()

    def _certificate(self, name: str, identities: Sequence[Identity]) -> Secret | Missing | None:
        """What the first of them is shown by that is signed."""
        for each in identities:
            if each.svid is not None:
                return self._made_of(name, each.svid)
        if identities:
            why = f"the SVID of {identities[0].spiffe_id} is not signed yet"
            return Missing(Kind.UNAVAILABLE, why)
        return None

    def _made_of(self, name: str, svid: HeldSvid) -> Secret:
        return self._keep((name, svid.entry_id), (svid,), lambda: certificate(name, svid))

    def _bundle(self, name: str, domain: TrustDomain) -> Secret | Missing:
        trust = self._trusts.get(domain)
        if trust is None:
            return self._no_bundle(domain)
        if not trust.bundle.x509_authorities:
            return Missing(Kind.UNAVAILABLE, f"the bundle of {domain} holds no X.509 authority")
        return self._trusting(name, [trust], self._form)

    def _all_bundles(self, name: str) -> Secret | Missing:
        if self._form is Form.PLAIN:
            return Missing(
                Kind.PRECONDITION,
                f"the secret {name} needs Envoy's SPIFFE validator, which is switched off or "
                "missing (Envoy has it since 1.18): without it, one trust domain could speak for "
                "another",
            )
        trusts = [each for each in self._trusts.values() if each.bundle.x509_authorities]
        if not trusts:
            return self._no_bundle(self._own)
        return self._trusting(name, trusts, Form.SPIFFE)

    def _trusting(self, name: str, trusts: Sequence[Trust], form: Form) -> Secret:
        made_of = [part for each in trusts for part in (each.bundle, *each.crls)]
        key = (name, form, *(each.bundle.trust_domain for each in trusts))
        return self._keep(key, tuple(made_of), lambda: validation(name, trusts, form))

    def _everything(self) -> dict[str, Secret | Missing]:
        """All bundles and certificates under their SPIFFE IDs; what has none is left out."""
        names = [str(domain.id) for domain in self._trusts]
        names += [str(each.spiffe_id) for each in self.view.identities]
        if not names:
            return {EVERYTHING: self._no_bundle(self._own)}
        return {name: self._find(name) for name in names}

    def _no_bundle(self, domain: TrustDomain) -> Missing:
        if not self.view.identities:
            return self._denied()
        federated = {d for each in self.view.identities for d in each.entitlement.federates_with}
        if domain == self._own or domain in federated:
            return Missing(Kind.UNAVAILABLE, f"the agent has no bundle of {domain} yet")
        return Missing(Kind.DENIED, f"no entry that matches the process federates with {domain}")

    def _denied(self, name: str = "", spiffe_id: SpiffeId | None = None) -> Missing:
        withheld = tuple(
            each
            for each in self.view.withheld
            if spiffe_id is None or each.entitlement.spiffe_id == spiffe_id
        )
        asked_for = name if self.view.identities or self.view.withheld else ""
        return Missing(Kind.DENIED, asked_for=asked_for, withheld=withheld)

    def _no_name(self, name: str, refusal: Refusal) -> Missing:
        names = self._names
        known = (names.default_svid_name, names.default_bundle_name, names.default_all_bundles_name)
        return Missing(
            Kind.INVALID,
            f"there is no secret {name[:80]!a}: ask for {', '.join(known)} or a SPIFFE ID "
            f"({refusal.detail})",
        )

    def _entries(self, interest: Interest) -> list[Identity]:
        """The identities that have to be kept signed for such a stream."""
        identities = self.view.identities
        if interest.everything:
            return list(identities)
        first = self._default() if self._names.default_svid_name in interest.names else ()
        others = (each for each in identities if str(each.spiffe_id) in interest.names)
        return list({each.entitlement.id: each for each in (*first, *others)}.values())
