"""What is collected of agents' traffic, and how far each of them was read."""

import asyncio
from dataclasses import dataclass, field

from ca.registry.traffic.traffic_record import TrafficRecord
from finial.spiffe.identity import SpiffeId
from finial.traffic import Cursor


@dataclass(slots=True)
class Collected:
    """The record; `asked_at` is by the monotonic clock, when all were asked last.

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
