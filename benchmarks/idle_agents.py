"""Hold many agents connected to a finial server, each following its stream and doing nothing.

    python -m benchmarks.idle_agents SERVER_SOCKET HOST:PORT COUNT SECONDS

Prints `ready` when all are connected, and ends after so many seconds.
"""

import asyncio
import ssl
import sys
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from finial.runtime.clock import SystemClock
from finial.wire.grpc.client import Channel, TcpAddress, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import agent_pb2, follow_pb2, types_pb2
from finial.wire.tls import TlsIdentity, client_context

_AGENT = agent_pb2.DESCRIPTOR.services_by_name["Agent"]
_FOLLOW = follow_pb2.DESCRIPTOR.services_by_name["Follow"]


async def join(admin: Channel, address: TcpAddress) -> TlsIdentity:
    """Attest one agent by a token of its own."""
    request = agent_pb2.CreateJoinTokenRequest(ttl=600)
    token = await admin.unary(method(_AGENT, "CreateJoinToken"), request, timeout=30)
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    der = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    params = agent_pb2.AttestAgentRequest.Params(
        data=types_pb2.AttestationData(type="join_token", payload=token.value.encode()),
        params=agent_pb2.AgentX509SVIDParams(csr=der),
    )
    channel = Channel(address, tls=lambda: client_context(None, None))
    async with channel.stream(method(_AGENT, "AttestAgent"), timeout=30) as stream:
        await stream.send(agent_pb2.AttestAgentRequest(params=params))
        answer = await stream.receive()
    await channel.close()
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return TlsIdentity(tuple(answer.result.svid.cert_chain), pkcs8)


async def follow(identity: TlsIdentity, address: TcpAddress, connected: asyncio.Event) -> None:
    """Hold one stream open."""

    def context() -> ssl.SSLContext:
        return client_context(identity, None)

    channel = Channel(address, tls=context)
    async with channel.stream(method(_FOLLOW, "Follow")) as stream:
        await stream.send(follow_pb2.Up(hello=follow_pb2.Hello(protocol=1)))
        await stream.receive()
        connected.set()
        async for _ in stream:
            pass


async def main() -> None:
    """Connect them all, then wait."""
    socket, where, count, seconds = sys.argv[1:]
    host, _, port = where.rpartition(":")
    address = TcpAddress(host, int(port))
    admin = Channel(UnixAddress(Path(socket)))
    tasks = []
    for _ in range(int(count)):
        connected = asyncio.Event()
        tasks.append(asyncio.create_task(follow(await join(admin, address), address, connected)))
        await connected.wait()
    print("ready", flush=True)
    await SystemClock().sleep(float(seconds))


if __name__ == "__main__":
    uvloop.run(main())
