"""Bringing entries and bundles up to date, and keeping them for a restart.

What leaves takes effect before anything else happens: a revoked entry is out of all open streams
before its loss is on the disk.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.cache.entitlement import Entitlements
from agent.cache.jwt_svids import JwtSvids
from agent.cache.view import Holdings
from agent.events.happened import EntriesSynced
from agent.events.journal import Journal
from agent.operations.link import Link
from agent.operations.subscriptions import Subscriptions
from agent.storage.documents import (
    parse_bundles,
    parse_entries,
    render_bundles,
    render_entries,
)
from agent.storage.topics import Document, TopicFiles
from agent.upstream.entitlements import federated_bundle, own_bundle, sync_entitlements
from agent.upstream.servers import Servers
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal

ENTRIES: Final = "entries"
BUNDLE: Final = "bundle"
AT_ONCE: Final = 10
log = logging.getLogger("finial.agent.sync")


class Synchronisation:
    """Keeps `holdings` equal to what the server says."""

    def __init__(
        self,
        *,
        holdings: Watch[Holdings],
        tokens: JwtSvids,
        subscriptions: Subscriptions,
        topics: TopicFiles,
        link: Link,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._holdings = holdings
        self._tokens = tokens
        self._subscriptions = subscriptions
        self._topics = topics
        self._link = link
        self._journal = journal
        self._clock = clock

    @property
    def trust_domain(self) -> TrustDomain:
        """Our own."""
        return self._holdings.value.trust_domain

    def resume(self, *, is_member: bool) -> None:
        """Go on with what was known before the restart; entries only where we are still a member.

        The bundle is of use in any case: it says which server to believe.
        """
        try:
            if (stored := self._topics.load(BUNDLE)) is not None:
                self.learn_bundles(parse_bundles(stored.content))
            if is_member and (stored := self._topics.load(ENTRIES)) is not None:
                known = parse_entries(stored.content)
                self._holdings.set(replace(self._holdings.value, entitlements=known, synced=True))
                self._link.synced_version = stored.version
        except Refusal as refusal:
            log.warning("a stored document is passed over: %s", refusal)

    async def run(self, servers: Servers) -> None:
        """Compare once, everything or the entries alone, as the link says.

        Raises: Refusal.
        """
        link = self._link
        link.stale.clear()
        version, bundles_too = link.entries_version, link.bundles_stale
        known = self._holdings.value.entitlements
        entitlements = await sync_entitlements(servers, known)
        changed = entitlements != known
        self._journal.record(EntriesSynced(len(entitlements), changed))
        if changed or not self._holdings.value.synced:
            # What is lost goes with its SVIDs in one step, so that streams are woken once.
            svids = {i: s for i, s in self._holdings.value.svids.items() if i in entitlements}
            self._holdings.set(
                replace(self._holdings.value, entitlements=entitlements, svids=svids, synced=True)
            )
            self._forget(entitlements)
        await self._bundles(servers, everything=bundles_too)
        link.last_sync = self._clock.now()
        if bundles_too:
            link.bundles_stale = False
        if changed or version != link.synced_version:
            document = Document(version, render_entries(entitlements))
            await self._store(ENTRIES, document)
            link.synced_version = version

    def learn_bundles(self, bundles: Iterable[Bundle]) -> None:
        """Take bundles on in place of the former ones of their trust domains."""
        known = dict(self._holdings.value.bundles)
        known.update((each.trust_domain, each) for each in bundles)
        self._learn(known)

    def learn_own_bundle(self, bundle: Bundle) -> None:
        """Take on our own bundle as a document of the standard carries it: without taint marks.

        What is known to be tainted stays so until the server says otherwise in full.
        """
        own = self._holdings.value.own_bundle
        if own is None or bundle.sequence < own.sequence:
            return
        x509 = {each.der: each for each in own.x509_authorities}
        jwt = {each.key_id: each for each in own.jwt_authorities}
        self.learn_bundles(
            [
                replace(
                    bundle,
                    x509_authorities=tuple(x509.get(a.der, a) for a in bundle.x509_authorities),
                    jwt_authorities=tuple(jwt.get(a.key_id, a) for a in bundle.jwt_authorities),
                )
            ]
        )

    async def keep_bundles(self) -> None:
        """Keep the bundles for a restart.

        Raises: Refusal of kind UNAVAILABLE.
        """
        bundles = self._holdings.value.bundles
        own = self._holdings.value.own_bundle
        version = 0 if own is None else own.sequence
        document = Document(version, render_bundles(list(bundles.values())))
        await self._store(BUNDLE, document)

    async def _store(self, topic: str, document: Document) -> None:
        try:
            await asyncio.to_thread(self._topics.store, topic, document)
        except OSError as error:
            raise Refusal(
                Kind.UNAVAILABLE, f"the document of the topic {topic} cannot be kept: {error}"
            ) from error

    def _learn(self, known: dict[TrustDomain, Bundle]) -> None:
        if known == self._holdings.value.bundles:
            return
        self._holdings.set(replace(self._holdings.value, bundles=known))
        self._forget(self._holdings.value.entitlements)

    async def _bundles(self, servers: Servers, *, everything: bool) -> None:
        holdings = self._holdings.value
        wanted = holdings.entitlements.federated_domains() - {holdings.trust_domain}
        if not everything:
            wanted -= holdings.bundles.keys()
        if not everything and not wanted:
            return
        found = await self._federated(servers, sorted(wanted))
        known = dict(self._holdings.value.bundles)
        if everything:
            own = judge_own(await own_bundle(servers), holdings.trust_domain)
            known = {holdings.trust_domain: own}
        known.update(found)
        if known != self._holdings.value.bundles:
            self._learn(known)
            await self.keep_bundles()

    async def _federated(
        self, servers: Servers, wanted: list[TrustDomain]
    ) -> dict[TrustDomain, Bundle]:
        found: dict[TrustDomain, Bundle] = {}
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            bundles = await asyncio.gather(*(federated_bundle(servers, each) for each in some))
            found.update(
                (domain, bundle)
                for domain, bundle in zip(some, bundles, strict=True)
                if bundle is not None and bundle.trust_domain == domain
            )
        return found

    def _forget(self, entitlements: Entitlements) -> None:
        """Let go of what belongs to lost entries and lost keys."""
        own = self._holdings.value.own_bundle
        authorities = () if own is None else own.jwt_authorities
        self._tokens.keep_only(
            {each.spiffe_id for each in entitlements},
            {each.key_id for each in authorities if not each.tainted},
        )
        self._subscriptions.keep_only(each.id for each in entitlements)


def judge_own(bundle: Bundle, trust_domain: TrustDomain) -> Bundle:
    """Give our own bundle back, as a server sent it.

    By that of another trust domain we would believe its servers, and by an empty one nobody.

    Raises: Refusal of kind INTERNAL.
    """
    if bundle.trust_domain != trust_domain or not bundle.x509_authorities:
        raise Refusal(
            Kind.INTERNAL,
            f"the server sent a bundle of {bundle.trust_domain} with "
            f"{len(bundle.x509_authorities)} authorities as that of {trust_domain}",
        )
    return bundle
