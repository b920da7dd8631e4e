"""Being told by the server what changed, and doing something about it.

Topics: `entries` (ask which), `bundle` (a SPIFFE bundle travels along), `federation` (ask for the
bundles), `standing` (banned, evicted or blocked), and those whose documents are somebody's own
matter. What is not known is passed over: topics are open.
"""

import logging
from collections.abc import Iterable
from typing import Final

from agent.access.traffic import Traffic
from agent.attestation.situation import STREAM
from agent.operations.answer_questions import Answering, answerers
from agent.operations.enforce_blocks import BLOCKS, BlockEnforcement
from agent.operations.explain_caller import Explaining
from agent.operations.link import Link
from agent.operations.member import Member
from agent.operations.synchronise import ENTRIES, Synchronisation
from agent.operations.topic import Topic
from agent.upstream.following import Changed, Following, open_following
from agent.upstream.servers import Servers
from finial.runtime.clock import Clock
from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Reason, Refusal

FEDERATION: Final = "federation"
STANDING: Final = "standing"
ATTESTORS: Final = "attestors"
_STANDINGS: Final = {b"banned": Reason.AGENT_BANNED, b"evicted": Reason.AGENT_NOT_ATTESTED}
log = logging.getLogger("finial.agent.follow")


class Listener:
    """Follows one server."""

    def __init__(
        self,
        trust_domain: TrustDomain,
        member: Member,
        sync: Synchronisation,
        link: Link,
        *,
        explaining: Explaining,
        traffic: Traffic,
        clock: Clock,
        enforcement: BlockEnforcement,
        topics: Iterable[Topic] = (),
    ) -> None:
        self._trust_domain = trust_domain
        self._member = member
        self._sync = sync
        self._link = link
        self._explaining = explaining
        self._answerers = answerers(explaining, traffic)
        self._clock = clock
        self._enforcement = enforcement
        self._topics: dict[str, Topic] = {each.name: each for each in (enforcement, *topics)}
        self._cut = False
        self._following: Following | None = None

    async def run(self, servers: Servers) -> None:
        """Follow until the stream ends.

        Raises: Refusal, of kind UNIMPLEMENTED from a server that has no such stream.
        """
        try:
            async with open_following(servers) as stream:
                following = self._following = Following(stream)
                self._cut = False
                held = {name: each.version for name, each in self._topics.items() if each.version}
                versions = {ENTRIES: self._link.synced_version, **held}
                await following.hello(versions, tuple(self._topics))
                await self.applied(BLOCKS, self._enforcement.settled)
                await following.report(ATTESTORS, self._explaining.attestors())
                self._link.connected, self._link.fault = True, None
                self._link.worked(STREAM)
                self._link.reached.set()
                # Whatever changed while nobody told us is found by comparing once.
                self._link.ask(bundles=True)
                await self._listen(following)
        except Refusal as refusal:
            self._link.fault = refusal
            # From here on nobody tells us: we look ourselves, now and then.
            self._link.ask(bundles=False)
            raise
        finally:
            if self._link.connected:
                self._link.followed_until = self._clock.now()
            self._following = None
            self._link.connected = False
            self._link.server_clock.forget()

    async def _listen(self, following: Following) -> None:
        answering = Answering(self._answerers, following.answer)
        try:
            await following.listen(self._told, self._beat, answering.asked)
        finally:
            answering.close()

    async def applied(self, topic: str, version: int) -> None:
        """Tell the server, where one listens, that a version has taken effect."""
        if self._following is not None and version:
            await self._following.applied(topic, version)

    def _beat(self, sent_at_ms: int) -> None:
        self._link.server_clock.heard(sent_at_ms, self._clock.now())
        self._spoken()

    def _spoken(self) -> None:
        """The server speaks with us, so it lets us in; but not if it cuts this very stream."""
        if not self._cut:
            self._enforcement.readmitted()

    def _told(self, changed: Changed) -> None:
        if changed.topic != STANDING:
            self._spoken()
        topic = self._topics.get(changed.topic)
        if topic is not None:
            topic.told(changed)
            return
        match changed.topic:
            case "entries":
                self._link.ask(bundles=False, version=changed.version)
            case "bundle":
                self._bundle(changed)
            case "federation":
                self._link.ask(bundles=True)
            case "standing":
                self._standing(changed.document)
            case _:
                log.debug("the topic %r is not known to this agent", changed.topic)

    def _bundle(self, changed: Changed) -> None:
        try:
            bundle = parse_spiffe_bundle(self._trust_domain, changed.document)
        except Refusal as refusal:
            log.warning("the server sent a bundle that is none (%s); it is asked for", refusal)
            bundle = Bundle(self._trust_domain)
        if bundle.x509_authorities:
            self._sync.learn_own_bundle(bundle)
        # What the document of the standard does not carry, taint above all, is asked for.
        self._link.ask(bundles=True)

    def _standing(self, document: bytes) -> None:
        if bytes(document) == b"blocked":
            self._cut = True
            self._enforcement.lock_out()
        reason = _STANDINGS.get(bytes(document))
        if reason is not None:
            self._member.told(reason)
