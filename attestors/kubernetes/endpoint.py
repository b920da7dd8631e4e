"""Requests to a server of Kubernetes: bounded in time and size, never redirected, never proxied.

A connection serves one request. They are few (a node joins seldom, and all callers of an interval
share one list of pods), and a connection that was kept could belong to former credentials.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from attestors.kubernetes.materials import Access, Materials
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

AT_ONCE: Final = 16
STEP: Final = 30.0  # seconds for one read or write; the whole is bounded by each request


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; `body` is as long as it may be, or shorter."""

    status: int
    body: bytes = field(repr=False)


class Endpoint:
    """One server, named `whom` in every sentence about it."""

    def __init__(self, whom: str, access: Access, clock: Clock) -> None:
        self.whom = whom
        self.url = access.url
        self.materials = Materials(access, clock)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def request(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        max_bytes: int,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and read its answer, `max_bytes` at most, in `seconds` altogether.

        Raises: Refusal of kind UNAVAILABLE (no answer), PRECONDITION (our own files).
        """
        try:
            async with asyncio.timeout(seconds), self._free:
                return await self._asked(method, path, body, max_bytes)
        except TimeoutError:
            raise self._silent(f"does not answer within {seconds:.3g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise self._silent(f"cannot be asked ({_reason(error)})") from error

    async def _asked(self, method: str, path: str, body: bytes | None, max_bytes: int) -> Answer:
        credentials = self.materials.current()
        verify = credentials.context if credentials.context is not None else False
        headers = _headers(credentials.token, body)
        name = self.materials.access.server_name
        extensions = {"sni_hostname": name} if name else None
        async with (
            httpx.AsyncClient(verify=verify, trust_env=False, timeout=STEP) as client,
            client.stream(
                method, f"{self.url}{path}", content=body, headers=headers, extensions=extensions
            ) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise self._silent("answers in an encoding that was not asked for")
            found = bytearray()
            async for chunk in response.aiter_raw():
                found += chunk
                if len(found) > max_bytes:
                    raise self._silent(f"answers with more than {max_bytes} bytes")
            return Answer(response.status_code, bytes(found))

    def _silent(self, fault: str) -> Refusal:
        return Refusal(
            Kind.UNAVAILABLE,
            f"{self.whom} {fault}",
            value=self.url,
            remedy=f"make sure that {self.url} can be reached from here, and is who its "
            "certificate says",
        )


def _headers(token: str, body: bytes | None) -> Mapping[str, str]:
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "finial"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        headers["content-type"] = "application/json"
    return headers


def _reason(error: Exception) -> str:
    # An exception without words has at least a name.
    return str(error)[:200] or type(error).__name__
