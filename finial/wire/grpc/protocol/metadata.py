"""What gRPC says in headers: timeouts, messages of statuses, and binary metadata."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.http2.engine import Headers
from finial.wire.status import Code, Status, parse_code

Metadata = Iterable[tuple[str, str | bytes]]

CONTENT_TYPE: Final = b"application/grpc"
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_KEY = re.compile(r"[0-9a-z_.-]+")
_RESERVED: Final = ("grpc-", "content-type", "te", "user-agent", "connection", "host")


def parse_timeout(value: bytes) -> float:
    """Read a grpc-timeout, in seconds. Raises: Refusal INVALID."""
    match = _TIMEOUT.fullmatch(value)
    if match is None:
        raise Refusal(Kind.INVALID, "malformed grpc-timeout", value=repr(value))
    return int(match[1]) * _UNITS[match[2]]


def render_timeout(seconds: float) -> bytes:
    """Write a grpc-timeout: at most eight digits of the finest unit that holds it."""
    for unit in (b"n", b"u", b"m", b"S", b"M"):
        count = int(seconds / _UNITS[unit])
        if count < 100_000_000:
            return b"%d%s" % (max(count, 1), unit)
    return b"%dH" % min(int(seconds / 3600), 99_999_999)


def encode_message(message: str) -> bytes:
    """Percent-encode a status message: all but printable ASCII, and the percent sign."""
    if message.isascii() and message.isprintable() and "%" not in message:
        return message.encode()
    return b"".join(
        b"%c" % byte if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in message.encode("utf-8", "replace")
    )


def decode_message(value: bytes) -> str:
    """Undo percent-encoding; what cannot be decoded is replaced, never refused."""
    return unquote_to_bytes(value).decode("utf-8", "replace")


def encode_binary(value: bytes) -> bytes:
    """Encode the value of a -bin header, without padding."""
    return base64.b64encode(value).rstrip(b"=")


def decode_binary(value: bytes) -> bytes:
    """Decode the value of a -bin header, padded or not. Raises: ValueError."""
    return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)


def encode_metadata(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Turn metadata into headers. Raises: ValueError for a key or value that cannot travel."""
    return [(key.encode(), _encode_value(key, value)) for key, value in metadata]


def _encode_value(key: str, value: str | bytes) -> bytes:
    if _KEY.fullmatch(key) is None or key.startswith(_RESERVED[0]) or key in _RESERVED:
        raise ValueError(f"not a key of metadata: {key!r}")
    if key.endswith("-bin"):
        return encode_binary(value if isinstance(value, bytes) else value.encode())
    text = value.decode("ascii") if isinstance(value, bytes) else value
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"the value of {key!r} is not printable ASCII")
    return text.encode()


class ReceivedMetadata:
    """The headers of a call, read when they are asked for."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def get_all(self, key: str) -> tuple[str, ...]:
        """Return every value of a text key, in order; the key in lower case."""
        name = key.encode()
        return tuple(value.decode("latin-1") for found, value in self._headers if found == name)

    def get_all_binary(self, key: str) -> tuple[bytes, ...]:
        """Return every value of a key that ends in -bin. Raises: Refusal INVALID."""
        name = key.encode()
        try:
            return tuple(
                decode_binary(part)
                for found, value in self._headers
                if found == name
                for part in value.split(b",")
            )
        except (binascii.Error, ValueError) as failure:
            raise Refusal(Kind.INVALID, f"the metadata {key} is not base64") from failure


def status_headers(status: Status) -> list[tuple[bytes, bytes]]:
    """Write the trailers that end a call."""
    headers = [(b"grpc-status", b"%d" % status.code)]
    if status.message:
        headers.append((b"grpc-message", encode_message(status.message)))
    if status.details:
        headers.append((b"grpc-status-details-bin", encode_binary(status.details)))
    return headers


def parse_status(headers: Headers) -> Status | None:
    """Read the trailers that end a call; None when they name no status."""
    code: Code | None = None
    message, details = "", b""
    for name, value in headers:
        if name == b"grpc-status":
            code = parse_code(value)
        elif name == b"grpc-message":
            message = decode_message(value)
        elif name == b"grpc-status-details-bin":
            try:
                details = decode_binary(value)
            except (binascii.Error, ValueError):
                details = b""
    return None if code is None else Status(code, message, details)
