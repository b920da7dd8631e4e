"""The status hook's service, asked over HTTPS."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ca.registry.standing_answer import MAX_ANSWER, StandingAnswer, read_answer
from ca.settings import StatusHook
from finial.runtime.files import UnsafePath, read_private
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    # A server that has no hook starts without it.
    import httpx


@dataclass(slots=True)
class HookClient:
    """Asks the service; made once, its connections are kept."""

    hook: StatusHook
    transport: "httpx.AsyncBaseTransport | None" = None
    _client: "httpx.AsyncClient | None" = field(default=None, init=False)

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
        headers = {}
        if self.hook.secret_file is not None:
            # Read each time: whoever replaces the secret need not restart the server.
            secret = (read_private(self.hook.secret_file) or b"").decode().strip()
            headers["Authorization"] = f"Bearer {secret}"
        request = {"id": str(spiffe_id)}
        async with self._opened().stream(
            "POST", self.hook.url, json=request, headers=headers
        ) as answer:
            if answer.status_code != 200:
                raise Refusal(Kind.UNAVAILABLE, f"HTTP status {answer.status_code}")
            document = b""
            async for part in answer.aiter_bytes():
                document += part
                if len(document) > MAX_ANSWER:
                    break
            return document

    def _opened(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            ca_file = self.hook.ca_file
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            self._client = httpx.AsyncClient(
                transport=self.transport,
                verify=context,
                timeout=self.hook.timeout,
                trust_env=False,
            )
        return self._client


def _unavailable(why: str) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, f"the status hook cannot be asked: {why}")
