"""Makes the parts of an agent and joins them, with what was known before the restart."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agent.api.answers import Answers
from agent.api.call_records import CallRecords
from agent.api.ext_authz.check import authorization
from agent.api.gate import Gate
from agent.api.introspection import introspection
from agent.api.jwt import JwtProfile
from agent.api.listeners import Listeners, make_listeners
from agent.api.operator import Operated, operator
from agent.api.sds.rejections import Rejections
from agent.api.sds.secrets import Secrets
from agent.api.sds.service import secret_discovery
from agent.api.sds.stream import Serving
from agent.api.streams import Changes, Streaming
from agent.api.workload_api import workload_api
from agent.assemble.access import Access, make_access
from agent.assemble.explaining import Attesting, make_attesting
from agent.assemble.plugins import load_key_manager
from agent.assemble.trust import Terms, read_terms
from agent.cache.jwt_svids import JwtSvids
from agent.cache.view import Holdings
from agent.events.journal import Journal
from agent.events.measures import Measures
from agent.operations.attest_caller import CallerAttestation
from agent.operations.diagnosing import Diagnosing
from agent.operations.enforce_blocks import BlockEnforcement
from agent.operations.explain_caller import Explaining
from agent.operations.fetch_jwt_svid import FetchJwtSvid
from agent.operations.follow_server import Listener
from agent.operations.join import Joining
from agent.operations.keep_policies import PolicyKeeping
from agent.operations.link import Link
from agent.operations.member import Member
from agent.operations.publish import publish
from agent.operations.refresh_svids import SvidRefresh
from agent.operations.subscriptions import Subscriptions
from agent.operations.synchronise import Synchronisation
from agent.settings import Settings
from agent.storage.own_identity import OwnIdentityFile
from agent.storage.topics import TopicFiles
from agent.tasks import Tasks
from agent.upstream.channels import Channels
from agent.upstream.servers import Servers
from agent.upstream.signing import Signing
from attestors.contract import WorkloadAttestor
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.runtime.watch import Watch
from finial.wire.grpc.service import Service

WORKLOAD_API: Final = "SpiffeWorkloadAPI"


@dataclass(frozen=True, slots=True)
class Parts:
    """A made agent that does not run yet."""

    member: Member
    tasks: Tasks
    listeners: Listeners
    access: Access
    serving: Watch[Mapping[str, bool]]
    publishing: Callable[[], Awaitable[None]]

    def is_connected(self) -> bool:
        """Whether a server's stream of changes is open."""
        return self.tasks.link.connected


@dataclass(frozen=True, slots=True)
class _Ground:
    """What most parts need."""

    settings: Settings
    journal: Journal
    measures: Measures
    clock: Clock
    entropy: Entropy
    version: str
    holdings: Watch[Holdings]
    published: Watch[Holdings]
    tokens: JwtSvids
    subscriptions: Subscriptions
    link: Link


async def make_agent(
    settings: Settings,
    *,
    journal: Journal,
    measures: Measures,
    clock: Clock,
    entropy: Entropy,
    version: str,
) -> Parts:
    """Make an agent that goes on where it stopped, if it has run before.

    Raises: Refusal of kind PRECONDITION; SettingsError.
    """
    file = OwnIdentityFile(settings.agent.storage_dir)
    terms = await asyncio.to_thread(read_terms, settings, file.load(), entropy)
    agent = settings.agent
    holdings = Holdings(terms.trust_domain)
    ground = _Ground(
        settings,
        journal,
        measures,
        clock,
        entropy,
        version,
        Watch(holdings),
        Watch(holdings),
        JwtSvids(agent.jwt_svid_cache_max_size),
        Subscriptions(agent.x509_svid_cache_max_size),
        Link(),
    )
    member = Member(
        trust_domain=terms.trust_domain,
        servers=terms.servers,
        keys=load_key_manager(settings),
        file=file,
        journal=journal,
        clock=clock,
        entropy=entropy,
    )
    await member.resume()
    return _assemble(ground, terms, member)


def _assemble(ground: _Ground, terms: Terms, member: Member) -> Parts:
    channels = Channels(
        terms.trust_domain,
        lambda: member.identity,
        lambda: ground.holdings.value.own_bundle,
        ground.clock,
    )
    servers = Servers(terms.servers, channels.as_ourselves)
    signing = Signing(servers)
    refresh = _refresh(ground, signing)
    attesting = make_attesting(
        ground.settings,
        member=member,
        holdings=ground.holdings,
        link=ground.link,
        refresh=refresh,
        address=lambda: servers.address,
        clock=ground.clock,
        entropy=ground.entropy,
    )
    access = make_access(
        ground.settings.agent,
        attesting,
        ground.holdings,
        ground.link,
        journal=ground.journal,
        measures=ground.measures,
        clock=ground.clock,
        entropy=ground.entropy,
    )
    tasks = _tasks(
        ground,
        terms,
        member,
        channels=channels,
        servers=servers,
        refresh=refresh,
        explaining=attesting.explaining,
        access=access,
    )
    known = tasks.enforcement.resume()
    tasks.sync.resume(is_member=known and member.identity is not None)
    serving: Watch[Mapping[str, bool]] = Watch({"": False, WORKLOAD_API: False})
    records = CallRecords(ground.journal, attesting.memory, ground.clock)
    gate = Gate(ground.settings.agent.streams_per_uid, records)
    operated = _operated(
        ground, tasks, servers, attesting, access, open_calls=lambda: gate.open_calls
    )
    listeners = make_listeners(
        ground.settings.agent,
        [
            *_workload_services(ground, signing, records, attesting.attestation),
            introspection(attesting.explaining),
            authorization(access.deciding, records),
        ],
        operator(operated),
        serving,
        gate=gate,
        deciding=access.deciding,
        records=records,
        measures=ground.measures,
        clock=ground.clock,
    )
    publishing = partial(
        publish, ground.holdings, ground.published, ground.clock, lambda: gate.open_calls
    )
    return Parts(member, tasks, listeners, access, serving, publishing)


def _tasks(
    ground: _Ground,
    terms: Terms,
    member: Member,
    *,
    channels: Channels,
    servers: Servers,
    refresh: SvidRefresh,
    explaining: Explaining,
    access: Access,
) -> Tasks:
    agent = ground.settings.agent
    topics = TopicFiles(agent.storage_dir)
    sync = _sync(ground, topics)
    enforcement = BlockEnforcement(
        own_id=lambda: member.id,
        holdings=ground.holdings,
        published=ground.published,
        tokens=ground.tokens,
        topics=topics,
        link=ground.link,
        journal=ground.journal,
        clock=ground.clock,
    )
    joining = Joining(
        member=member,
        evidence=terms.evidence,
        source=terms.source,
        sync=sync,
        known_bundle=lambda: ground.holdings.value.own_bundle,
        open_judged=channels.judged_by,
        open_unjudged=channels.unjudged,
        journal=ground.journal,
        clock=ground.clock,
    )
    return Tasks(
        member=member,
        joining=joining,
        servers=servers,
        listener=Listener(
            terms.trust_domain,
            member,
            sync,
            ground.link,
            explaining=explaining,
            traffic=access.traffic,
            clock=ground.clock,
            enforcement=enforcement,
            topics=[access.keeping],
        ),
        sync=sync,
        refresh=refresh,
        enforcement=enforcement,
        subscriptions=ground.subscriptions,
        holdings=ground.holdings,
        link=ground.link,
        journal=ground.journal,
        clock=ground.clock,
        entropy=ground.entropy,
        poll=agent.sync_interval,
        safety_poll=agent.safety_poll,
        version=ground.version,
    )


def _sync(ground: _Ground, topics: TopicFiles) -> Synchronisation:
    return Synchronisation(
        holdings=ground.holdings,
        tokens=ground.tokens,
        subscriptions=ground.subscriptions,
        topics=topics,
        link=ground.link,
        journal=ground.journal,
        clock=ground.clock,
    )


def _refresh(ground: _Ground, signing: Signing) -> SvidRefresh:
    return SvidRefresh(
        holdings=ground.holdings,
        subscriptions=ground.subscriptions,
        signing=signing,
        key_type=ground.settings.agent.workload_x509_svid_key_type,
        journal=ground.journal,
        clock=ground.clock,
        entropy=ground.entropy,
    )


def _operated(
    ground: _Ground,
    tasks: Tasks,
    servers: Servers,
    attesting: Attesting,
    access: Access,
    *,
    open_calls: Callable[[], int],
) -> Operated:
    return Operated(
        tasks.member,
        ground.holdings,
        ground.tokens,
        ground.link,
        lambda: servers.address,
        open_calls,
        ground.version,
        _diagnosing(ground, tasks, servers, attesting.attestation.attestors, access.keeping),
        attesting.explaining,
        ground.clock,
    )


def _diagnosing(
    ground: _Ground,
    tasks: Tasks,
    servers: Servers,
    attestors: Sequence[WorkloadAttestor],
    keeping: PolicyKeeping,
) -> Diagnosing:
    return Diagnosing(
        ground.settings.agent,
        tasks.member,
        ground.holdings,
        ground.subscriptions,
        tasks.refresh,
        ground.link,
        keeping,
        lambda: servers.address,
        attestors,
        ground.journal.check,
        ground.clock,
    )


def _workload_services(
    ground: _Ground,
    signing: Signing,
    records: CallRecords,
    attestation: CallerAttestation,
) -> tuple[Service, Service]:
    """The Workload API and Envoy's secret discovery, over the same answers."""
    agent = ground.settings.agent
    answers = Answers(
        ground.holdings, ground.clock, serve_strangers=agent.allow_unauthenticated_verifiers
    )
    streaming = Streaming(
        answers,
        attestation,
        ground.subscriptions,
        Changes(ground.published),
        records,
        ground.clock,
        agent.hold,
    )
    fetching = FetchJwtSvid(ground.tokens, signing, ground.journal, ground.clock, ground.entropy)
    jwt = JwtProfile(
        answers,
        attestation,
        fetching,
        ground.holdings,
        records,
        ground.clock,
        frozenset(agent.allowed_foreign_jwt_claims),
    )
    serving = Serving(
        Secrets(answers, ground.holdings, agent.sds, ground.clock),
        attestation,
        ground.subscriptions,
        streaming.changes,
        records,
        Rejections(ground.journal, ground.measures, ground.clock),
        ground.clock,
        agent.hold,
    )
    return workload_api(streaming, jwt), secret_discovery(serving)
