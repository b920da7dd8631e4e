"""What is known of our connection to the servers, and what they asked us to look at."""

import asyncio
from dataclasses import dataclass, field

from agent.operations.server_clock import ServerClock
from finial.spiffe.refusal import Refusal


@dataclass(slots=True)
class Link:
    """The state of the connection; times are Unix seconds.

    `stale` is set when entries or bundles have to be compared with the server's; `connected` tells
    whether the server says by a stream when that is, so that polling is only for safety.
    `reached` is set when a server has answered, for whoever waits before trying again. `fault` says
    why the stream is not open; `server_clock` knows the time that it tells.
    """

    stale: asyncio.Event = field(default_factory=asyncio.Event)
    bundles_stale: bool = True
    entries_version: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    connected: bool = False
    last_sync: float = 0.0
    synced_version: int = 0
    fault: Refusal | None = None
    server_clock: ServerClock = field(default_factory=ServerClock)

    def ask(self, *, bundles: bool, version: int = 0) -> None:
        """Have the entries compared, and the bundles too if asked."""
        self.bundles_stale = self.bundles_stale or bundles
        self.entries_version = max(self.entries_version, version)
        self.stale.set()
