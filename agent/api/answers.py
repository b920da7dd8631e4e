"""The answers of the Workload API in bytes, made once for all callers that may see the same.

An answer depends on what the agent holds and on the caller's selectors alone. Until one of them
changes, or the first SVID in it expires, every stream of equal selectors shares the same bytes.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.cache.view import Holdings, Identity, View, Withheld
from agent.cache.x509_svids import HeldSvid
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import render_jwks
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector
from finial.wire.pb import workload_pb2

MAX_REMEMBERED: Final = 4096


class Subject(enum.Enum):
    """What a stream is about."""

    X509_SVIDS = "FetchX509SVID"
    X509_BUNDLES = "FetchX509Bundles"
    JWT_BUNDLES = "FetchJWTBundles"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one caller may be told now.

    `message` is a serialised response, or nothing where there is none to give yet; `entry_ids` are
    the caller's entries, `pending` those that have no SVID yet, `withheld` what is blocked.
    """

    message: bytes | None
    entry_ids: tuple[str, ...]
    pending: tuple[str, ...]
    spiffe_ids: tuple[SpiffeId, ...]
    valid_until: float
    withheld: tuple[Withheld, ...] = ()


class Answers:
    """Renders answers and remembers them as long as they stay true."""

    def __init__(
        self, holdings: Watch[Holdings], clock: Clock, *, serve_strangers: bool = False
    ) -> None:
        self._holdings = holdings
        self._clock = clock
        self._serve_strangers = serve_strangers
        self._of: Holdings | None = None
        self._views: dict[frozenset[Selector], View] = {}
        self._answers: dict[tuple[Subject, frozenset[Selector]], Answer] = {}
        self._parts: dict[tuple[str, str], tuple[HeldSvid, bytes, bytes]] = {}
        self._render: dict[Subject, Callable[[View], bytes | None]] = {
            Subject.X509_SVIDS: self._x509_svids,
            Subject.X509_BUNDLES: self._x509_bundles,
            Subject.JWT_BUNDLES: self._jwt_bundles,
        }

    @property
    def is_synced(self) -> bool:
        """Whether the entries are known, so that somebody can be refused at all."""
        return self._holdings.value.synced

    def view(self, selectors: frozenset[Selector]) -> View:
        """What a caller with these selectors may see now."""
        self._follow()
        found = self._views.get(selectors)
        now = self._clock.now()
        if found is None or found.valid_until <= now:
            if len(self._views) >= MAX_REMEMBERED:
                self._views.clear()
            found = self._views[selectors] = self._holdings.value.view(selectors, now)
        return found

    def answer(self, subject: Subject, selectors: frozenset[Selector]) -> Answer:
        """The answer to a caller with these selectors."""
        self._follow()
        key = (subject, selectors)
        found = self._answers.get(key)
        if found is None or found.valid_until <= self._clock.now():
            if len(self._answers) >= MAX_REMEMBERED:
                self._answers.clear()
            found = self._answers[key] = self._answer(subject, self.view(selectors))
        return found

    def _follow(self) -> None:
        if self._of is not self._holdings.value:
            self._of = self._holdings.value
            self._views.clear()
            self._answers.clear()
            if len(self._parts) > 2 * len(self._of.svids):
                self._parts.clear()

    def _answer(self, subject: Subject, view: View) -> Answer:
        return Answer(
            message=self._render[subject](view),
            entry_ids=tuple(each.entitlement.id for each in view.identities),
            pending=view.pending if subject is Subject.X509_SVIDS else (),
            spiffe_ids=tuple(dict.fromkeys(each.spiffe_id for each in view.identities)),
            valid_until=view.valid_until,
            withheld=view.withheld,
        )

    def _x509_svids(self, view: View) -> bytes | None:
        """All identities that are signed; their messages are made once and joined.

        Spec: Workload API section 5.2.1 (WAPI-09, WAPI-19 to WAPI-25).
        """
        if not view.signed or view.own_bundle is None or not view.own_bundle.x509_authorities:
            return None
        rest = workload_pb2.X509SVIDResponse(crl=view.crls)
        for bundle in view.federated:
            rest.federated_bundles[str(bundle.trust_domain.id)] = bundle.x509_der
        der = view.own_bundle.x509_der
        svids = [self._svid(identity, svid, der) for identity, svid in view.signed]
        return b"".join((*svids, rest.SerializeToString(deterministic=True)))

    def _svid(self, identity: Identity, svid: HeldSvid, bundle: bytes) -> bytes:
        key = (svid.entry_id, identity.hint)
        known = self._parts.get(key)
        if known is not None and known[0] is svid and known[1] == bundle:
            return known[2]
        message = workload_pb2.X509SVIDResponse()
        message.svids.add(
            spiffe_id=str(svid.spiffe_id),
            x509_svid=b"".join(svid.chain),
            x509_svid_key=svid.private_key,
            bundle=bundle,
            hint=identity.hint,
        )
        part = message.SerializeToString()
        # A response with one SVID is also a part of a response with several: repeated fields of
        # concatenated messages are appended (protobuf's encoding, "Last One Wins").
        self._parts[key] = (svid, bundle, part)
        return part

    def _x509_bundles(self, view: View) -> bytes | None:
        """The own bundle and those of the caller's federated domains (WAPI-29)."""
        message = workload_pb2.X509BundlesResponse()
        for bundle in self.bundles(view):
            message.bundles[str(bundle.trust_domain.id)] = bundle.x509_der
        if message.bundles:
            message.crl.extend(view.crls)
        return message.SerializeToString(deterministic=True) or None

    def _jwt_bundles(self, view: View) -> bytes | None:
        """The same as JWK Sets of JWT keys, also where a domain has none (WAPI-37, WAPI-47)."""
        message = workload_pb2.JWTBundlesResponse()
        for bundle in self.bundles(view):
            message.bundles[str(bundle.trust_domain.id)] = render_jwks(bundle)
        return message.SerializeToString(deterministic=True) or None

    def bundles(self, view: View) -> tuple[Bundle, ...]:
        """What a caller with this view may verify others by, the own bundle first."""
        own = view.own_bundle
        if own is None and self._serve_strangers and self._holdings.value.lockout is None:
            own = self._holdings.value.own_bundle
        return () if own is None else (own, *view.federated)
