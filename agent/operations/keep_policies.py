"""Keeping the rules that the server pushes: read, put in force, kept for a restart, and told.

1. A document says the whole. An older one than that in force is refused, and so is one that cannot
   be read: the rules stay what they were, and the server sees that this agent lags.
2. They are read in a thread, so that requests are decided meanwhile, by the former rules.
3. They are in force first, then on the disk, and then the server is told.
4. They are in force before anybody is served after a restart, also without a server.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from agent.access.held_policies import HeldPolicies
from agent.operations.link import Link
from agent.storage.topics import Document, TopicFiles
from agent.upstream.following import Changed
from finial.policy.document import PolicyDocument, Reader, decode_policies
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

POLICIES: Final = "policies"
PAUSE: Final = 30.0
"""Seconds until what could not be kept is tried again."""
log = logging.getLogger("finial.agent.policies")


class PolicyKeeping:
    """Keeps `held` equal to what the server says; a topic of the stream of changes."""

    name: Final = POLICIES

    def __init__(
        self,
        *,
        held: Watch[HeldPolicies | None],
        topics: TopicFiles,
        link: Link,
        clock: Clock,
    ) -> None:
        self._held = held
        self._topics = topics
        self._link = link
        self._clock = clock
        self._reader = Reader()
        self._latest: bytes | None = None
        self._content = b""
        self._wanted = asyncio.Event()
        self._began_at = clock.now()

    @property
    def held(self) -> HeldPolicies | None:
        """The rules in force."""
        return self._held.value

    @property
    def version(self) -> int:
        """The version in force, 0 where there is none."""
        held = self._held.value
        return 0 if held is None else held.rules.version

    def age(self, now: float) -> float:
        """For how many seconds nobody could have told of newer rules; of this process at most."""
        if self._link.connected:
            return 0.0
        return max(0.0, now - max(self._link.followed_until, self._began_at))

    def resume(self) -> None:
        """Go on with the rules that were in force before the restart."""
        stored = self._topics.load(POLICIES)
        if stored is None:
            return
        try:
            document = decode_policies(stored.content.encode())
            self._held.set(self._read(document))
            self._content = stored.content.encode()
        except Refusal as refusal:
            log.warning("the stored rules are passed over: %s", refusal)

    def told(self, changed: Changed) -> None:
        """Take note of a document; it is read soon."""
        if changed.version < self.version:
            log.warning("rules of version %d are held, not %d", self.version, changed.version)
            return
        self._latest = bytes(changed.document)
        self._wanted.set()

    async def keep(self, applied: Callable[[str, int], Awaitable[None]]) -> None:
        """Put in force what was told, for ever; `applied` tells the server."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            content, self._latest = self._latest, None
            if content is None:
                continue
            try:
                await self._take(content)
            except Refusal as refusal:
                log.warning("rules of version %d are in force: %s", self.version, refusal)
                self._link.failed(POLICIES, refusal, self._clock.now())
                if refusal.kind is Kind.UNAVAILABLE:
                    await self._pause(content)
                continue
            self._link.worked(POLICIES)
            with contextlib.suppress(Refusal):  # the stream's next beginning tells it
                await applied(POLICIES, self.version)

    async def _pause(self, content: bytes) -> None:
        """Wait before these are kept again, unless others come meanwhile."""
        sleeping = asyncio.ensure_future(self._clock.sleep(PAUSE))
        waiting = asyncio.ensure_future(self._wanted.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
        if self._latest is None:
            self._latest = content
            self._wanted.set()

    async def _take(self, content: bytes) -> None:
        if content == self._content:
            return
        document = await asyncio.to_thread(decode_policies, content)
        if document.version < self.version:
            raise Refusal(Kind.STALE, f"version {document.version} is older than that in force")
        held = await asyncio.to_thread(self._read, document)
        self._held.set(held)
        log.info("rules of version %d are in force: %d statements", self.version, len(held.rules))
        try:
            stored = Document(document.version, content.decode())
            await asyncio.to_thread(self._topics.store, POLICIES, stored)
        except OSError as error:
            fault = f"they are in force, and cannot be kept for a restart: {error}"
            raise Refusal(Kind.UNAVAILABLE, fault) from error
        self._content = content

    def _read(self, document: PolicyDocument) -> HeldPolicies:
        rules = self._reader.policy_set(document)
        return HeldPolicies(rules, frozenset(SpiffeId.parse(each) for each in document.audit_all))
