"""Runs the server from its settings to the signal that ends it."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ca import tasks
from ca.assemble.ground import own_server_id, prepare_directories
from ca.assemble.listen import GrpcListeners, listen
from ca.assemble.make_world import make_world
from ca.assemble.plugins import load_vocabulary
from ca.datastore.datastore import Datastore
from ca.events.journal import Journal
from ca.events.measures import Measures
from ca.operations.rotate_authority import rotate_authorities
from ca.operations.server_identity import ServerIdentity, renew_server_identity
from ca.operations.world import World
from ca.settings import Settings
from finial.runtime.backoff import Backoff
from finial.runtime.clock import Clock, SystemClock
from finial.runtime.entropy import Entropy, SystemEntropy
from finial.runtime.files import write_public
from finial.runtime.process import harden_process
from finial.runtime.reporting.audit import AuditLog
from finial.runtime.reporting.metrics import Metrics
from finial.runtime.supervision import Supervisor
from finial.runtime.watch import Watch
from finial.spiffe.bundle_document import render_pem
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    from ca.api.oidc.start import OidcApi
    from ca.api.rest.start import RestApi

GRACE: Final = 10.0
_logger = logging.getLogger("finial.ca")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves: where, and which files it made for others."""

    grpc_address: tuple[str, int]
    server_socket: Path
    admin_socket: Path | None
    rest_address: tuple[str, int] | None
    bundle_path: Path
    oidc_address: tuple[str, int] | None = None


async def run(
    settings: Settings,
    ready: Callable[[Running], None],
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> None:
    """Start everything, call `ready`, and serve until SIGTERM or SIGINT.

    Raises: Refusal; SettingsError; OSError when an address is taken.
    """
    harden_process()
    # Until everything is loaded there is no rubbish, only a hundred thousand entries to look at.
    gc.disable()
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    prepare_directories(settings.server)
    supervisor = Supervisor(clock, entropy, Backoff(longest=10.0))
    async with _world(settings, clock, entropy) as (world, metrics, measures):
        await _serve(world, metrics, measures, supervisor, ready)


@contextlib.asynccontextmanager
async def _world(
    settings: Settings, clock: Clock, entropy: Entropy
) -> AsyncIterator[tuple[World, Metrics, Measures]]:
    server = settings.server
    metrics = Metrics("ca")
    measures = Measures(metrics)
    with _audit(server.audit_path) as audit:
        hiding = load_vocabulary(settings).hiding
        journal = Journal(audit, clock, (measures.observe,), hiding)
        datastore = await Datastore.open(server.database, clock, server.domain, journal.check)
        try:
            server_id = own_server_id(server.private_dir, entropy)
            world = await make_world(
                settings,
                server_id,
                clock=clock,
                entropy=entropy,
                datastore=datastore,
                journal=journal,
            )
            _read_metrics(world, metrics)
            yield world, metrics, measures
        finally:
            await datastore.close()


async def _serve(
    world: World,
    metrics: Metrics,
    measures: Measures,
    supervisor: Supervisor,
    ready: Callable[[Running], None],
) -> None:
    server = world.settings.server
    identity = await _identity(world)
    serving: Watch[Mapping[str, bool]] = Watch({"": True})
    write_public(server.bundle_path, render_pem(world.known.bundle.value))
    grpc = await listen(world, identity, serving, measures)
    rest = await _start_rest(world, identity, metrics, supervisor)
    oidc = await _start_oidc(world, identity, measures, supervisor)
    _start_tasks(world, identity, grpc, supervisor)
    # What is long-lived is never looked at again by the collector, which keeps its pauses short:
    # the entries, and the REST API's framework, which is as large as ten thousands of them.
    gc.collect()
    gc.freeze()
    gc.enable()
    ready(
        Running(
            grpc.address,
            server.server_socket,
            server.admin_socket if rest else None,
            rest.https if rest else None,
            server.bundle_path,
            oidc.https if oidc else None,
        )
    )
    _logger.info("serving agents of %s on %s:%d", world.trust_domain, *grpc.address)
    try:
        await supervisor.run()
    finally:
        serving.set({"": False})
        world.streams.end_all(Refusal(Kind.UNAVAILABLE, "the server is shutting down"))
        open_apis = [each for each in (grpc, rest, oidc) if each is not None]
        await asyncio.gather(*(each.close(GRACE) for each in open_apis))
        if world.hook is not None:
            await world.hook.close()


async def _identity(world: World, dns_names: tuple[str, ...] = ()) -> Watch[ServerIdentity]:
    """Issue an SVID of the server's, by an authority that did not grow old while we started."""
    await rotate_authorities(world)
    return Watch(await renew_server_identity(world, dns_names))


def _start_tasks(
    world: World, identity: Watch[ServerIdentity], grpc: GrpcListeners, supervisor: Supervisor
) -> None:
    path = world.settings.server.bundle_path
    supervisor.start("rotate authorities", partial(tasks.rotate, world))
    supervisor.start("keep the server's SVID", partial(tasks.keep_identity, world, identity, ()))
    supervisor.start("follow the datastore", world.follower.run)
    supervisor.start("poll the datastore", partial(tasks.safety_poll, world))
    supervisor.start("heartbeat", partial(tasks.heartbeat, world))
    supervisor.start("publish the bundle", partial(tasks.publish_bundle, world, path))
    supervisor.start("tell what is blocked", partial(tasks.follow_blocks, world))
    supervisor.start("tell who may call whom", partial(tasks.follow_policies, world))
    supervisor.start("gather traffic", partial(tasks.gather_traffic, world))
    if world.hook is not None:
        supervisor.start("ask the status hook", partial(tasks.follow_standings, world))
    supervisor.start("end blocks", partial(tasks.prune_blocks, world))
    supervisor.start("prune entries", partial(tasks.prune_entries, world))
    supervisor.start("prune the ledger", partial(tasks.prune_ledger, world))
    supervisor.start("prune agents", partial(tasks.prune_agents, world))
    supervisor.start("prune authorities", partial(tasks.prune_authorities, world))


async def _start_rest(
    world: World, identity: Watch[ServerIdentity], metrics: Metrics, supervisor: Supervisor
) -> "RestApi | None":
    rest = world.settings.server.rest
    if not rest.enabled:
        return None
    # FastAPI takes a third of a second and 25 MB, so it is loaded only where it is wanted.
    from ca.api.rest.routes.watching import Vitals
    from ca.api.rest.start import start

    vitals = Vitals(metrics.exposition, partial(_failing, world))
    if rest.bind_port is None:
        return await start(world, vitals, lambda: identity.value.tls)
    named = await _identity(world, rest.dns_names)
    keep = partial(tasks.keep_identity, world, named, rest.dns_names)
    supervisor.start("keep the REST API's SVID", keep)
    return await start(world, vitals, lambda: named.value.tls)


async def _start_oidc(
    world: World, identity: Watch[ServerIdentity], measures: Measures, supervisor: Supervisor
) -> "OidcApi | None":
    oidc = world.settings.oidc
    if oidc is None:
        return None
    from ca.api.oidc.start import start

    shown = identity
    if oidc.socket is None and oidc.certificate_file is None:
        names = world.settings.oidc_names
        shown = await _identity(world, names)
        keep = partial(tasks.keep_identity, world, shown, names)
        supervisor.start("keep the SVID for OIDC discovery", keep)
    return await start(world, oidc, lambda: shown.value.tls, measures.called)


def _failing(world: World) -> tuple[str, ...]:
    """Name what is not well; nothing here may take long."""
    signers = world.known.signers.value
    failing = [f"no {use} authority signs" for use in signers.keyrings if use not in signers.active]
    return tuple(failing)


def _read_metrics(world: World, metrics: Metrics) -> None:
    metrics.reading("entries", "Registration entries.", lambda: len(world.known.entries))
    metrics.reading("agents", "Agents that are known.", lambda: len(world.known.nodes))
    metrics.reading("agent_streams", "Open streams of agents.", lambda: len(world.streams))
    record = world.traffic.record
    metrics.reading("traffic_rows", "Kinds of requests between workloads.", lambda: len(record))
    for outcome in ("allowed", "shadowed", "denied"):
        metrics.reading(
            f"traffic_{outcome}",
            f"Requests between workloads that agents have {outcome}.",
            partial(record.decided.__getitem__, outcome),
        )


def _audit(path: Path) -> AuditLog:
    try:
        return AuditLog(path)
    except OSError as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the audit log cannot be opened: {error}",
            field="audit_log",
            value=str(path),
        ) from error
