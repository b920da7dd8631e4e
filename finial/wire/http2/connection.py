"""One connection: a transport, an engine between its bytes and a sink, and writing in good time.

Rules: what is sent while received bytes are judged, or within one round of the event loop, is
written at once, together. What the engine itself has to say (the answer to a ping, mostly) to a
peer who has said all it wants waits for what the sink says next, 20 milliseconds at most: each
write costs more than all that is in it, and many a peer is gone by then. While the transport is
full nothing is taken from the engine and nothing is read from the peer, so that a peer who does
not read cannot make us buffer.
"""

import asyncio
import logging
from typing import Final, cast

from finial.wire.http2.engine import (
    Engine,
    EngineFailure,
    EngineName,
    EngineSettings,
    ErrorCode,
    Headers,
    open_engine,
)

_log = logging.getLogger("finial.wire")
_PORTION: Final = 262_144
_PATIENCE: Final = 0.02
_FRAME_HEAD: Final = 9
_GOAWAY: Final = 0x7


class Http2Connection(asyncio.Protocol):
    """Moves bytes; subclasses are the engine's sink."""

    __slots__ = (
        "_closing",
        "_engine",
        "_flush_is_due",
        "_has_spoken",
        "_late",
        "_loop",
        "_speaks_first",
        "_transport",
        "_writing_is_paused",
        "awaits_ping",
        "heard",
    )

    def __init__(self, engine: EngineName | None, settings: EngineSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine: Engine = open_engine(engine, settings, self)
        self._transport: asyncio.Transport | None = None
        self._flush_is_due = False
        self._has_spoken = False
        self._late: asyncio.TimerHandle | None = None
        self._speaks_first = settings.is_client
        self._writing_is_paused = False
        self._closing = False
        self.heard = True
        self.awaits_ping = False

    @property
    def engine(self) -> Engine:
        """The engine of this connection."""
        return self._engine

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, while the connection is open."""
        return self._transport

    @property
    def is_closing(self) -> bool:
        """Whether nothing more is read from this connection."""
        return self._closing or self._transport is None

    @property
    def writing_is_paused(self) -> bool:
        """Whether the transport takes nothing now."""
        return self._writing_is_paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with our SETTINGS; a server's go out with its answer to the client's.

        The client's come first in any case (RFC 9113 section 3.4), and a write is dear.
        """
        # Transports of uvloop do not derive from those of asyncio.
        self._transport = cast(asyncio.Transport, transport)
        if self._speaks_first:
            self.flush()

    def data_received(self, data: bytes) -> None:
        """Read, tell the sink, write what came of it."""
        if self._closing:
            return
        self.heard = True
        self._flush_is_due = True  # below
        self._has_spoken = False
        try:
            self._engine.receive(data)
        except EngineFailure as failure:
            _log.debug("connection ended: %s", failure)
            self.end(ErrorCode.PROTOCOL_ERROR)
            return
        except Exception:
            _log.exception("connection ended by a fault of ours")
            self.end(ErrorCode.INTERNAL_ERROR)
            return
        if self._engine.has_ended and _says_goodbye(data):
            # Whoever leaves reads nothing more, and Go's clients leave with a last stream that
            # libnghttp2 takes for a fault: to answer that would be a write for nothing.
            self._closing = True
            if self._transport is not None:
                self._transport.close()
        elif self._has_spoken or self._engine.has_ended or not self.can_wait():
            self._flush_due()
        else:
            self._flush_is_due = False
            self._late = self._late or self._loop.call_later(_PATIENCE, self._flush_late)

    def can_wait(self) -> bool:
        """Whether the peer has nothing to send for which it may need a window of ours."""
        return False

    def eof_received(self) -> bool:
        """Close as soon as the peer ends its half: HTTP/2 knows no half-closed connection."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        self._closing = True
        self._transport = None

    def pause_writing(self) -> None:
        """Stop reading too, until the peer has read what was written."""
        self._writing_is_paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on writing and reading."""
        self._writing_is_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self.schedule_flush()

    def schedule_flush(self) -> None:
        """Write at the end of this round of the event loop."""
        self._has_spoken = True
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush_due)

    def flush(self) -> None:
        """Write what the engine has ready, as long as the transport takes it."""
        try:
            self._write_ready()
            while self.flushed():
                self._write_ready()
            if self._engine.has_ended and self._transport is not None:
                self._closing = True
                self._transport.close()
        except EngineFailure as failure:
            _log.debug("connection ended: %s", failure)
            self.abort()

    def flushed(self) -> bool:
        """Told after each writing, for senders that wait for room; true if there is more."""
        return False

    def _write_ready(self) -> None:
        while self._transport is not None and not self._writing_is_paused:
            ready = self._engine.outgoing(_PORTION)
            if ready:
                self._transport.write(ready)
            if len(ready) < _PORTION:
                break

    def end(self, error_code: ErrorCode) -> None:
        """Say why, write what is ready, and close once it is written."""
        if self._closing:
            return
        self._closing = True
        self._engine.terminate(error_code)
        transport = self._transport
        if transport is None:
            return
        try:
            ready = self._engine.outgoing(_PORTION)
        except EngineFailure:
            ready = b""
        if ready:
            transport.write(ready)
        transport.close()

    def abort(self) -> None:
        """Close at once and throw away what was not written."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _flush_due(self) -> None:
        self._flush_is_due = False
        if not self._closing:
            self.flush()

    def _flush_late(self) -> None:
        self._late = None
        if not self._closing:
            self.flush()

    def headers_received(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """A request or a response has begun."""
        raise NotImplementedError

    def body_received(self, stream_id: int, body: bytes, ended: bool) -> None:
        """A part of a body has arrived."""
        raise NotImplementedError

    def trailers_received(self, stream_id: int, headers: Headers) -> None:
        """The other side has ended its half with trailers."""
        raise NotImplementedError

    def stream_ended(self, stream_id: int, error_code: int) -> None:
        """The stream was reset, or is closed on both sides."""
        raise NotImplementedError

    def settings_received(self, max_streams: int | None) -> None:
        """The peer has announced its settings."""
        raise NotImplementedError

    def going_away(self, last_stream_id: int, error_code: int) -> None:
        """The peer takes no new streams."""
        raise NotImplementedError

    def ping_acknowledged(self) -> None:
        """The peer lives."""
        self.awaits_ping = False


def _says_goodbye(received: bytes) -> bool:
    """Whether a GOAWAY is among whole frames (RFC 9113 sections 4.1 and 6.8)."""
    offset = 0
    while offset + _FRAME_HEAD <= len(received):
        if received[offset + 3] == _GOAWAY:
            return True
        offset += _FRAME_HEAD + int.from_bytes(received[offset : offset + 3], "big")
    return False
