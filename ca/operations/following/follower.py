"""Memory follows the datastore: one reader of the table `changes`, for our own writes too.

Rules: changes are applied in their order; `caught_up` returns when everything that was committed
before it was called is in memory, so that whoever wrote reads what was written; a follower that
fell behind what is still kept reads everything again; agents are told after memory knows.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from ca.datastore.changes import News
from ca.datastore.datastore import Datastore
from ca.operations.following.known import Known
from ca.operations.following.streams import (
    BLOCKS,
    BUNDLE,
    ENTRIES,
    FEDERATION,
    MAX_NAMED_IDS,
    STANDING,
    Changed,
    Streams,
)
from ca.registry.block.judge_block import agent_refusal, serial_refusal
from ca.registry.change import Topic
from ca.registry.index import Touched
from finial.runtime.clock import Clock
from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import render_spiffe_bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Reason, Refusal

_STEP = 1000
# No reason goes with it: the agent itself, which has the new SVID, only has to open another one.
_REPLACED = Refusal(Kind.UNAVAILABLE, "the SVID that opened this stream was replaced")
_logger = logging.getLogger("finial.ca.follower")


class Follower:
    """Reads changes into `Known` and tells the agents that they concern."""

    def __init__(self, datastore: Datastore, known: Known, streams: Streams, clock: Clock) -> None:
        self._datastore = datastore
        self._known = known
        self._streams = streams
        self._clock = clock
        self._lock = asyncio.Lock()
        self._newest = 0
        self._cast_out: Callable[[frozenset[SpiffeId]], None] = _ignore
        self._woken = asyncio.Event()

    def committed(self, sequence: int) -> None:
        """Note that something was committed; the datastore calls this after each commit."""
        self._newest = max(self._newest, sequence)
        self._woken.set()

    def on_cast_out(self, act: Callable[[frozenset[SpiffeId]], None]) -> None:
        """Have something done about agents that were banned or evicted."""
        self._cast_out = act

    async def load(self) -> None:
        """Read everything, at the start or after falling behind."""
        async with self._lock:
            await self._load()

    async def caught_up(self) -> None:
        """Wait until memory has applied everything that was committed so far."""
        if self._known.sequence >= self._newest:
            return
        async with self._lock:
            while self._known.sequence < self._newest:
                await self._step()

    async def run(self) -> None:
        """Follow at each commit."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self.caught_up()

    async def poll(self) -> None:
        """Look for what other servers wrote."""
        self.committed(await self._datastore.latest_sequence())

    async def _step(self) -> None:
        behind = self._known.sequence
        news = await self._datastore.news_after(behind, _STEP)
        # Numbers have no gaps, so what is missing was pruned.
        if not news.changes or news.changes[0].sequence != behind + 1:
            _logger.warning("changes after %d are gone, everything is read again", behind)
            await self._load()
            return
        await self._apply(news)

    async def _apply(self, news: News) -> None:
        sequence = news.changes[-1].sequence
        topics = {change.topic for change in news.changes}
        bundles = None
        if Topic.BUNDLE in topics or Topic.FEDERATION in topics:
            bundles = await self._datastore.load_bundles()
        blocks = await self._datastore.load_blocks() if Topic.BLOCKS in topics else None
        policies = await self._datastore.load_policies() if Topic.POLICIES in topics else None
        # From here on nobody else runs before memory is whole again.
        if bundles is not None:
            self._take_bundles(bundles, sequence)
        nodes = self._take_nodes(news, sequence)
        touched, ids = self._take_entries(news)
        self._known.sequence = sequence
        if blocks is not None:
            self._known.blocks.replace(blocks)
        if policies is not None:
            self._known.policies.replace(*policies)
        if policies is not None or nodes or ids:
            self._known.attributes.forget()
            self._known.policies_wanted.set()
        if blocks is not None or (self._known.blocks.names_selectors and (nodes or ids)):
            self._enforce_blocks(sequence)
        self._tell_entries(touched, nodes, ids, sequence)

    async def _load(self) -> None:
        known, newest = self._known, self._newest
        sequence = await self._datastore.latest_sequence()
        nodes = await self._datastore.load_nodes()
        entries = await self._datastore.load_entries()
        # In the order in which they are kept, each finds its place at the end.
        entries.sort(key=lambda entry: (entry.created_at, entry.id))
        gone_nodes = {str(node.id) for node in known.nodes} - {str(node.id) for node in nodes}
        gone = {entry.id for entry in known.entries} - {entry.id for entry in entries}
        bundles = await self._datastore.load_bundles()
        blocks = await self._datastore.load_blocks()
        policies = await self._datastore.load_policies()
        # From here on nobody else runs before memory is whole again.
        self._take_bundles(bundles, sequence)
        known.blocks.replace(blocks)
        known.policies.replace(*policies)
        known.attributes.forget()
        known.policies_wanted.set()
        known.nodes.apply(nodes, map(SpiffeId.parse, gone_nodes))
        known.entries.apply(entries, gone)
        known.sequence = sequence
        self._end_streams(tuple(self._streams.agents), sequence)
        self._forget_gone(map(SpiffeId.parse, gone_nodes))
        if self._newest == newest:
            # Also when it is less than before, as after a backup was restored.
            self._newest = sequence
        self._streams.tell_all(Changed(ENTRIES, sequence))
        self._enforce_blocks(sequence)

    def _enforce_blocks(self, sequence: int) -> None:
        """Cut off the agents that are blocked, at once; the others are told within moments.

        An agent that knows nothing of blocks looks for its entries again, of which the blocked ones
        are missing.
        """
        known, now = self._known, self._clock.now()
        known.blocks_wanted.set()
        blocked = known.blocks.agents(known.nodes, now)
        for agent in tuple(self._streams.agents):
            block = blocked.get(agent)
            if block is not None:
                self._streams.tell(agent, Changed(STANDING, sequence, document=b"blocked"))
                for stream in self._streams.of(agent):
                    stream.end(agent_refusal(block, agent))
            elif not self._streams.knows(agent, BLOCKS):
                self._streams.tell(agent, Changed(ENTRIES, sequence))
        for stream in self._streams:
            if (block := known.blocks.of_serial(stream.serial, now)) is not None:
                stream.end(serial_refusal(block, stream.serial, stream.agent))
        if blocked:
            # Also those that hold no stream: a connection may be about to open one.
            self._cast_out(frozenset(blocked))

    def _take_entries(self, news: News) -> tuple[Touched, tuple[str, ...]]:
        ids = news.ids(Topic.ENTRIES)
        if not ids:
            return Touched(), ()
        gone = set(ids).difference(entry.id for entry in news.entries)
        self._remember(news, gone)
        return self._known.entries.apply(news.entries, gone), ids

    def _remember(self, news: News, gone: set[str]) -> None:
        """Keep for a while when entries changed, and those that are about to be forgotten."""
        known = self._known
        for change in news.changes:
            if change.topic is Topic.ENTRIES:
                known.lately.note(change.ids, change.sequence)
        lost = (known.entries.get(each) for each in gone)
        known.lately.lost((each for each in lost if each is not None), self._clock.now())

    def _take_nodes(self, news: News, sequence: int) -> frozenset[SpiffeId]:
        """Apply nodes; return those whose selectors changed."""
        agents = tuple(map(SpiffeId.parse, news.ids(Topic.NODES)))
        if not agents:
            return frozenset()
        before = {agent: self._known.nodes.get(agent) for agent in agents}
        after = {node.id: node for node in news.nodes}
        self._known.nodes.apply(news.nodes, (each for each in agents if each not in after))
        self._end_streams(agents, sequence)
        self._forget_gone(agents)
        return frozenset(
            agent
            for agent, old in before.items()
            if old and (new := after.get(agent)) and new.selectors != old.selectors
        )

    def _take_bundles(self, bundles: dict[TrustDomain, Bundle], sequence: int) -> None:
        known = self._known
        own = bundles.pop(known.trust_domain, None)
        if bundles != known.federated.value:
            known.federated.set(bundles)
            self._streams.tell_all(Changed(FEDERATION, sequence))
        if own is not None and own != known.bundle.value:
            known.bundle.set(own)
            self._streams.tell_all(bundle_change(known))

    def _end_streams(self, agents: Iterable[SpiffeId], sequence: int) -> None:
        """End the streams of those that were cast out, and those of SVIDs that were replaced."""
        agents = tuple(agents)
        outcasts = frozenset(filter(self._is_outcast, agents))
        for agent in outcasts:
            self._tell_standing(agent, sequence)
        if outcasts:
            self._cast_out(outcasts)
        for agent in agents:
            node = self._known.nodes.get(agent)
            for stream in self._streams.of(agent):
                if node and stream.serial not in ("", node.serial_number, node.new_serial_number):
                    stream.end(_REPLACED)

    def _forget_gone(self, agents: Iterable[SpiffeId]) -> None:
        for agent in agents:
            if self._known.nodes.get(agent) is None:
                self._streams.forget(agent)

    def _is_outcast(self, agent: SpiffeId) -> bool:
        node = self._known.nodes.get(agent)
        return node is None or node.banned

    def _tell_standing(self, agent: SpiffeId, sequence: int) -> None:
        standing, reason = "banned", Reason.AGENT_BANNED
        if self._known.nodes.get(agent) is None:
            standing, reason = "evicted", Reason.AGENT_NOT_ATTESTED
        self._streams.tell(agent, Changed(STANDING, sequence, document=standing.encode()))
        refusal = Refusal(Kind.DENIED, f'agent "{agent}" is {standing}', reason=reason)
        for stream in self._streams.of(agent):
            stream.end(refusal)

    def _tell_entries(
        self,
        touched: Touched,
        nodes: frozenset[SpiffeId],
        ids: tuple[str, ...],
        sequence: int,
    ) -> None:
        change = Changed(ENTRIES, sequence, ids if len(ids) <= MAX_NAMED_IDS else ())
        for agent in tuple(self._streams.agents):
            node = self._known.nodes.get(agent)
            if agent in nodes:
                self._streams.tell(agent, Changed(ENTRIES, sequence))
            elif node is not None and touched.concerns(agent, node.selectors):
                self._streams.tell(agent, change)


def _ignore(_: frozenset[SpiffeId]) -> None:
    """Nobody takes an interest yet."""


def blocks_change(known: Known) -> Changed:
    """Say what is blocked; the whole of it travels along."""
    told = known.blocks_told.value
    return Changed(BLOCKS, told.document.version, document=told.content)


def bundle_change(known: Known) -> Changed:
    """Say that our own bundle changed; it is small, so it travels along."""
    bundle = known.bundle.value
    return Changed(BUNDLE, bundle.sequence, document=render_spiffe_bundle(bundle))
