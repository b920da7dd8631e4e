"""A client of HTTP/2 that sends whatever a test wants, also what is forbidden."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.events
import h2.exceptions

from finial.wire.http2.h2_engine import PatientConnection
from tests.doubles.echo import Said

Headers = Sequence[tuple[str, str]]


def request_headers(path: str = "/echo.Echo/Say", **changes: str | None) -> Headers:
    """The headers of a good request; `changes` replace or, being None, remove some."""
    headers: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return [(name, value) for name, value in headers.items() if value is not None]


def framed(payload: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A message with its prefix, which may lie."""
    announced = len(payload) if length is None else length
    return bytes([compressed]) + announced.to_bytes(4, "big") + payload


def said(**fields: Any) -> bytes:
    """A message of the service `Echo` with its prefix."""
    return framed(Said(**fields).SerializeToString())


@dataclass
class Answer:
    """What came back on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> str:
        return self.headers.get("grpc-status", "")

    @property
    def message(self) -> str:
        return self.headers.get("grpc-message", "")


class RawClient:
    """One connection; `answers` by stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        config = h2.config.H2Configuration(
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.http2 = PatientConnection(config)
        self.answers: dict[int, Answer] = {}
        self.is_closed = False
        self.goaway: int | None = None
        self.pongs: list[bytes] = []
        self.reads_bodies = True

    def begin(self) -> None:
        self.http2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.http2.data_to_send())

    def request(
        self, headers: Headers | None = None, body: bytes = b"", *, end: bool = True
    ) -> int:
        """Open a stream; the body has to fit into the window."""
        stream_id: int = self.http2.get_next_available_stream_id()
        self.answers[stream_id] = Answer()
        last = end and not body
        self.http2.send_headers(stream_id, headers or request_headers(), end_stream=last)
        if body:
            self.send(stream_id, body, end=end)
        self.flush()
        return stream_id

    def send(self, stream_id: int, body: bytes, *, end: bool = False) -> None:
        for at in range(0, len(body), 16_384):
            self.http2.send_data(stream_id, body[at : at + 16_384])
        if end:
            self.http2.end_stream(stream_id)
        self.flush()

    async def receive(self) -> bool:
        """Read once; false when the server has closed the connection."""
        try:
            received = await self.reader.read(65_536)
        except ConnectionError:
            received = b""
        if not received:
            self.is_closed = True
            return False
        for event in self.http2.receive_data(received):
            self._note(event)
        self.flush()
        return True

    async def answer(self, stream_id: int) -> Answer:
        """Read until that stream has ended, or the connection."""
        answer = self.answers[stream_id]
        while not answer.ended and answer.reset is None and await self.receive():
            pass
        return answer

    async def until_closed(self) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            while await self.receive():
                pass

    def _note(self, event: Any) -> None:
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0, Answer())
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                answer.headers |= dict(event.headers)
            case h2.events.DataReceived():
                answer.body += event.data
                if self.reads_bodies:
                    self.http2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            case h2.events.StreamEnded():
                answer.ended = True
            case h2.events.StreamReset():
                answer.reset = int(event.error_code)
            case h2.events.ConnectionTerminated():
                self.goaway = int(event.error_code)
            case h2.events.PingAckReceived():
                self.pongs.append(bytes(event.ping_data or b""))


@contextlib.asynccontextmanager
async def raw_client(path: Path, *, begun: bool = True) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    client = RawClient(reader, writer)
    if begun:
        client.begin()
    try:
        yield client
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
