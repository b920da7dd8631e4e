"""What is collected of agents' traffic, and how far each of them was read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ca.registry.traffic.flow import By, Flow, TrafficFilter
from ca.registry.traffic.traffic_record import TrafficRecord
from finial.spiffe.identity import SpiffeId
from finial.traffic import Cursor


@dataclass(frozen=True, slots=True)
class Look:
    """What was asked for, of what was collected at that moment."""

    asked_at: float | None
    wanted: TrafficFilter
    by: By


@dataclass(slots=True)
class Collected:
    """The record; `asked_at` is by the monotonic clock, when all were asked last.

    `latest` is what the last look found where that is more than a page, for the pages to come.

    `silent` are the agents that did not answer then, `unable` how many that are connected keep no
    record. `since` is when this server began, in Unix seconds, 0 before it has.
    """

    record: TrafficRecord = field(default_factory=TrafficRecord)
    cursors: dict[SpiffeId, Cursor] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked_at: float | None = None
    since: float = 0.0
    silent: tuple[SpiffeId, ...] = ()
    unable: int = 0
    latest: tuple[Look | None, Sequence[Flow]] = (None, ())
