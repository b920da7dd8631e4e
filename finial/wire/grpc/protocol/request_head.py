"""The headers that begin a call, judged."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.protocol.metadata import CONTENT_TYPE, parse_timeout
from finial.wire.grpc.service import Route
from finial.wire.http2.engine import Headers

_NOT_METADATA: Final = frozenset(
    {
        b":authority",
        b":method",
        b":path",
        b":scheme",
        b"content-type",
        b"grpc-accept-encoding",
        b"grpc-encoding",
        b"grpc-timeout",
        b"te",
    }
)


class Unacceptable(Exception):
    """The request is not gRPC at all and is answered in HTTP's words alone."""

    def __init__(self, http_status: bytes) -> None:
        super().__init__(http_status)
        self.http_status = http_status


class RequestHead(NamedTuple):
    """What the headers of an acceptable request say; `timeout` in seconds."""

    route: Route
    timeout: float | None
    metadata: Headers

    @classmethod
    def parse(cls, headers: Headers, routes: Mapping[bytes, Route]) -> "RequestHead":
        """Judge headers. Raises: Unacceptable; Refusal UNIMPLEMENTED, INVALID."""
        known: dict[bytes, bytes] = {}
        metadata = []
        for header in headers:
            if header[0] in _NOT_METADATA:
                known[header[0]] = header[1]
            else:
                metadata.append(header)
        _judge_protocol(known)
        route = routes.get(known[b":path"])
        if route is None:
            path = known[b":path"].decode("latin-1")
            raise Refusal(Kind.UNIMPLEMENTED, f"unknown method {path}")
        _judge_encoding(known.get(b"grpc-encoding", b"identity"))
        timeout = known.get(b"grpc-timeout")
        return cls(route, None if timeout is None else parse_timeout(timeout), metadata)


def _judge_protocol(known: Mapping[bytes, bytes]) -> None:
    if known.get(b":method") != b"POST":
        raise Unacceptable(b"405")
    content_type = known.get(b"content-type", b"")
    if content_type == CONTENT_TYPE:
        return
    if not content_type.startswith((CONTENT_TYPE + b"+", CONTENT_TYPE + b";")):
        raise Unacceptable(b"415")


def _judge_encoding(encoding: bytes) -> None:
    if encoding != b"identity":
        name = encoding.decode("latin-1")
        raise Refusal(Kind.UNIMPLEMENTED, f"the encoding {name!r} is not supported, only identity")
