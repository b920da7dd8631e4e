"""What one peer may take of us."""

from dataclasses import dataclass

from finial.wire.http2.engine import EngineSettings


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the peers of one key may take together, and how long one message of theirs may be.

    `held` is in bytes: of messages that are not whole yet, or that no handler has read.
    """

    connections: int
    message: int
    held: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server or a channel; sizes in bytes, times in seconds.

    `goodbye_seconds` is how long a peer may take to answer the end of TLS; until then whatever it
    sends is read and thrown away. `request_seconds` is how long one message may take to arrive;
    `stalled_seconds` how long a peer may leave unread what was written to it; `ping_after` how
    long it may be silent before it is asked for a sign of life, for which it has `ping_seconds`.
    `longest_age` 0 is for ever.
    """

    max_message: int = 4 * 1024 * 1024
    max_streams: int = 100
    max_connections: int = 20_000
    max_connections_per_key: int = 1_000
    max_held_per_key: int = 64 * 1024 * 1024
    max_handshakes: int = 500
    max_handshakes_per_address: int = 125
    header_bytes: int = 16_384
    header_count: int = 128
    send_buffer: int = 65_536
    handshake_seconds: float = 10.0
    goodbye_seconds: float = 2.0
    request_seconds: float = 30.0
    stalled_seconds: float = 60.0
    idle_seconds: float = 900.0
    ping_after: float = 120.0
    ping_seconds: float = 20.0
    longest_age: float = 0.0
    sweep_seconds: float = 5.0

    @property
    def allowance(self) -> Allowance:
        """What the peers of each key may take, where nothing else is said."""
        return Allowance(self.max_connections_per_key, self.max_message, self.max_held_per_key)

    def engine_settings(self, *, is_client: bool) -> EngineSettings:
        """Return what the engine announces for these limits."""
        return EngineSettings(
            is_client=is_client,
            max_streams=self.max_streams,
            header_bytes=self.header_bytes,
            header_count=self.header_count,
        )
