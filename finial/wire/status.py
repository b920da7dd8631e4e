"""The one table between kinds of refusal, gRPC's codes and HTTP's statuses."""

import enum
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.pb import status_pb2, types_pb2


class Code(enum.IntEnum):
    """gRPC's status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Status(NamedTuple):
    """How a call ended; `details` is a serialised google.rpc.Status, or empty."""

    code: Code
    message: str = ""
    details: bytes = b""


_TABLE: Final = {
    Kind.INVALID: (Code.INVALID_ARGUMENT, 400),
    Kind.UNAUTHENTICATED: (Code.UNAUTHENTICATED, 401),
    Kind.DENIED: (Code.PERMISSION_DENIED, 403),
    Kind.NOT_FOUND: (Code.NOT_FOUND, 404),
    Kind.EXISTS: (Code.ALREADY_EXISTS, 409),
    Kind.PRECONDITION: (Code.FAILED_PRECONDITION, 409),
    Kind.STALE: (Code.ABORTED, 412),
    Kind.EXHAUSTED: (Code.RESOURCE_EXHAUSTED, 429),
    Kind.TIMEOUT: (Code.DEADLINE_EXCEEDED, 504),
    Kind.CANCELLED: (Code.CANCELLED, 499),
    Kind.UNAVAILABLE: (Code.UNAVAILABLE, 503),
    Kind.UNIMPLEMENTED: (Code.UNIMPLEMENTED, 501),
    Kind.INTERNAL: (Code.INTERNAL, 500),
}

_KINDS: Final = {code: kind for kind, (code, _) in _TABLE.items()} | {
    Code.UNKNOWN: Kind.INTERNAL,
    Code.OUT_OF_RANGE: Kind.INVALID,
    Code.DATA_LOSS: Kind.INTERNAL,
}

OK: Final = Status(Code.OK)
INTERNAL: Final = Status(Code.INTERNAL, "internal error")


def code_of(kind: Kind) -> Code:
    """Return the gRPC code of a kind of refusal."""
    return _TABLE[kind][0]


def http_status(kind: Kind) -> int:
    """Return the HTTP status of a kind of refusal."""
    return _TABLE[kind][1]


def status_of(refusal: Refusal) -> Status:
    """Say a refusal in gRPC's words; its reason travels as SPIRE's PermissionDeniedDetails."""
    code, message = code_of(refusal.kind), str(refusal)
    if refusal.reason is None:
        return Status(code, message)
    return Status(code, message, _details(code, message, refusal.reason))


def refusal_of(status: Status) -> Refusal:
    """Turn the end of a call that was not OK back into a refusal, with its reason."""
    kind = _KINDS.get(status.code, Kind.INTERNAL)
    return Refusal(kind, status.message or kind.value, reason=_reason(status.details))


def parse_code(text: bytes) -> Code:
    """Read the header grpc-status; what is no code of gRPC is UNKNOWN."""
    try:
        return Code(int(text))
    except ValueError:
        return Code.UNKNOWN


def _details(code: Code, message: str, reason: Reason) -> bytes:
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(types_pb2.PermissionDeniedDetails(reason=reason.name))
    return status.SerializeToString()


def _reason(details: bytes) -> Reason | None:
    """Find SPIRE's reason; an unreadable detail is left out, the code still stands."""
    if not details:
        return None
    try:
        for detail in status_pb2.Status.FromString(details).details:
            denied = types_pb2.PermissionDeniedDetails()
            if detail.Unpack(denied):
                return Reason(denied.reason)
    except (DecodeError, ValueError):
        return None
    return None
