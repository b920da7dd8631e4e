"""What is known of our connection to the servers, and what they asked us to look at."""

import asyncio
from dataclasses import dataclass, field

from agent.attestation.situation import Trouble
from agent.operations.server_clock import ServerClock
from finial.spiffe.refusal import Refusal


@dataclass(slots=True)
class Link:
    """The state of the connection; times are Unix seconds.

    `stale` is set when entries or bundles have to be compared with the server's; `connected` tells
    whether the server says by a stream when that is, so that polling is only for safety.
    `reached` is set when a server has answered, for whoever waits before trying again. `fault` says
    why the stream is not open, `followed_until` when it last was; `server_clock` knows the time
    that it tells. `troubles` says what fails at present, by the words with which the log says so.
    """

    stale: asyncio.Event = field(default_factory=asyncio.Event)
    bundles_stale: bool = True
    entries_version: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    connected: bool = False
    followed_until: float = 0.0
    last_sync: float = 0.0
    synced_version: int = 0
    fault: Refusal | None = None
    server_clock: ServerClock = field(default_factory=ServerClock)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def ask(self, *, bundles: bool, version: int = 0) -> None:
        """Have the entries compared, and the bundles too if asked."""
        self.bundles_stale = self.bundles_stale or bundles
        self.entries_version = max(self.entries_version, version)
        self.stale.set()

    def failed(self, what: str, refusal: Refusal, now: float) -> None:
        """Note that something fails, since now or since it first did."""
        known = self.troubles.get(what)
        since = now if known is None else known.since
        self.troubles[what] = Trouble(refusal.detail, since)

    def worked(self, what: str) -> None:
        """Note that something works again."""
        self.troubles.pop(what, None)
