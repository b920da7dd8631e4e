"""Answers verifiers: two documents and the server's health, to anybody, and nothing else.

1. A request has no body. One that announces a body ends the connection.
2. Somebody who asks too often is told to wait; a proxy on the Unix socket limits by itself.
3. Health is answered by any name, because whoever watches a server knows it by its address.
4. Everything else is answered by the names that are configured alone, so that no other site's
   name can be made to point here and stand for ours.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from ca.api.oidc.documents import Document, Documents
from ca.api.rest.connection import Peer
from ca.api.rest.problems import Problem, answer
from ca.registry.rate import RateLimit
from finial.runtime.clock import Clock
from finial.spiffe.oidc import KEYS, WELL_KNOWN
from finial.spiffe.refusal import Kind, Refusal

LIVE: Final = "/live"
READY: Final = "/ready"
_RETRY_SECONDS: Final = 1

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Finished = Callable[[str, str, float], None]
Headers = Mapping[str, str]


class Discovery:
    """The ASGI application; `finished` is told path, status and seconds of each request."""

    def __init__(
        self,
        documents: Documents,
        hosts: Collection[str],
        limit: RateLimit,
        clock: Clock,
        finished: Finished,
    ) -> None:
        self._documents = documents
        self._hosts = frozenset(hosts)
        self._limit = limit
        self._clock = clock
        self._finished = finished
        # A proxy may cut the issuer's path off, or leave it.
        self._names = {path + name: name for path in ("", documents.issuer.path) for name in _NAMES}
        self._names |= {LIVE: LIVE, READY: READY}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = self._clock.monotonic()
        name = self._names.get(scope["path"], "")
        found = self._judge(scope, name)
        if isinstance(found, Problem):
            status = await _refuse(found, scope, receive, send)
        else:
            status = await _show(found, scope, send)
        self._finished(f"oidc {name or 'other'}", str(status), self._clock.monotonic() - began)

    def _judge(self, scope: Scope, name: str) -> Document | Problem:
        headers = _headers(scope)
        barred = _misshapen(scope, headers) or self._hasty(scope)
        if barred is not None:
            return barred
        if name in (LIVE, READY):
            return _WELL if name == LIVE or self._documents.keys() else _NO_KEYS
        if _host(headers.get("host", "")) not in self._hosts:
            return _HOST
        return self._document(name)

    def _document(self, name: str) -> Document | Problem:
        if name == WELL_KNOWN:
            return self._documents.discovery
        if name == KEYS:
            return self._documents.keys() or _NO_KEYS
        return _NOWHERE

    def _hasty(self, scope: Scope) -> Problem | None:
        peer: Peer = scope["state"]["peer"]
        try:
            if peer.network:
                self._limit.take(peer.network, 1, self._clock.monotonic(), longest_wait=0.0)
        except Refusal as refusal:
            return Problem.of(refusal)
        return None


async def _show(document: Document, scope: Scope, send: Send) -> int:
    kept = document.seconds
    headers = {
        "content-type": "application/json",
        "cache-control": f"public, max-age={kept}" if kept else "no-store",
        "etag": document.tag,
        **_FOR_ALL,
    }
    if _is_known(document.tag, _headers(scope).get("if-none-match", "")):
        return await _send(HTTPStatus.NOT_MODIFIED, headers, b"", send)
    headers["content-length"] = str(len(document.content))
    content = b"" if scope["method"] == "HEAD" else document.content
    return await _send(HTTPStatus.OK, headers, content, send)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> int:
    headers = {"cache-control": "no-store", **_FOR_ALL}
    if problem.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["retry-after"] = str(_RETRY_SECONDS)
    if problem is _METHOD:
        headers["allow"] = "GET, HEAD"
    # What is still on its way is not read.
    await answer(problem, close=problem is _BODY, headers=headers)(scope, receive, send)
    return problem.status


async def _send(status: HTTPStatus, headers: Headers, content: bytes, send: Send) -> int:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": encoded})
    await send({"type": "http.response.body", "body": content})
    return int(status)


def _headers(scope: Scope) -> Headers:
    """The headers by name; repeated ones are one list (RFC 9110 section 5.3), as two hosts are."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _misshapen(scope: Scope, headers: Headers) -> Problem | None:
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return _BODY
    return None if scope["method"] in ("GET", "HEAD") else _METHOD


def _host(header: str) -> str:
    """The name in a `Host` header, without its port and brackets."""
    name, colon, port = header.rpartition(":")
    if colon and port.isdigit():
        header = name
    return header.strip("[]").rstrip(".").lower()


def _is_known(tag: str, asked: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return tag in known or asked.strip() == "*"


_NAMES: Final = (WELL_KNOWN, KEYS)
_FOR_ALL: Final = {"access-control-allow-origin": "*", "x-content-type-options": "nosniff"}
_WELL: Final = Document.of(b'{"status":"ok"}', 0)
_NO_KEYS: Final = Problem.of(
    Refusal(
        Kind.UNAVAILABLE,
        "there is no key by which a JWT-SVID could be verified now",
        remedy="ask finial doctor on the server",
    )
)
_NOWHERE: Final = Problem.of_status(HTTPStatus.NOT_FOUND, f"there are {WELL_KNOWN} and {KEYS}")
_METHOD: Final = Problem.of_status(HTTPStatus.METHOD_NOT_ALLOWED, "there is nothing but to read")
_HOST: Final = Problem.of_status(
    HTTPStatus.MISDIRECTED_REQUEST, "this server does not answer by the name in Host"
)
_BODY: Final = Problem(
    status=413,
    slug="content-too-large",
    title="Content too large",
    detail="a request for discovery has no body",
)
