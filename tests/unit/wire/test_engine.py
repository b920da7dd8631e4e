"""Both engines by themselves: one side's bytes go straight to the other."""

from typing import Any

import pytest

from finial.wire.http2.engine import (
    EngineFailure,
    EngineName,
    EngineSettings,
    ErrorCode,
    StreamGone,
    default_engine,
    open_engine,
)

REQUEST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"x")]
RESPONSE = [(b":status", b"200")]


class Notes:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *what: self.told.append((name, *what))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [what[1:] for what in self.told if what[0] == name]


class Pair:
    """A client and a server on one engine, without a network between them."""

    def __init__(self, name: EngineName, **settings: Any) -> None:
        self.at_client, self.at_server = Notes(), Notes()
        self.client: Any = open_engine(
            name, EngineSettings(is_client=True, **settings), self.at_client
        )
        self.server: Any = open_engine(
            name, EngineSettings(is_client=False, **settings), self.at_server
        )
        self.exchange()

    def exchange(self) -> None:
        while True:
            there, back = self.client.outgoing(1 << 20), b""
            if there:
                self.server.receive(there)
            back = self.server.outgoing(1 << 20)
            if back:
                self.client.receive(back)
            if not there and not back:
                return


@pytest.fixture
def pair(engine: EngineName) -> Pair:
    return Pair(engine)


def test_libnghttp2_is_the_engine_of_choice() -> None:
    """Without a setting the fast engine is taken where it is installed."""
    assert default_engine() is EngineName.NGH2
    open_engine(None, EngineSettings(is_client=True), Notes())  # type: ignore[arg-type]


def test_both_sides_announce_their_limits(engine: EngineName) -> None:
    """Settings say how many streams may be opened."""
    pair = Pair(engine, max_streams=7)
    assert (7,) in pair.at_client.of("settings_received")


def test_a_request_and_its_response(pair: Pair) -> None:
    """Headers, bodies and trailers arrive in order, and the end with the last of them."""
    stream = pair.client.request(REQUEST)
    pair.client.send(stream, b"hello", True)
    pair.exchange()
    [(_, headers, ended)] = pair.at_server.of("headers_received")
    assert (list(headers), ended) == (REQUEST, False)
    bodies = pair.at_server.of("body_received")
    assert b"".join(body for _, body, _ in bodies) == b"hello"
    assert [ended for _, _, ended in bodies][-1]
    pair.server.respond(stream, RESPONSE, False)
    pair.server.send(stream, b"world", False)
    pair.server.send_trailers(stream, [(b"grpc-status", b"0")])
    pair.exchange()
    assert pair.at_client.of("body_received") == [(stream, b"world", False)]
    [(_, trailers)] = pair.at_client.of("trailers_received")
    assert list(trailers) == [(b"grpc-status", b"0")]


def test_a_body_waits_for_its_window(pair: Pair) -> None:
    """No more is sent than was allowed; what waits is counted, and goes on when there is room."""
    stream = pair.client.request(REQUEST)
    pair.client.send(stream, b"x" * 200_000, False)
    pair.client.end(stream)
    pair.exchange()
    received = _received(pair)
    assert received <= 65_535
    assert pair.client.queued(stream) == 200_000 - received
    given = 0
    while received < 200_000:
        pair.server.consumed(stream, received - given)
        given = received
        pair.exchange()
        received = _received(pair)
        assert received > given
    assert pair.client.queued(stream) == 0
    assert pair.at_server.of("body_received")[-1][2]


def _received(pair: Pair) -> int:
    return sum(len(body) for _, body, _ in pair.at_server.of("body_received"))


def test_nothing_can_be_sent_on_a_stream_that_is_gone(pair: Pair) -> None:
    """A reset of the peer is told, and whatever is sent afterwards is refused, not lost silently."""
    stream = pair.client.request(REQUEST)
    pair.exchange()
    pair.client.reset(stream, ErrorCode.CANCEL)
    pair.exchange()
    assert (stream, 8) in pair.at_server.of("stream_ended")
    for send in (
        lambda: pair.server.respond(stream, RESPONSE, False),
        lambda: pair.server.send(stream, b"x", False),
        lambda: pair.server.end(stream),
        lambda: pair.server.send_trailers(stream, [(b"a", b"b")]),
    ):
        with pytest.raises(StreamGone):
            send()
    pair.server.reset(stream, ErrorCode.CANCEL)
    pair.server.consumed(stream, 5)
    assert pair.server.queued(stream) == 0


def test_a_polite_end_lets_open_streams_finish(pair: Pair) -> None:
    """After GOAWAY the last stream goes on, and a client knows which was the last."""
    stream = pair.client.request(REQUEST)
    pair.exchange()
    pair.server.go_away()
    pair.exchange()
    [(last, code)] = pair.at_client.of("going_away")
    assert (last >= stream, code) == (True, 0)
    pair.client.end(stream)
    pair.server.respond(stream, RESPONSE, True)
    pair.exchange()
    assert len(pair.at_client.of("headers_received")) == 1


def test_a_terminated_connection_says_no_more(pair: Pair) -> None:
    """The reason travels in GOAWAY, and no new stream can be opened afterwards."""
    pair.server.terminate(ErrorCode.ENHANCE_YOUR_CALM)
    pair.exchange()
    assert [code for _, code in pair.at_client.of("going_away")] == [0xB]
    with pytest.raises(StreamGone):
        pair.client.request(REQUEST)


def test_a_ping_is_answered(pair: Pair) -> None:
    """The answer to a ping is told."""
    pair.client.ping()
    pair.exchange()
    assert pair.at_client.of("ping_acknowledged") == [()]


def test_broken_bytes_end_the_connection(engine: EngineName) -> None:
    """What breaks HTTP/2 is a failure, or the end of the connection once its reason is sent."""
    pair = Pair(engine)
    try:
        pair.server.receive(b"\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff")
    except EngineFailure:
        return
    assert pair.server.outgoing(1000)[3] == 7  # GOAWAY
    assert pair.server.has_ended
