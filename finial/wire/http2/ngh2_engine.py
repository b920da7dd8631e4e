"""The engine on libnghttp2."""

import contextlib
from collections.abc import Callable
from typing import Any

import ngh2

from finial.wire.http2.engine import (
    EngineFailure,
    EngineSettings,
    ErrorCode,
    Headers,
    Sink,
    StreamGone,
)

_PING = b"finial\0\0"

_configurations: dict[EngineSettings, ngh2.Configuration] = {}


class Ngh2Engine:
    """Adapts an `ngh2.Connection`; its windows are given back by hand."""

    __slots__ = ("_connection", "_sink")

    def __init__(self, settings: EngineSettings, sink: Sink) -> None:
        self._sink = sink
        role = ngh2.Role.CLIENT if settings.is_client else ngh2.Role.SERVER
        self._connection = ngh2.Connection(role, _configuration(settings))
        self._connection.initiate_connection(_announced(settings))
        self._connection.set_local_window_size(settings.connection_window)

    @property
    def has_ended(self) -> bool:
        """Whether the connection is to be closed once what is outgoing is written."""
        return not self._connection.want_read

    def receive(self, received: bytes) -> None:
        """Read bytes and tell the sink. Raises: EngineFailure."""
        failure: ngh2.NGH2Error | None = None
        try:
            self._connection.receive_data(received)
        except ngh2.NGH2Error as raised:
            failure = raised
        sink = self._sink
        for event in self._connection.events():
            tell = _TELL.get(type(event))
            if tell is not None:
                tell(sink, event)
        if failure is not None:
            raise EngineFailure(str(failure)) from failure

    def outgoing(self, amount: int) -> bytes:
        """Take up to that many bytes that are ready to be written. Raises: EngineFailure."""
        try:
            return self._connection.data_to_send(amount)
        except ngh2.NGH2Error as failure:
            raise EngineFailure(str(failure)) from failure

    def request(self, headers: Headers) -> int:
        """Open a stream and return its id. Raises: StreamGone when no more can be opened."""
        try:
            return self._connection.send_request(headers)
        except ngh2.NGH2Error as failure:
            raise StreamGone(str(failure)) from failure

    def respond(self, stream_id: int, headers: Headers, ended: bool) -> None:
        """Begin a response. Raises: StreamGone."""
        try:
            self._connection.send_response(stream_id, headers, end_stream=ended)
        except ngh2.NGH2Error as failure:
            raise StreamGone(str(failure)) from failure

    def send(self, stream_id: int, body: bytes, ended: bool) -> None:
        """Queue a part of a body, to leave as windows allow. Raises: StreamGone."""
        try:
            self._connection.send_data(stream_id, body, end_stream=ended)
        except ngh2.NGH2Error as failure:
            raise StreamGone(str(failure)) from failure

    def end(self, stream_id: int) -> None:
        """End our half after what is queued. Raises: StreamGone."""
        try:
            self._connection.end_stream(stream_id)
        except ngh2.NGH2Error as failure:
            raise StreamGone(str(failure)) from failure

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """End our half with trailers, after what is queued. Raises: StreamGone."""
        try:
            self._connection.send_trailers(stream_id, headers)
        except ngh2.NGH2Error as failure:
            raise StreamGone(str(failure)) from failure

    def reset(self, stream_id: int, error_code: ErrorCode) -> None:
        """End a stream at once; what is queued on it is dropped. Never raises."""
        with contextlib.suppress(ngh2.NGH2Error, ValueError):
            self._connection.reset_stream(stream_id, error_code)

    def consumed(self, stream_id: int, amount: int) -> None:
        """Give the window of so many received bytes back. Never raises."""
        with contextlib.suppress(ngh2.NGH2Error, ValueError):
            self._connection.acknowledge_received_data(amount, stream_id)

    def queued(self, stream_id: int) -> int:
        """Return how many bytes of body wait on that stream; 0 when it has ended."""
        return self._connection.queued_body_size(stream_id)

    @property
    def unsent(self) -> int:
        """How many bytes of body wait on all streams together."""
        return self._connection.queued_body_size()

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        with contextlib.suppress(ngh2.NGH2Error):
            self._connection.ping(_PING)

    def go_away(self) -> None:
        """Tell the peer to open no more streams; those that are open go on."""
        with contextlib.suppress(ngh2.NGH2Error):
            self._connection.send_goaway(ErrorCode.NO_ERROR)

    def terminate(self, error_code: ErrorCode) -> None:
        """End the connection: after the last outgoing bytes nothing more may be said."""
        with contextlib.suppress(ngh2.NGH2Error):
            self._connection.terminate_connection(error_code)


def _configuration(settings: EngineSettings) -> ngh2.Configuration:
    found = _configurations.get(settings)
    if found is None:
        found = _configurations[settings] = ngh2.Configuration(
            auto_window_update=False,
            max_inbound_header_list_size=settings.header_bytes,
            max_inbound_header_count=settings.header_count,
        )
    return found


def _announced(settings: EngineSettings) -> dict[ngh2.Setting, int]:
    announced = {
        ngh2.Setting.MAX_CONCURRENT_STREAMS: settings.max_streams,
        ngh2.Setting.INITIAL_WINDOW_SIZE: settings.stream_window,
        ngh2.Setting.MAX_HEADER_LIST_SIZE: settings.header_bytes,
    }
    if settings.is_client:
        announced[ngh2.Setting.ENABLE_PUSH] = 0
    return announced


def _settings_received(sink: Sink, event: ngh2.SettingsReceived) -> None:
    sink.settings_received(event.settings.get(ngh2.Setting.MAX_CONCURRENT_STREAMS))


_TELL: dict[type, Callable[[Sink, Any], None]] = {
    ngh2.RequestReceived: lambda s, e: s.headers_received(e.stream_id, e.headers, e.end_stream),
    ngh2.ResponseReceived: lambda s, e: s.headers_received(e.stream_id, e.headers, e.end_stream),
    ngh2.DataReceived: lambda s, e: s.body_received(e.stream_id, e.data, e.end_stream),
    ngh2.TrailersReceived: lambda s, e: s.trailers_received(e.stream_id, e.headers),
    ngh2.StreamReset: lambda s, e: s.stream_ended(e.stream_id, e.error_code),
    ngh2.StreamClosed: lambda s, e: s.stream_ended(e.stream_id, e.error_code),
    ngh2.SettingsReceived: _settings_received,
    ngh2.PingAcknowledged: lambda s, _: s.ping_acknowledged(),
    ngh2.GoAwayReceived: lambda s, e: s.going_away(e.last_stream_id, e.error_code),
}
