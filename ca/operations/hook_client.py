"""The status hook's service, asked over HTTPS."""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ca.registry.standing_answer import MAX_ANSWER, StandingAnswer, read_answer
from ca.settings import StatusHook
from finial.runtime.files import UnsafePath, read_private
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    # A server that has no hook starts without it.
    import httpx

_SECRET: Final = re.compile(rb"[!-~]+")


@dataclass(slots=True)
class HookClient:
    """Asks the service; made once, its connections are kept.

    `heeding` is held while an answer takes effect: of several at once each sees what the one
    before has done.
    """

    hook: StatusHook
    transport: "httpx.AsyncBaseTransport | None" = None
    heeding: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _client: "httpx.AsyncClient | None" = field(default=None, init=False)

    def prepare(self) -> None:
        """Find out before anybody is served that it can be asked at all, as it is configured.

        Raises: Refusal of kind PRECONDITION.
        """
        try:
            self._opened()
            if self.hook.secret_file is not None:
                _secret(self.hook.secret_file)
        except (Refusal, UnsafePath, OSError) as error:
            fault = error.detail if isinstance(error, Refusal) else str(error)
            raise Refusal(
                Kind.PRECONDITION,
                f"the status hook cannot be asked: {fault}",
                field="status_hook",
                remedy="mend its configuration, or take the table [status_hook] out of it",
            ) from None

    async def ask(self, spiffe_id: SpiffeId, now: float) -> StandingAnswer:
        """Ask about one identity.

        Raises: Refusal of kind UNAVAILABLE, whatever went wrong.
        """
        from httpx import HTTPError, InvalidURL

        try:
            async with asyncio.timeout(self.hook.timeout):
                document = await self._post(spiffe_id)
            return read_answer(document, now, self.hook.lifetime)
        except (HTTPError, InvalidURL, OSError, UnsafePath, ValueError) as error:
            raise _unavailable(str(error) or type(error).__name__) from None
        except Refusal as refusal:
            raise _unavailable(refusal.detail) from None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, spiffe_id: SpiffeId) -> bytes:
        # An answer that grows when it is unpacked is none.
        headers = {"Accept-Encoding": "identity"}
        if self.hook.secret_file is not None:
            # Read each time: whoever replaces the secret need not restart the server.
            headers["Authorization"] = f"Bearer {_secret(self.hook.secret_file)}"
        request = {"id": str(spiffe_id)}
        async with self._opened().stream(
            "POST", self.hook.url, json=request, headers=headers
        ) as answer:
            if answer.status_code != 200:
                raise Refusal(Kind.UNAVAILABLE, f"HTTP status {answer.status_code}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Refusal(Kind.UNAVAILABLE, "the answer is packed")
            document = b""
            async for part in answer.aiter_bytes():
                document += part
                if len(document) > MAX_ANSWER:
                    break
            return document

    def _opened(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self.transport,
                verify=_trusting(self.hook.ca_file),
                timeout=self.hook.timeout,
                trust_env=False,
            )
        return self._client


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise Refusal(Kind.UNAVAILABLE, f"no authorities in {ca_file}: {error}") from None


def _secret(path: Path) -> str:
    """Read the secret; what cannot be sent is told without it, whoever hears of the fault."""
    secret = (read_private(path) or b"").strip()
    if not _SECRET.fullmatch(secret):
        fault = "is not there" if not secret else "holds more than one line of visible ASCII"
        raise Refusal(Kind.UNAVAILABLE, f"the secret in {path} {fault}")
    return secret.decode()


def _unavailable(why: str) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, f"the status hook cannot be asked: {why}")
