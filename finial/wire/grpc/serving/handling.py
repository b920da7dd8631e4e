"""Runs the handler of a call: in place when nothing has to be awaited, else in one task."""

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message

from finial.spiffe.refusal import Refusal
from finial.wire.grpc.call import parse
from finial.wire.status import OK, Code, Status, status_of

if TYPE_CHECKING:
    from finial.wire.grpc.call import Call
    from finial.wire.grpc.serving.server_connection import ServerConnection

_CANCELLED: Final = Status(Code.CANCELLED, "the call was cancelled")


def ask_guard(connection: "ServerConnection[Any]", call: "Call[Any]") -> bool:
    """Ask whether the call may go on; what has to be awaited is left for the handler's task."""
    try:
        call.pending = connection.server.guard(call)
    except Refusal as refusal:
        connection.finish(call, status_of(refusal))
    except Exception:
        connection.fail(call)
    return not call.has_ended


def run_one(connection: "ServerConnection[Any]", call: "Call[Any]", payload: bytes) -> None:
    """Answer a call that takes one message."""
    try:
        request = parse(call.route, payload)
        if call.pending is not None or call.route.waits:
            connection.start(call, _handle(connection, call, request))
            return
        answer = call.route.handler(call, request)
        if isinstance(answer, Message | bytes):
            connection.answer(call, answer)
        else:
            call.pending = answer
            connection.start(call, _await_answer(connection, call))
    except Refusal as refusal:
        connection.finish(call, status_of(refusal))
    except Exception:
        connection.fail(call)


def run_stream(connection: "ServerConnection[Any]", call: "Call[Any]") -> None:
    """Begin the handler of a call that takes a stream."""
    connection.start(call, _handle(connection, call, None))


async def _handle(
    connection: "ServerConnection[Any]", call: "Call[Any]", request: Message | None
) -> None:
    # One coroutine for every shape: each more of them costs memory in each open stream.
    try:
        guarding = call.take_pending()
        if guarding is not None:
            await guarding
        handler = call.route.handler
        answer = handler(call) if request is None else handler(call, request)
        del request
        result = answer if isinstance(answer, Message | bytes) else await answer
        _complete(connection, call, result)
    except BaseException as failure:
        _end(connection, call, failure)


async def _await_answer(connection: "ServerConnection[Any]", call: "Call[Any]") -> None:
    try:
        answer = call.take_pending()
        _complete(connection, call, None if answer is None else await answer)
    except BaseException as failure:
        _end(connection, call, failure)


def _complete(
    connection: "ServerConnection[Any]", call: "Call[Any]", answer: Message | bytes | None
) -> None:
    """End a call whose handler has returned."""
    if call.has_ended:
        return
    if not call.route.gives_one:
        connection.finish(call, OK)
        return
    assert answer is not None
    connection.answer(call, answer)


def _end(connection: "ServerConnection[Any]", call: "Call[Any]", failure: BaseException) -> None:
    """End a call whose handler has raised; what is no exception goes on its way."""
    match failure:
        case Refusal():
            connection.finish(call, status_of(failure))
        case Exception():
            connection.fail(call)
        case _:
            connection.finish(call, _CANCELLED)
            raise failure
