"""The HTTP form: a request that has the waiting one's method, path and some of its headers.

It is answered by 200 or 403. Whose certificate the caller has is known from the header
`x-forwarded-client-cert` alone, and believed only where the operator names the proxy that asks.
HTTP/1.1 on a Unix socket, connections kept open: Envoy's default.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import httptools

from agent.access.asked import Asked
from agent.api.ext_authz.answers import REASON_HEADER, denial_body, look_alikes
from agent.api.ext_authz.deciding import Deciding
from agent.operations.record_decisions import Decided
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.status import http_status

CALLEE_HEADER: Final = "x-finial-callee"
"""By which an Envoy with several identities says for which it asks; it sets this itself."""
REMOVE_HEADER: Final = "x-envoy-auth-headers-to-remove"
MAX_HEAD: Final = 96 * 1024
MAX_HEADERS: Final = 256
MAX_BODY: Final = 1024 * 1024
"""Bytes of a body that are read and thrown away."""
PIECE: Final = 16 * 1024
REQUEST_SECONDS: Final = 30.0
log = logging.getLogger("finial.agent.ext_authz")


class HttpForm(asyncio.Protocol):
    """One connection of a proxy; requests are answered one after the other."""

    def __init__(
        self,
        deciding: Deciding,
        identify: Callable[[asyncio.BaseTransport], KernelPeer],
        gone: Callable[["HttpForm"], None],
    ) -> None:
        self._deciding = deciding
        self._identify = identify
        self._gone = gone
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.peer: KernelPeer | None = None
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the kernel who connected."""
        assert isinstance(transport, asyncio.Transport)
        try:
            self.peer = self._identify(transport)
        except Refusal as refusal:
            log.info("a connection for ext_authz is closed: %s", refusal)
            transport.close()
            return
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        """Let go of everything."""
        self._transport = None
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._transport is None:
            return
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self.close)
        try:
            # Piece by piece, since the end of a head, and with it its size, may be amid the data.
            for at in range(0, len(data), PIECE):
                self._feed(data[at : at + PIECE])
        except httptools.HttpParserUpgrade:
            return  # the answer to CONNECT, or to who wants another protocol, is the last one
        except httptools.HttpParserError:
            self._fail(HTTPStatus.BAD_REQUEST)

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; repeated ones are joined, as Envoy does it.

        Trailers, which come after the body, are none: no proxy writes them itself.
        """
        if self._is_headed:
            return
        self._count += 1
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known},{text}"

    def on_headers_complete(self) -> None:
        """Note that only the body is still to come."""
        self._is_headed = True

    def on_message_complete(self) -> None:
        """Decide, when the whole request is here."""
        method = self._parser.get_method().decode("latin-1")
        asked = asked_by(method, self._target.decode("latin-1"), self._headers)
        too_many = self._count > MAX_HEADERS
        keeps = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._begin()
        self._stop_timer()
        if self._task is not None or self.peer is None:
            self._fail(HTTPStatus.BAD_REQUEST)  # nobody asks anew before he is answered
            return
        if too_many:
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        try:
            decided = self._deciding.decide(self.peer, asked)
        except Refusal as refusal:
            self._refuse(refusal, keeps=keeps)
            return
        except Exception:
            self._break_off()
            return
        if isinstance(decided, Decided):
            self._answer(decided, keeps=keeps)
        else:
            self._task = asyncio.ensure_future(self._wait(decided, keeps=keeps))

    def _feed(self, piece: bytes) -> None:
        if self._transport is None:
            return
        self._size += len(piece)
        if self._size > (MAX_HEAD + MAX_BODY if self._is_headed else MAX_HEAD):
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self._parser.feed_data(piece)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._count = 0
        self._size = 0
        self._is_headed = False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self, deciding: Awaitable[Decided], *, keeps: bool) -> None:
        try:
            decided = await deciding
        except Refusal as refusal:
            self._refuse(refusal, keeps=keeps)
        except Exception:
            self._break_off()
        else:
            self._answer(decided, keeps=keeps)
        finally:
            self._task = None

    def _answer(self, decided: Decided, *, keeps: bool) -> None:
        verdict, header = decided.verdict, self._deciding.caller_header
        if not verdict.lets_through:
            headers = {"content-type": "application/json", REASON_HEADER: verdict.reason.value}
            self._respond(HTTPStatus.FORBIDDEN, headers, denial_body(verdict, decided.id), keeps)
        elif not header:
            self._respond(HTTPStatus.OK, {}, "", keeps)
        elif verdict.caller.id is None:
            removed = ", ".join((header, *look_alikes(header)))
            self._respond(HTTPStatus.OK, {REMOVE_HEADER: removed}, "", keeps)
        else:
            headers = {
                header: str(verdict.caller.id),
                REMOVE_HEADER: ", ".join(look_alikes(header)),
            }
            self._respond(HTTPStatus.OK, headers, "", keeps)

    def _refuse(self, refusal: Refusal, *, keeps: bool) -> None:
        """Say that nothing could be decided: never 200, and 403 only where it is a denial."""
        status = HTTPStatus(http_status(refusal.kind))
        if refusal.kind is not Kind.DENIED:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        self._respond(status, {"content-type": "text/plain"}, f"{refusal.detail}\n", keeps)

    def _break_off(self) -> None:
        log.exception("a question for ext_authz failed")
        self._fail(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _fail(self, status: HTTPStatus) -> None:
        self._respond(status, {"content-type": "text/plain"}, f"{status.phrase}\n", keeps=False)

    def _respond(
        self, status: HTTPStatus, headers: Mapping[str, str], body: str, keeps: bool
    ) -> None:
        if self._transport is None:
            return
        content = body.encode()
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        lines.append(f"content-length: {len(content)}")
        if not keeps:
            lines.append("connection: close")
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        if not keeps:
            self._transport.close()
            self._transport = None


def asked_by(method: str, target: str, headers: Mapping[str, str]) -> Asked:
    """What a request for a decision asks."""
    return Asked(
        method=method,
        target=target,
        authorization=headers.get("authorization", ""),
        forwarded=headers.get("x-forwarded-client-cert", ""),
        named=headers.get(CALLEE_HEADER, ""),
        tells_principal=False,
    )
