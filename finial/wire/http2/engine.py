"""Names the HTTP/2 engines; the one place that decides which of them is used.

An engine turns bytes into calls of its sink, and calls of its own methods into bytes. It does no
input and output. `ngh2` (libnghttp2) is the engine of choice; pure Python `h2` stands in where
there is no wheel of it, and passes the same tests.
"""

import enum
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


class ErrorCode(enum.IntEnum):
    """The error codes of HTTP/2 that we send (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    ENHANCE_YOUR_CALM = 0xB


class EngineFailure(Exception):
    """The peer broke a rule of HTTP/2, or the connection has ended: nothing more can be read."""


class StreamGone(Exception):
    """The stream was reset or has ended; what was to be sent on it is dropped."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine announces and holds a peer to; sizes in bytes."""

    is_client: bool
    max_streams: int = 100
    header_bytes: int = 16_384
    header_count: int = 128
    stream_window: int = 65_535
    connection_window: int = 1_048_576


class Sink(Protocol):
    """Whom an engine tells what has arrived."""

    def headers_received(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """A request (at a server) or a response (at a client) has begun."""
        ...

    def body_received(self, stream_id: int, body: bytes, ended: bool) -> None:
        """A part of a body; its window stays taken until `consumed` is called."""
        ...

    def trailers_received(self, stream_id: int, headers: Headers) -> None:
        """The other side has ended its half of the stream with trailers."""
        ...

    def stream_ended(self, stream_id: int, error_code: int) -> None:
        """The stream was reset, or is closed on both sides; streams may be named twice."""
        ...

    def settings_received(self, max_streams: int | None) -> None:
        """The peer has announced its settings; `max_streams` is how many we may open."""
        ...

    def ping_acknowledged(self) -> None:
        """The peer has answered a ping."""
        ...

    def going_away(self, last_stream_id: int, error_code: int) -> None:
        """The peer will take no new streams; those above `last_stream_id` it has not seen."""
        ...


class Engine(Protocol):
    """The few operations of HTTP/2 that the gRPC layer needs."""

    @property
    def has_ended(self) -> bool:
        """Whether the connection is to be closed once what is outgoing is written."""
        ...

    def receive(self, received: bytes) -> None:
        """Read bytes and tell the sink. Raises: EngineFailure."""
        ...

    def outgoing(self, amount: int) -> bytes:
        """Take up to that many bytes that are ready to be written. Raises: EngineFailure."""
        ...

    def request(self, headers: Headers) -> int:
        """Open a stream and return its id. Raises: StreamGone when no more can be opened."""
        ...

    def respond(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """Begin a response. Raises: StreamGone."""
        ...

    def send(self, stream_id: int, body: bytes, ended: bool) -> None:
        """Queue a part of a body, to leave as windows allow. Raises: StreamGone."""
        ...

    def end(self, stream_id: int) -> None:
        """End our half after what is queued. Raises: StreamGone."""
        ...

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """End our half with trailers, after what is queued. Raises: StreamGone."""
        ...

    def reset(self, stream_id: int, error_code: ErrorCode) -> None:
        """End a stream at once; what is queued on it is dropped. Never raises."""
        ...

    def consumed(self, stream_id: int, amount: int) -> None:
        """Give the window of so many received bytes back. Never raises."""
        ...

    def queued(self, stream_id: int) -> int:
        """Return how many bytes of body wait on that stream; 0 when it has ended."""
        ...

    @property
    def unsent(self) -> int:
        """How many bytes of body wait on all streams together."""
        ...

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        ...

    def go_away(self) -> None:
        """Tell the peer to open no more streams; those that are open go on."""
        ...

    def terminate(self, error_code: ErrorCode) -> None:
        """End the connection: after the last outgoing bytes nothing more may be said."""
        ...


class EngineName(enum.StrEnum):
    """The engines there are."""

    NGH2 = "ngh2"
    H2 = "h2"


def default_engine() -> EngineName:
    """Choose libnghttp2 where it is installed."""
    return EngineName.NGH2 if importlib.util.find_spec("ngh2") else EngineName.H2


def open_engine(name: EngineName | None, settings: EngineSettings, sink: Sink) -> Engine:
    """Make an engine that has already queued its side's first SETTINGS."""
    match name or default_engine():
        case EngineName.NGH2:
            from finial.wire.http2.ngh2_engine import Ngh2Engine

            return Ngh2Engine(settings, sink)
        case EngineName.H2:
            from finial.wire.http2.h2_engine import H2Engine

            return H2Engine(settings, sink)
