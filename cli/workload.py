"""The Workload API as a workload uses it."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from cli.endpoint import TcpEndpoint
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel, TcpAddress, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import workload_pb2 as pb

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"]
_HEADER: Final = (("workload.spiffe.io", "true"),)
_CLOSED: Final = (BrokenPipeError, ConnectionResetError)
_NOBODY: Final = (FileNotFoundError, ConnectionRefusedError)
_AWAY: Final = "is the agent running, and is this its socket? finial up and the agent's log name it"
_UNSEEN: Final = (
    "an agent that cannot see who calls closes the connection without a word; to see why, on the "
    "node: finial explain --last-refusals"
)


class WorkloadApi:
    """One connection to a Workload API; `timeout` is in seconds."""

    def __init__(self, channel: Channel, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout

    async def x509_svids(self) -> AsyncGenerator[Any, None]:
        """Yield the X509-SVIDs now and after each change.

        Raises: Refusal.
        """
        async for answer in self._stream("FetchX509SVID", pb.X509SVIDRequest()):
            yield answer

    async def x509_bundles(self) -> AsyncGenerator[Any, None]:
        """Yield the X.509 bundles now and after each change."""
        async for answer in self._stream("FetchX509Bundles", pb.X509BundlesRequest()):
            yield answer

    async def jwt_bundles(self) -> AsyncGenerator[Any, None]:
        """Yield the JWT bundles now and after each change."""
        async for answer in self._stream("FetchJWTBundles", pb.JWTBundlesRequest()):
            yield answer

    async def jwt_svids(self, audience: Sequence[str], spiffe_id: str) -> Any:
        """Fetch JWT-SVIDs for that audience, of one identity or of all."""
        request = pb.JWTSVIDRequest(audience=audience, spiffe_id=spiffe_id)
        return await self._unary("FetchJWTSVID", request)

    async def validate(self, token: str, audience: str) -> Any:
        """Have a JWT-SVID validated."""
        request = pb.ValidateJWTSVIDRequest(audience=audience, svid=token)
        return await self._unary("ValidateJWTSVID", request)

    async def _unary(self, name: str, request: Any) -> Any:
        rpc = method(_SERVICE, name)
        return await self._channel.unary(rpc, request, timeout=self._timeout, metadata=_HEADER)

    async def _stream(self, name: str, request: Any) -> AsyncGenerator[Any, None]:
        import asyncio

        stream = self._channel.stream(method(_SERVICE, name), metadata=_HEADER)
        try:
            async with asyncio.timeout(self._timeout) as limit, stream:
                await stream.send(request)
                await stream.end()
                first = True
                async for answer in stream:
                    if first:
                        # Only the first answer has to come soon; the stream stays open.
                        limit.reschedule(None)
                        first = False
                    yield answer
        except TimeoutError:
            raise Refusal(
                Kind.TIMEOUT, f"{self._channel.address} did not answer within {self._timeout:g} s"
            ) from None


@asynccontextmanager
async def workload_api(endpoint: Path | TcpEndpoint, timeout: float) -> AsyncIterator[WorkloadApi]:
    """Connect to a Workload API."""
    if isinstance(endpoint, TcpEndpoint):
        address: UnixAddress | TcpAddress = TcpAddress(endpoint.host, endpoint.port)
    else:
        address = UnixAddress(endpoint)
    channel = Channel(address)
    try:
        yield WorkloadApi(channel, timeout)
    except Refusal as refusal:
        remedy = refusal.remedy or _remedy(refusal.__cause__)
        raise Refusal(refusal.kind, refusal.detail, remedy=remedy) from refusal.__cause__
    finally:
        await channel.close()


def _remedy(cause: BaseException | None) -> str:
    if isinstance(cause, _CLOSED):
        return _UNSEEN
    return _AWAY if isinstance(cause, _NOBODY) else ""
