"""The engine on pure Python `h2`, which leaves the queueing of bodies to us."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.events import Event
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

from finial.wire.http2.engine import (
    EngineFailure,
    EngineSettings,
    ErrorCode,
    Headers,
    Sink,
    StreamGone,
)

# It would write every header, whatever it holds, into a log at level DEBUG.
logging.getLogger("hpack").setLevel(logging.WARNING)

_PING = b"finial\0\0"
_WINDOW_OF_RFC_9113 = 65_535


@dataclass(slots=True)
class _Outbox:
    """What waits on one stream for its window."""

    body: bytearray = field(default_factory=bytearray)
    trailers: Headers | None = None
    ended: bool = False


class PatientConnection(h2.connection.H2Connection):
    """Goes on with open streams after the peer's GOAWAY without an error (RFC 9113, 6.8)."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code:
            return super()._receive_goaway_frame(frame)
        event = h2.events.ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class H2Engine:
    """Adapts an `h2.connection.H2Connection`."""

    __slots__ = ("_connection", "_movable", "_outboxes", "_ready", "_sink")

    def __init__(self, settings: EngineSettings, sink: Sink) -> None:
        self._sink = sink
        self._ready = bytearray()
        self._outboxes: dict[int, _Outbox] = {}
        self._movable: dict[int, None] = {}  # streams that may have something to send, in order
        config = h2.config.H2Configuration(client_side=settings.is_client, header_encoding=None)
        self._connection = PatientConnection(config)
        self._connection.local_settings = Settings(
            client=settings.is_client, initial_values=_announced(settings)
        )
        self._connection.decoder.max_header_list_size = settings.header_bytes
        self._connection.initiate_connection()
        extra = settings.connection_window - _WINDOW_OF_RFC_9113
        if extra > 0:
            self._connection.increment_flow_control_window(extra)

    @property
    def has_ended(self) -> bool:
        """Whether the connection is to be closed; `h2` raises where that is so."""
        return False

    def receive(self, received: bytes) -> None:
        """Read bytes and tell the sink. Raises: EngineFailure."""
        try:
            events = self._connection.receive_data(received)
        except (h2.exceptions.H2Error, ValueError, KeyError) as failure:
            raise EngineFailure(str(failure)) from failure
        for event in events:
            tell = _TELL.get(type(event))
            if tell is not None:
                tell(self, event)

    def outgoing(self, amount: int) -> bytes:
        """Take up to that many bytes that are ready to be written. Raises: EngineFailure."""
        self._ready += self._connection.data_to_send()
        while self._movable and len(self._ready) < amount:
            self._move(next(iter(self._movable)), amount)
        taken = bytes(self._ready[:amount])
        del self._ready[:amount]
        return taken

    def request(self, headers: Headers) -> int:
        """Open a stream and return its id. Raises: StreamGone when no more can be opened."""
        try:
            stream_id = self._connection.get_next_available_stream_id()
            self._connection.send_headers(stream_id, headers)
        except h2.exceptions.H2Error as failure:
            raise StreamGone(str(failure)) from failure
        self._outboxes[stream_id] = _Outbox()
        return stream_id

    def respond(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """Begin a response. Raises: StreamGone."""
        try:
            self._connection.send_headers(stream_id, headers, end_stream=ended)
        except h2.exceptions.H2Error as failure:
            raise StreamGone(str(failure)) from failure
        if not ended:
            self._outboxes[stream_id] = _Outbox()

    def send(self, stream_id: int, body: bytes, ended: bool) -> None:
        """Queue a part of a body, to leave as windows allow. Raises: StreamGone."""
        outbox = self._outbox(stream_id)
        outbox.body += body
        outbox.ended = ended
        self._movable[stream_id] = None

    def end(self, stream_id: int) -> None:
        """End our half after what is queued. Raises: StreamGone."""
        self.send(stream_id, b"", True)

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """End our half with trailers, after what is queued. Raises: StreamGone."""
        outbox = self._outbox(stream_id)
        outbox.trailers = headers
        self._movable[stream_id] = None

    def reset(self, stream_id: int, error_code: ErrorCode) -> None:
        """End a stream at once; what is queued on it is dropped. Never raises."""
        self._outboxes.pop(stream_id, None)
        with contextlib.suppress(h2.exceptions.H2Error):
            self._connection.reset_stream(stream_id, error_code)

    def consumed(self, stream_id: int, amount: int) -> None:
        """Give the window of so many received bytes back. Never raises."""
        with contextlib.suppress(h2.exceptions.H2Error, ValueError):
            self._connection.acknowledge_received_data(amount, stream_id)

    def queued(self, stream_id: int) -> int:
        """Return how many bytes of body wait on that stream; 0 when it has ended."""
        outbox = self._outboxes.get(stream_id)
        return len(outbox.body) if outbox is not None else 0

    @property
    def unsent(self) -> int:
        """How many bytes of body wait on all streams together."""
        return sum(len(outbox.body) for outbox in self._outboxes.values())

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        with contextlib.suppress(h2.exceptions.H2Error):
            self._connection.ping(_PING)

    def go_away(self) -> None:
        """Tell the peer to open no more streams; those that are open go on.

        The frame is ours, because `h2` takes its own GOAWAY for the end of all streams.
        """
        frame = GoAwayFrame(last_stream_id=self._connection.highest_inbound_stream_id)
        self._ready += self._connection.data_to_send() + frame.serialize()

    def terminate(self, error_code: ErrorCode) -> None:
        """End the connection: after the last outgoing bytes nothing more may be said."""
        with contextlib.suppress(h2.exceptions.H2Error):
            self._connection.close_connection(error_code)

    def _outbox(self, stream_id: int) -> _Outbox:
        outbox = self._outboxes.get(stream_id)
        if outbox is None or outbox.ended or outbox.trailers is not None:
            raise StreamGone(f"stream {stream_id} takes no more body")
        return outbox

    def _move(self, stream_id: int, amount: int) -> None:
        """Send of one stream what its window allows, until so much is ready in all."""
        outbox = self._outboxes.get(stream_id)
        has_window = False
        try:
            if outbox is not None:
                has_window = self._send_body(stream_id, outbox.body, amount)
                if not outbox.body:
                    self._finish(stream_id, outbox)
        except h2.exceptions.H2Error:
            self._outboxes.pop(stream_id, None)
        if outbox is None or not outbox.body or not has_window:
            self._movable.pop(stream_id, None)

    def _send_body(self, stream_id: int, body: bytearray, amount: int) -> bool:
        """Send parts of a body; false when the window is used up."""
        while body and len(self._ready) < amount:
            window = self._connection.local_flow_control_window(stream_id)
            room = min(window, self._connection.max_outbound_frame_size)
            if room <= 0:
                return False
            self._connection.send_data(stream_id, bytes(body[:room]))
            self._ready += self._connection.data_to_send()
            del body[:room]
        return True

    def _finish(self, stream_id: int, outbox: _Outbox) -> None:
        if outbox.trailers is not None:
            self._connection.send_headers(stream_id, outbox.trailers, end_stream=True)
        elif outbox.ended:
            self._connection.end_stream(stream_id)
        else:
            return
        self._ready += self._connection.data_to_send()
        del self._outboxes[stream_id]

    def _headers(self, event: h2.events.RequestReceived | h2.events.ResponseReceived) -> None:
        ended = event.stream_ended is not None
        headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        self._sink.headers_received(event.stream_id, headers, ended)

    def _body(self, event: h2.events.DataReceived) -> None:
        padding = event.flow_controlled_length - len(event.data)
        if padding:
            self.consumed(event.stream_id, padding)
        self._sink.body_received(event.stream_id, event.data, event.stream_ended is not None)

    def _trailers(self, event: h2.events.TrailersReceived) -> None:
        headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        self._sink.trailers_received(event.stream_id, headers)

    def _reset(self, event: h2.events.StreamReset) -> None:
        self._outboxes.pop(event.stream_id, None)
        self._sink.stream_ended(event.stream_id, int(event.error_code or 0))

    def _window(self, event: h2.events.WindowUpdated) -> None:
        wanted = [event.stream_id] if event.stream_id else self._outboxes
        self._movable |= dict.fromkeys(wanted)

    def _settings(self, event: h2.events.RemoteSettingsChanged) -> None:
        changed = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
        self._sink.settings_received(None if changed is None else changed.new_value)
        self._window(h2.events.WindowUpdated(stream_id=0, delta=0))

    def _terminated(self, event: h2.events.ConnectionTerminated) -> None:
        self._sink.going_away(event.last_stream_id or 0, int(event.error_code or 0))


def _announced(settings: EngineSettings) -> dict[SettingCodes, int]:
    return {
        SettingCodes.MAX_CONCURRENT_STREAMS: settings.max_streams,
        SettingCodes.INITIAL_WINDOW_SIZE: settings.stream_window,
        SettingCodes.MAX_HEADER_LIST_SIZE: settings.header_bytes,
        **({SettingCodes.ENABLE_PUSH: 0} if settings.is_client else {}),
    }


_TELL: dict[type, Callable[[H2Engine, Any], None]] = {
    h2.events.RequestReceived: H2Engine._headers,
    h2.events.ResponseReceived: H2Engine._headers,
    h2.events.DataReceived: H2Engine._body,
    h2.events.TrailersReceived: H2Engine._trailers,
    h2.events.StreamReset: H2Engine._reset,
    h2.events.WindowUpdated: H2Engine._window,
    h2.events.RemoteSettingsChanged: H2Engine._settings,
    h2.events.PingAckReceived: lambda engine, _: engine._sink.ping_acknowledged(),
    h2.events.ConnectionTerminated: H2Engine._terminated,
}
