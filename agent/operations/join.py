"""Joining: proving the node to a server that we have reason to trust."""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from agent.events.happened import AuthoritiesTrusted, NodeAttested
from agent.events.journal import Journal
from agent.membership.authorities import newer_authorities
from agent.operations.member import Member
from agent.operations.signing_request import signing_request
from agent.operations.synchronise import Synchronisation, judge_own
from agent.upstream.attesting import Attestation, attest
from agent.upstream.bootstrap import OpenUnjudged, TrustSource
from agent.upstream.servers import UNREACHED
from attestors.contract import NodeEvidence
from finial.runtime.clock import Clock
from finial.spiffe.bundle import Bundle
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel

OpenJudged = Callable[[str, Bundle | None], Channel]
log = logging.getLogger("finial.agent.join")


class Joining:
    """Attests, at the first server that can be reached and trusted.

    The bundle that we hold is tried first, because it is newer than what the agent began with;
    then the configured source is asked anew: after a long time without a server, the authorities
    that we know may all be gone. A source that proves nothing is asked only once they are.
    """

    def __init__(
        self,
        *,
        member: Member,
        evidence: NodeEvidence,
        source: TrustSource,
        sync: Synchronisation,
        known_bundle: Callable[[], Bundle | None],
        open_judged: OpenJudged,
        open_unjudged: OpenUnjudged,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._member = member
        self._evidence = evidence
        self._source = source
        self._sync = sync
        self._known_bundle = known_bundle
        self._open_judged = open_judged
        self._open_unjudged = open_unjudged
        self._journal = journal
        self._clock = clock

    @property
    def attestor(self) -> str:
        """The node attestor that this agent proves itself with."""
        return self._evidence.name

    async def join(self, addresses: tuple[str, ...]) -> str:
        """Attest, take on the bundle, become the holder of the SVID; return where.

        Raises: Refusal, the last one if every server and every way to trust it failed.
        """
        with self._member.replacing():
            return await self._join(addresses)

    async def trust_anew(self, address: str) -> None:
        """Take on authorities of a server that lost its keys, if the configured source knows them.

        Such a server shows an authority that nobody has heard of by the one before.
        """
        if not self._source.proves:
            return
        try:
            vouched = await self._source.bundle(address, self._open_unjudged)
            known = self._known_bundle()
            newer = newer_authorities(known, vouched) if known and vouched else ()
            if known is None or not newer:
                return
            names = tuple(each.subject_key_id for each in newer)
            self._journal.record(AuthoritiesTrusted(address, names))
            both = (*known.x509_authorities, *newer)
            self._sync.learn_bundles([replace(known, x509_authorities=both)])
            await self._sync.keep_bundles()
        except Refusal as refusal:
            log.info("%s", refusal)
            return
        log.warning("the server at %s has authorities anew: %s", address, ", ".join(names))

    async def _join(self, addresses: tuple[str, ...]) -> str:
        key_id, key = await self._member.next_key()
        address, given = await self._attest(addresses, signing_request(key))
        svid = given.svid
        own = judge_own(given.bundle, self._sync.trust_domain)
        # Recorded before it takes effect: an attestation that cannot be audited is not used.
        self._journal.record(
            NodeAttested(svid.id, address, svid.serial, svid.not_after, given.reattestable)
        )
        # The bundle first: who has an SVID is asked at once to judge servers by it.
        self._sync.learn_bundles([own])
        await self._sync.keep_bundles()
        await self._member.adopt(svid, key_id, key, reattestable=given.reattestable)
        log.info("attested as %s at %s", svid.id, address)
        return address

    async def _attest(self, addresses: tuple[str, ...], csr: bytes) -> tuple[str, Attestation]:
        last = Refusal(Kind.UNAVAILABLE, "there is no server address")
        for address in addresses:
            async for bundle in self._trusts(address):
                channel = self._open_judged(address, bundle)
                try:
                    return address, await attest(channel, self._evidence, csr)
                except Refusal as refusal:
                    # Only a server that was reached and believed has an answer that counts.
                    if refusal.kind not in UNREACHED:
                        raise
                    last = refusal
                finally:
                    await channel.close()
        raise last

    async def _trusts(self, address: str) -> AsyncIterator[Bundle | None]:
        known = self._known_bundle()
        if known is not None and known.x509_authorities:
            yield known
            alive = any(each.not_after > self._clock.now() for each in known.x509_authorities)
            if alive and not self._source.proves:
                # Else whoever disturbs the connection would be believed next.
                return
        try:
            yield await self._source.bundle(address, self._open_unjudged)
        except Refusal as refusal:
            if known is None:
                raise
            log.info("%s", refusal)
