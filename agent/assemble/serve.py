"""Runs the agent from its settings to the signal that ends it."""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from agent.api.listeners import Listeners
from agent.assemble.activation import take_activated
from agent.assemble.ground import open_audit_log, prepare_directories
from agent.assemble.make_agent import Parts, make_agent
from agent.events.journal import Journal
from agent.events.measures import Measures
from agent.settings import Settings
from finial.runtime.clock import Clock, SystemClock
from finial.runtime.entropy import Entropy, SystemEntropy
from finial.runtime.files import write_public
from finial.runtime.process import harden_process
from finial.runtime.reporting.metrics import Metrics
from finial.runtime.supervision import Supervisor
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Refusal

GRACE: Final = 5.0
METRICS_SECONDS: Final = 15.0
log = logging.getLogger("finial.agent")


@dataclass(frozen=True, slots=True)
class Running:
    """An agent that has synced and serves."""

    agent_id: SpiffeId
    workload_socket: Path
    agent_socket: Path


async def run(
    settings: Settings,
    ready: Callable[[Running], None],
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> None:
    """Start everything, call `ready` once the agent has synced, and serve until SIGTERM or SIGINT.

    Raises: Refusal, with what to run, if the agent cannot join or is no longer wanted;
    SettingsError.
    """
    harden_process()
    activated = take_activated(settings.agent, os.environ)
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    prepare_directories(settings.agent)
    metrics = Metrics("agent")
    measures = Measures(metrics)
    with open_audit_log(settings.agent) as audit:
        journal = Journal(audit, clock, [measures.observe])
        parts = await make_agent(
            settings,
            journal=journal,
            measures=measures,
            clock=clock,
            entropy=entropy,
            version=version("finial"),
        )
        supervisor = Supervisor(clock, entropy)
        if settings.agent.metrics_file is not None:
            path = settings.agent.metrics_file
            supervisor.start("metrics", partial(write_metrics, metrics, path, clock))
        _read_metrics(parts, metrics)
        await _serve(settings, parts, supervisor, ready, activated)


async def _serve(
    settings: Settings,
    parts: Parts,
    supervisor: Supervisor,
    ready: Callable[[Running], None],
    activated: Mapping[str, socket.socket],
) -> None:
    # What is long-lived is never looked at again by the collector, which keeps its pauses short.
    gc.collect()
    gc.freeze()
    await parts.listeners.listen(settings.agent, activated)
    start_tasks(parts, supervisor)
    supervisor.start_vital("standing", parts.tasks.keep_standing, foreseen=(Refusal,))
    announcing = asyncio.ensure_future(_announce(settings, parts, ready))
    try:
        await supervisor.run()
    finally:
        announcing.cancel()
        parts.serving.set(dict.fromkeys(parts.serving.value, False))
        await _close(parts.listeners, parts)


def start_tasks(parts: Parts, supervisor: Supervisor) -> None:
    """Start everything that is started again when it fails."""
    tasks = parts.tasks
    supervisor.start("publication", parts.publishing)
    supervisor.start("synchronisation", tasks.synchronise)
    supervisor.start("stream of changes", tasks.follow)
    supervisor.start("workloads' SVIDs", tasks.keep_svids)
    supervisor.start("blocks", tasks.enforce_blocks)
    supervisor.start("rules", partial(parts.access.keeping.keep, tasks.listener.applied))
    supervisor.start("status report", tasks.report_status)


async def write_metrics(metrics: Metrics, path: Path, clock: Clock) -> None:
    """Write the metrics to a file again and again. Raises: OSError."""
    while True:
        await asyncio.to_thread(write_public, path, metrics.exposition())
        await clock.sleep(METRICS_SECONDS)


def _read_metrics(parts: Parts, metrics: Metrics) -> None:
    holdings, gate = parts.tasks.holdings, parts.listeners.gate
    metrics.reading("entries", "Entries to serve.", lambda: len(holdings.value.entitlements))
    metrics.reading("held_x509_svids", "X.509-SVIDs held.", lambda: len(holdings.value.svids))
    metrics.reading("calls", "Calls of workloads that are open.", lambda: gate.open_calls)
    clock = parts.tasks.clock
    metrics.reading(
        "blocks", "Blocks that hold.", lambda: len(holdings.value.blocks.holding(clock.now()))
    )
    metrics.reading(
        "blocks_version",
        "The version of what is blocked.",
        lambda: holdings.value.blocks.version,
    )
    metrics.reading(
        "locked_out",
        "Whether this agent itself is blocked.",
        lambda: holdings.value.lockout is not None,
    )
    parts.access.read_into(metrics, parts.tasks.clock)
    metrics.reading("connected", "Whether the server is followed.", parts.is_connected)


async def _announce(settings: Settings, parts: Parts, ready: Callable[[Running], None]) -> None:
    async for holdings in parts.tasks.holdings.changes():
        if holdings.synced and parts.member.id is not None:
            break
    serving: Mapping[str, bool] = dict.fromkeys(parts.serving.value, True)
    parts.serving.set(serving)
    agent = settings.agent
    assert parts.member.id is not None
    log.info("serving workloads as %s on %s", parts.member.id, agent.workload_socket)
    ready(Running(parts.member.id, agent.workload_socket, agent.admin_socket))


async def _close(listeners: Listeners, parts: Parts) -> None:
    await listeners.close(GRACE)
    await parts.tasks.servers.close()
