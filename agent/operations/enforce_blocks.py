"""Enforcing what the server says is blocked, from the moment it is told until it says otherwise.

1. A document says the whole. One that is not newer than the one held is passed over, and so is one
   that cannot be read: what was blocked stays blocked.
2. The effect comes first: once `told` has returned nobody is given anything that is blocked. Then
   the audit log has it; the open streams have it; the disk has it; and then the server is told that
   it is in force here.
3. It is in force before anybody is served after a restart, also without a server. Where the file
   is damaged, what else was kept does not count either: a server has to be asked first.
4. A block that ends by itself ends here without the server.
5. When the server has blocked this agent itself, nothing is given to anybody until it speaks with
   us again. What was given to workloads before is theirs, and named in other agents' documents.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from agent.cache.jwt_svids import JwtSvids
from agent.cache.view import Holdings
from agent.events.happened import AgentLockedOut, AgentReadmitted, BlocksEnforced, Event
from agent.events.journal import Journal
from agent.operations.link import Link
from agent.storage.topics import Document, TopicFiles
from agent.upstream.following import Changed
from finial.blocks import Block, Blocks, BlocksDocument, SubjectKind, decode, encode
from finial.runtime.clock import LONGEST_SLEEP, Clock
from finial.runtime.watch import Watch
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal

BLOCKS: Final = "blocks"
LOCKOUT: Final = "lockout"
MOST_NAMED: Final = 256
"""So many new blocks are named in one line of the audit log."""
_SAYS: Final = " is blocked: "
log = logging.getLogger("finial.agent.blocks")


class BlockEnforcement:
    """Keeps `holdings` free of what is blocked; a topic of the stream of changes.

    `published` is what open streams have seen of the holdings. `unsettled` is set when there is
    something for `settle` to do.
    """

    name: Final = BLOCKS

    def __init__(
        self,
        *,
        own_id: Callable[[], SpiffeId | None],
        holdings: Watch[Holdings],
        published: Watch[Holdings],
        tokens: JwtSvids,
        topics: TopicFiles,
        link: Link,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._own_id = own_id
        self._holdings = holdings
        self._published = published
        self._tokens = tokens
        self._topics = topics
        self._link = link
        self._journal = journal
        self._clock = clock
        self._document = BlocksDocument(version=0)
        self._in_force: dict[str, Block] = {}
        self._kept: tuple[int, Block | None] = (0, None)
        self.unsettled = asyncio.Event()

    @property
    def version(self) -> int:
        """The version in force, 0 where there is none."""
        return self._holdings.value.blocks.version

    @property
    def settled(self) -> int:
        """The version that open streams have seen, and that survives a restart."""
        return self._kept[0]

    def resume(self) -> bool:
        """Go on with what was blocked before the restart; return whether that is known.

        If it is not, because a file was damaged, nobody may be served before a server was asked.
        """
        holdings = self._holdings.value
        try:
            if (stored := self._load(BLOCKS)) is not None:
                self._document = decode(stored.content)
                holdings = replace(holdings, blocks=Blocks(self._document))
            if (own := self._load(LOCKOUT)) is not None and own.content:
                holdings = replace(holdings, lockout=msgspec.json.decode(own.content, type=Block))
        except (Refusal, msgspec.MsgspecError) as error:
            log.error("what was blocked is not known any more: %s", error)  # noqa: TRY400 - no bug
            return False
        self._in_force = {each.id: each for each in holdings.blocks.holding(self._clock.now())}
        self._kept = (holdings.blocks.version, holdings.lockout)
        self._holdings.set(holdings)
        return True

    def told(self, changed: Changed) -> None:
        """Have a document take effect, if it is newer than the one held."""
        try:
            document = decode(changed.document)
        except Refusal as refusal:
            log.warning("%s; what was blocked before stays so", refusal)
            self._link.failed(BLOCKS, refusal, self._clock.now())
            return
        if document.version <= self.version:
            say = log.warning if document.version < self.version else log.debug
            say("blocks of version %d are held, not %d", self.version, document.version)
            return
        self._document = document
        self._enforce(Blocks(document))

    def heed(self, refusal: Refusal) -> None:
        """Look whether a server refused us because this agent itself is blocked."""
        if refusal.reason is Reason.AGENT_BLOCKED:
            self.lock_out(refusal.detail.rpartition(_SAYS)[2])

    def lock_out(self, reason: str = "") -> None:
        """Give nothing to anybody: this agent is blocked."""
        holdings, own_id = self._holdings.value, self._own_id()
        known = holdings.lockout
        if known is not None and (known.reason or not reason):
            return
        since = int(self._clock.now()) if known is None else known.since
        block = Block("", SubjectKind.AGENT, str(own_id or ""), reason, since)
        self._holdings.set(replace(holdings, lockout=block, svids={}))
        self._tokens.clear()
        log.error("this agent is blocked, and serves nobody: %s", reason or "the server says so")
        self._record(AgentLockedOut(own_id, reason))

    def readmitted(self) -> None:
        """Note that a server speaks with us: if we were blocked, we are not any more."""
        if self._holdings.value.lockout is None:
            return
        self._holdings.set(replace(self._holdings.value, lockout=None))
        log.warning("this agent is not blocked any more")
        self._record(AgentReadmitted(self._own_id()))

    def pass_time(self) -> None:
        """Let blocks end whose time is over."""
        blocks = self._holdings.value.blocks
        if len(blocks.holding(self._clock.now())) < len(self._in_force):
            self._enforce(blocks)

    def until_next_end(self) -> float:
        """In how many seconds to look for blocks that have ended, at the latest."""
        now = self._clock.now()
        end = self._holdings.value.blocks.next_end(now)
        return min(end - now, LONGEST_SLEEP) if end else LONGEST_SLEEP

    async def settle(self) -> int:
        """Wait until open streams have it and the disk has it; return the version in force.

        Raises: Refusal of kind UNAVAILABLE if it cannot be kept.
        """
        holdings, document = self._holdings.value, self._document
        async for published in self._published.changes():
            if published is holdings or _is_known(published, holdings):
                break
        version, lockout = self._kept
        if lockout != holdings.lockout:
            own = msgspec.json.encode(holdings.lockout).decode() if holdings.lockout else ""
            await self._store(LOCKOUT, Document(0, own))
        if version != document.version:
            await self._store(BLOCKS, Document(document.version, encode(document).decode()))
        self._kept = (document.version, holdings.lockout)
        return document.version

    def _load(self, topic: str) -> Document | None:
        stored = self._topics.load(topic)
        if stored is None and self._topics.has(topic):
            raise Refusal(Kind.PRECONDITION, f"the document of the topic {topic} is damaged")
        return stored

    async def _store(self, topic: str, document: Document) -> None:
        try:
            await asyncio.to_thread(self._topics.store, topic, document)
        except OSError as error:
            fault = f"what is blocked cannot be kept for a restart: {error}"
            raise Refusal(Kind.UNAVAILABLE, fault) from error

    def _enforce(self, blocks: Blocks) -> None:
        """Take everything that is blocked away in one step, so that streams are woken once."""
        holdings, now = self._holdings.value, self._clock.now()
        entries, taken = holdings.entitlements, replace(holdings, blocks=blocks)
        withheld = frozenset(taken.blocked_entries(now))
        svids = {i: svid for i, svid in holdings.svids.items() if i not in withheld}
        # Those of former blocks go too: what was signed for one meanwhile is not handed out later.
        self._tokens.drop_blocked(entries, holdings.blocks, now)
        self._tokens.drop_blocked(entries, blocks, now)
        self._holdings.set(replace(taken, svids=svids))
        before, self._in_force = self._in_force, {each.id: each for each in blocks.holding(now)}
        began = [each for i, each in self._in_force.items() if i not in before]
        ended = tuple(i for i in before if i not in self._in_force)
        say = log.warning if began or ended else log.info
        say(
            "blocks of version %d are in force: %d of them, %d new, %d ended; %d entries of this "
            "agent are withheld",
            blocks.version,
            len(self._in_force),
            len(began),
            len(ended),
            len(withheld),
        )
        self._record(
            BlocksEnforced(
                blocks.version,
                len(self._in_force),
                tuple(began[:MOST_NAMED]),
                ended[:MOST_NAMED],
                tuple(sorted(withheld)[:MOST_NAMED]),
            )
        )

    def _record(self, event: Event) -> None:
        self.unsettled.set()
        # It is in force whether or not it can be written down.
        with contextlib.suppress(Refusal):
            self._journal.record(event)


def _is_known(published: Holdings, holdings: Holdings) -> bool:
    return published.blocks.version >= holdings.blocks.version and (
        published.lockout == holdings.lockout
    )
