"""The REST API as the command's own acts use it; a problem document comes back as a refusal."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import click
import httpx

from cli.place import Place
from finial.spiffe.refusal import Kind, Refusal

TIMEOUT: Final = 30.0
PAGE: Final = 500
_TYPE: Final = "urn:finial:refusal:"

Document = dict[str, Any]


class Administration:
    """A connection to a server's REST API; use it in a `with` statement.

    `timeout` is in seconds, for each step of a call.
    """

    def __init__(self, place: Place, timeout: float = TIMEOUT) -> None:
        self._place = place
        headers = {"Authorization": f"Bearer {place.token}"} if place.token else {}
        self._client = httpx.Client(
            transport=_transport(place),
            base_url=place.url or "http://localhost",
            headers=headers,
            timeout=timeout,
            trust_env=False,
        )

    def __enter__(self) -> "Administration":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Document:
        """Ask for a document; parameters that are None are left out."""
        return self._call("GET", path, query=query)

    def changed(
        self, path: str, tag: str = "", *, wait: float = 0.0
    ) -> tuple[Document | None, str]:
        """Ask for a document that is other than the one with that ETag; return it with its own.

        With a tag the server is given so many seconds to wait for another one; then there is none.
        """
        headers = {"If-None-Match": tag} if tag else {}
        query = {"wait": wait} if wait else None
        answer = self._answer("GET", path, query=query, headers=headers)
        known = answer.headers.get("ETag", tag)
        return (None if answer.status_code == httpx.codes.NOT_MODIFIED else answer.json()), known

    def text(self, path: str, **query: object) -> str:
        """Ask for something that is not JSON."""
        return self._answer("GET", path, query=query).text

    def post(self, path: str, document: Mapping[str, object], **query: object) -> Document:
        """Create something or act; parameters that are None are left out."""
        return self._call("POST", path, document=document, query=query)

    def patch(
        self, path: str, document: Mapping[str, object], *, revision: str = "", **query: object
    ) -> Document:
        """Change something by a merge patch, if it still has that revision."""
        headers = {"Content-Type": "application/merge-patch+json"}
        if revision:
            headers["If-Match"] = revision
        return self._call("PATCH", path, document=document, headers=headers, query=query)

    def put(self, path: str, document: Mapping[str, object]) -> Document:
        """Put something in the place of what is there."""
        return self._call("PUT", path, document=document)

    def delete(self, path: str) -> None:
        """Remove something."""
        self._answer("DELETE", path)

    def every(self, path: str, **query: object) -> Iterator[Document]:
        """Walk through a list, page by page."""
        token: str | None = None
        while True:
            page = self.get(path, page_size=PAGE, page_token=token, **query)
            yield from page["items"]
            token = page.get("next_page_token") or None
            if token is None:
                return

    def _call(self, verb: str, path: str, **parts: Any) -> Document:
        answer = self._answer(verb, path, **parts)
        document = answer.json() if answer.content else {}
        assert isinstance(document, dict)
        return document

    def _answer(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        document: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._client.request(
                verb,
                path,
                params=given or None,  # type: ignore[arg-type] # text, numbers and lists of them
                json=document,
                headers=dict(headers or {}),
            )
        except httpx.HTTPError as fault:
            raise self._unreachable(fault) from fault
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        raise _refusal(answer)

    def _unreachable(self, fault: httpx.HTTPError) -> Refusal:
        reason = str(fault) or type(fault).__name__
        return Refusal(
            Kind.UNAVAILABLE,
            f"the server at {self._place.name} cannot be reached: {reason}",
            remedy=remedy(self._place, reason),
        )


def part(text: str) -> str:
    """A part of a resource's path as it travels: nothing in it ends the path, or climbs."""
    return quote(text, safe="")


def _transport(place: Place) -> httpx.HTTPTransport:
    if place.socket is not None:
        # There is no TLS on it: what the environment says of certificates is not read.
        return httpx.HTTPTransport(uds=str(place.socket), trust_env=False)
    try:
        context = ssl.create_default_context(cafile=str(place.bundle) if place.bundle else None)
    except OSError as fault:
        no_certificate = isinstance(fault, ssl.SSLError)
        reason = "there is no certificate in it" if no_certificate else fault.strerror
        raise click.UsageError(f"cannot read the bundle {place.bundle}: {reason}") from fault
    return httpx.HTTPTransport(verify=context)


def remedy(place: Place, reason: str) -> str:
    """Say what to look at when that way in did not lead to a server."""
    if "Permission denied" in reason:
        return "run the command as root or as the user of the server"
    if place.folder is not None:
        return f"is it running? finial up --dir {place.folder}"
    if place.socket is not None:
        return "is it running? Its socket for administrators is private/admin.sock in its data_dir"
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return "is it the port of its REST API ([server.rest]) and one of its dns_names?"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "give --bundle FILE with the CA certificates of its trust domain"
    return "is it running, and is it the port of its REST API ([server.rest])?"


def _refusal(answer: httpx.Response) -> Refusal:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    failing = ", ".join(map(str, problem.get("failing", ())))
    detail = problem.get("detail") or failing or f"HTTP status {answer.status_code}"
    return Refusal(
        _kind(str(problem.get("type", "")), answer.status_code),
        str(detail),
        field=str(problem.get("field", "")),
        value=str(problem.get("value", "")),
        remedy=str(problem.get("remedy", "")),
    )


def _kind(type_: str, status: int) -> Kind:
    slug = type_.removeprefix(_TYPE).replace("-", " ")
    by_name = {kind.value: kind for kind in Kind}
    by_status = {401: Kind.UNAUTHENTICATED, 403: Kind.DENIED, 404: Kind.NOT_FOUND}
    fallback = Kind.UNAVAILABLE if status in (502, 503, 504) else Kind.INVALID
    return by_name.get(slug) or by_status.get(status) or fallback
