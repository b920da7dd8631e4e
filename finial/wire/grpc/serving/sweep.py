"""What the passing of time does to a server's connection.

The connection itself never looks at the clock when bytes arrive: it only notes that some did.
"""

from typing import TYPE_CHECKING, Any, Final

from finial.wire.grpc.limits import Limits
from finial.wire.status import Code, Status

if TYPE_CHECKING:
    from finial.wire.grpc.call import Call
    from finial.wire.grpc.serving.server_connection import ServerConnection

_TOO_SLOW: Final = Status(Code.DEADLINE_EXCEEDED, "the request took too long to arrive")


def sweep(connection: "ServerConnection[Any]", limits: Limits, now: float) -> None:
    """End or probe one connection, as its limits and the time say."""
    if connection.is_closing:
        return
    _note_life(connection, now)
    if _is_dead(connection, limits, now):
        connection.abort()
        return
    for call in tuple(connection.calls.values()):
        _judge_call(connection, call, limits, now)
    if _has_had_its_time(connection, limits, now):
        connection.drain(ends_streams=False)
    elif now - connection.heard_at >= limits.ping_after and not connection.awaits_ping:
        connection.awaits_ping, connection.pinged_at = True, now
        connection.engine.ping()
        connection.flush()


def _note_life(connection: "ServerConnection[Any]", now: float) -> None:
    if connection.heard:
        connection.heard, connection.heard_at = False, now
    if connection.calls:
        connection.idle_since = now
    if not connection.writing_is_paused:
        connection.paused_since = None
    elif connection.paused_since is None:
        connection.paused_since = now


def _is_dead(connection: "ServerConnection[Any]", limits: Limits, now: float) -> bool:
    if not connection.has_greeted:
        return now - connection.made_at >= limits.handshake_seconds
    if connection.paused_since is not None:
        return now - connection.paused_since >= limits.stalled_seconds
    return connection.awaits_ping and now - connection.pinged_at >= limits.ping_seconds


def _has_had_its_time(connection: "ServerConnection[Any]", limits: Limits, now: float) -> bool:
    if now - connection.idle_since >= limits.idle_seconds:
        return True
    return 0 < limits.longest_age <= now - connection.made_at and not connection.is_draining


def _judge_call(
    connection: "ServerConnection[Any]", call: "Call[Any]", limits: Limits, now: float
) -> None:
    """End a call whose request takes too long, or whose deadline has passed meanwhile."""
    if call.deadline is not None and now >= call.deadline:
        connection.expire(call)
    elif not call.awaits_request:
        call.stuck_since = None
    elif call.stuck_since is None:
        call.stuck_since = now
    elif now - call.stuck_since >= limits.request_seconds:
        connection.finish(call, _TOO_SLOW)
