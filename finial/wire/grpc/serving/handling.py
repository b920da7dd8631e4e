"""Runs the handler of a call: in place when nothing has to be awaited, else in one task."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message

from finial.spiffe.refusal import Refusal
from finial.wire.grpc.call import parse
from finial.wire.status import Code, Status, status_of

if TYPE_CHECKING:
    from finial.wire.grpc.call import Call
    from finial.wire.grpc.serving.server_connection import ServerConnection

_CANCELLED: Final = Status(Code.CANCELLED, "the call was cancelled")


def ask_guard(connection: "ServerConnection[Any]", call: "Call[Any]") -> bool:
    """Ask whether the call may go on; what has to be awaited is left for the handler's task."""
    try:
        call.guarding = connection.server.guard(call)
    except Refusal as refusal:
        connection.finish(call, status_of(refusal))
    except Exception:
        connection.fail(call)
    return not call.has_ended


def run_one(connection: "ServerConnection[Any]", call: "Call[Any]", payload: bytes) -> None:
    """Answer a call that takes one message."""
    try:
        request = parse(call.route, payload)
        if call.guarding is not None or call.route.waits:
            connection.start(call, _handle(connection, call, request, None))
            return
        answer = call.route.handler(call, request)
        if isinstance(answer, Message | bytes):
            connection.answer(call, answer)
        else:
            connection.start(call, _handle(connection, call, None, answer))
    except Refusal as refusal:
        connection.finish(call, status_of(refusal))
    except Exception:
        connection.fail(call)


def run_stream(connection: "ServerConnection[Any]", call: "Call[Any]") -> None:
    """Begin the handler of a call that takes a stream."""
    connection.start(call, _handle(connection, call, None, None))


async def _handle(
    connection: "ServerConnection[Any]",
    call: "Call[Any]",
    request: Message | None,
    answer: Awaitable[Any] | Message | bytes | None,
) -> None:
    # One coroutine for every shape: each more of them costs memory in each open stream.
    try:
        if answer is None:
            if call.guarding is not None:
                await call.passed_guard()
            handler = call.route.handler
            answer = handler(call) if request is None else handler(call, request)
            del request
        result = answer if isinstance(answer, Message | bytes) else await answer
        connection.complete(call, result)
    except Refusal as refusal:
        connection.finish(call, status_of(refusal))
    except asyncio.CancelledError:
        connection.finish(call, _CANCELLED)
        raise
    except Exception:
        connection.fail(call)
