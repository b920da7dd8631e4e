"""What is known of our connection to the servers, and what they asked us to look at."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Link:
    """The state of the connection; times are Unix seconds.

    `stale` is set when entries or bundles have to be compared with the server's; `connected` tells
    whether the server says by a stream when that is, so that polling is only for safety.
    `reached` is set when a server has answered, for whoever waits before trying again.
    """

    stale: asyncio.Event = field(default_factory=asyncio.Event)
    bundles_stale: bool = True
    entries_version: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    connected: bool = False
    last_sync: float = 0.0
    synced_version: int = 0

    def ask(self, *, bundles: bool, version: int = 0) -> None:
        """Have the entries compared, and the bundles too if asked."""
        self.bundles_stale = self.bundles_stale or bundles
        self.entries_version = max(self.entries_version, version)
        self.stale.set()
