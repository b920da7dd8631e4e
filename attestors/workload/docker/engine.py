"""Asking an engine over its Unix socket: bounded in time, size and number, and never sent on.

Each question has a connection of its own, so that an engine that was restarted is no surprise.
"""

import asyncio
from collections.abc import Collection
from typing import Any, Final, TypeVar

import httpx
import msgspec

from attestors.workload.docker.documents import (
    ContainerDocument,
    EngineAway,
    ImageDocument,
    VersionDocument,
)
from attestors.workload.docker.engine_socket import Untrusted, judge_listener, judge_path
from finial.runtime.clock import Clock

T = TypeVar("T")

MAX_ANSWER: Final = 4 * 1024 * 1024
MAX_AT_ONCE: Final = 8
# An engine that is being started answers soon; the pauses are in seconds.
PAUSES: Final = (0.1, 0.2, 0.4)
_NOT_FOUND: Final = 404
_OK: Final = 200


class Engine:
    """One engine: `uid` is 0 for root's, otherwise the user whose own it is.

    `owners` may own its socket. `timeout` is for one question, in seconds.
    """

    def __init__(
        self,
        name: str,
        path: str,
        uid: int,
        owners: Collection[int],
        *,
        clock: Clock,
        timeout: float,
        version: str = "",
    ) -> None:
        self.name = name
        self.path = path
        self.uid = uid
        self._owners = frozenset(owners)
        self._clock = clock
        self._timeout = timeout
        self._prefix = f"/v{version}" if version else ""
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=path, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
            ),
            base_url="http://engine",
            follow_redirects=False,
            trust_env=False,
            timeout=timeout,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )

    async def container(self, id_: str, deadline: float) -> ContainerDocument | None:
        """What it knows of a container, by its whole ID; nothing if there is none.

        Raises: EngineAway.
        """
        found = await self._ask(f"/containers/{id_}/json", ContainerDocument, deadline)
        # An engine also looks for a container of that name, which people choose.
        return found if found and found.id == id_ else None

    async def image(self, id_: str, deadline: float) -> ImageDocument | None:
        """What it knows of an image; nothing if there is none. Raises: EngineAway."""
        return await self._ask(f"/images/{id_}/json", ImageDocument, deadline)

    async def version(self, deadline: float) -> VersionDocument:
        """What it is. Raises: EngineAway."""
        found = await self._ask("/version", VersionDocument, deadline)
        if found is None:
            raise EngineAway(f"{self.name} at {self.path} does not know its own version")
        return found

    async def _ask(self, path: str, kind: type[T], deadline: float) -> T | None:
        for pause in (*PAUSES, None):
            try:
                return await self._ask_once(path, kind, deadline)
            except (OSError, httpx.TransportError) as error:
                left = deadline - self._clock.monotonic()
                if pause is None or left <= pause or isinstance(error, httpx.TimeoutException):
                    raise EngineAway(f"{self.name} at {self.path}: {_told(error)}") from error
                await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    async def _ask_once(self, path: str, kind: type[T], deadline: float) -> T | None:
        left = deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(min(max(left, 0.0), self._timeout)), self._turns:
                judge_path(self.path, self._owners)
                async with self._client.stream("GET", self._prefix + path) as response:
                    return await self._read(response, kind)
        except TimeoutError:
            raise EngineAway(f"{self.name} at {self.path} took too long to answer") from None
        except Untrusted as fault:
            raise EngineAway(f"{self.name} is not asked: {fault}") from None

    async def _read(self, response: httpx.Response, kind: type[T]) -> T | None:
        judge_listener(_descriptor(response), self._owners)
        if response.status_code == _NOT_FOUND:
            return None
        if response.status_code != _OK:
            raise EngineAway(f"{self.name} at {self.path} answers {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise EngineAway(f"{self.name} at {self.path} answers more than {MAX_ANSWER} bytes")
        try:
            return msgspec.json.decode(bytes(body), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EngineAway(f"{self.name} at {self.path} answers nonsense: {error}") from error


def _descriptor(response: httpx.Response) -> int:
    stream: Any = response.extensions["network_stream"]
    descriptor: int = stream.get_extra_info("socket").fileno()
    return descriptor


def _told(error: Exception) -> str:
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error) or type(error).__name__
