"""What surrounds every request: its body is bounded in size and time, and its JSON is strict."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from ca.api.rest.problems import Problem, answer
from finial.spiffe.json.strict_json import loads
from finial.spiffe.refusal import Kind, Refusal

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
STRANGERS_BODY_BYTES: Final = 16 * 1024
BODY_SECONDS: Final = 15.0
REQUEST_SECONDS: Final = 60.0
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")

logger = logging.getLogger("finial.rest")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Vouching = Callable[[Scope], Awaitable[bool]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Bounds:
    """An ASGI application around another: the other one sees a whole, judged body.

    `is_known` says whether a request comes from anybody who may ask for anything at all; what
    others send is not kept beyond a few kilobytes.
    """

    def __init__(self, application: Application, is_known: Vouching) -> None:
        self._application = application
        self._is_known = is_known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._judged(scope, receive, tell)
        except TimeoutError:
            if not started:
                await answer(_TOO_SLOW_AN_ANSWER)(scope, receive, send)
        except Exception:
            # The framework has answered already; only the log learns what was wrong.
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if not started:
                await answer(_BROKEN)(scope, receive, send)

    async def _judged(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._whole(scope, receive)
        except TimeoutError:
            body = _TOO_SLOW_A_BODY
        if body is None:
            return
        problem = body if isinstance(body, Problem) else _fault(scope, body)
        if problem is not None:
            # What is still on its way is not read: the connection ends with this answer.
            await answer(problem, close=True)(scope, receive, send)
            return
        assert isinstance(body, bytes)
        await self._application(scope, _replay(body, receive), send)

    async def _whole(self, scope: Scope, receive: Receive) -> bytes | Problem | None:
        parts, most = bytearray(), STRANGERS_BODY_BYTES
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts += message.get("body", b"")
            if len(parts) > most and most < MAX_BODY_BYTES and await self._is_known(scope):
                most = MAX_BODY_BYTES
            if len(parts) > most:
                return _too_long(most)
            if not message.get("more_body", False):
                return bytes(parts)


def _fault(scope: Scope, body: bytes) -> Problem | None:
    if not body:
        return None
    names = [value for name, value in scope["headers"] if name == b"content-type"]
    media = names[0].decode("latin-1").partition(";")[0].strip().lower() if names else ""
    if media not in JSON_TYPES:
        return _not_json(media)
    try:
        loads(body, max_bytes=MAX_BODY_BYTES)
    except Refusal as refusal:
        return Problem.of(refusal)
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _not_json(media: str) -> Problem:
    return Problem(
        status=415,
        slug="unsupported-media-type",
        title="Unsupported media type",
        detail="the body has to be JSON",
        field="Content-Type",
        value=media[:80],
        remedy="send Content-Type: application/json",
    )


def _too_long(most: int) -> Problem:
    return Problem(
        status=413,
        slug="content-too-large",
        title="Content too large",
        detail=f"the body is longer than {most} bytes",
        remedy="send fewer things at once, with a token that is known",
    )


_BROKEN = Problem.of(Refusal(Kind.INTERNAL, "internal error"))
_TOO_SLOW_A_BODY = Problem(
    status=408,
    slug="request-timeout",
    title="Request timeout",
    detail=f"the body did not come within {BODY_SECONDS:g} seconds",
)
_TOO_SLOW_AN_ANSWER = Problem(
    status=504,
    slug="timed-out",
    title="Timed out",
    detail=f"the request was not answered within {REQUEST_SECONDS:g} seconds",
    remedy="try again; what was asked for may or may not have been done",
)
