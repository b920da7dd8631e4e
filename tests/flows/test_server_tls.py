"""The server's real listeners: TLS for agents, a Unix socket for local administrators."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ca.assemble import listen as listening
from ca.events.happened import SYSTEM
from ca.events.measures import Measures
from ca.operations.administration.administer_tokens import create_join_token
from ca.operations.server_identity import renew_server_identity
from finial.keys.generate import pkcs8
from finial.runtime.reporting.metrics import Metrics
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Reason
from finial.spiffe.well_known import server_id
from finial.wire.convert import spiffe_id_message, x509_svid_from
from finial.wire.grpc.client import Channel, TcpAddress, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import agent_pb2, health_pb2
from finial.wire.tls import TlsIdentity, client_context, server_is
from tests.doubles.ca import SmallCa
from tests.doubles.clock import StandingClock
from tests.doubles.house import METHODS, House, attest_request, csr, house, new_key
from tests.flows.scenes import refused

HEALTH = method(health_pb2.DESCRIPTOR.services_by_name["Health"], "Check")


class Listening:
    """A house with its real doors open."""

    def __init__(self, built: House, grpc: listening.GrpcListeners, serving: Any) -> None:
        self.built = built
        self.grpc = grpc
        self.serving = serving
        self.channels: list[Channel] = []

    def channel(self, identity: TlsIdentity | None = None) -> Channel:
        """Connect to the port for agents, trusting the server's bundle and nothing else."""
        bundle = self.built.world.known.bundle.value
        context = client_context(identity, bundle)
        channel = Channel(
            TcpAddress(*self.grpc.address),
            tls=lambda: context,
            judge=server_is(server_id(self.built.world.trust_domain)),
        )
        self.channels.append(channel)
        return channel

    async def join(self) -> tuple[Any, TlsIdentity]:
        """Join by a token over TLS; return the SVID and the identity made of it."""
        made = await create_join_token(self.built.world, SYSTEM, 60)
        key = new_key()
        async with self.channel().stream(METHODS["Agent.AttestAgent"]) as stream:
            await stream.send(attest_request("join_token", made.text.encode(), csr(key)))
            answer = await stream.receive()
        svid = x509_svid_from(answer.result.svid)
        return svid, TlsIdentity(svid.chain, pkcs8(key))


@asynccontextmanager
async def open_doors(folder: Path) -> AsyncIterator[Listening]:
    # OpenSSL looks at the machine's clock, so the house's stands at the same time.
    clock = StandingClock(wall=time.time())  # noqa: TID251
    async with house(folder, clock, bind_port=0, data_dir=str(folder)) as built:
        built.world.settings.server.private_dir.mkdir()
        identity = Watch(await renew_server_identity(built.world))
        serving: Watch[Mapping[str, bool]] = Watch({"": True})
        measures = Measures(Metrics("ca"))
        grpc = await listening.listen(built.world, identity, serving, measures)
        doors = Listening(built, grpc, serving)
        try:
            yield doors
        finally:
            for channel in doors.channels:
                await channel.close()
            await grpc.close(0.1)


def play(folder: Path, act: Any) -> None:
    async def scene() -> None:
        async with open_doors(folder) as doors:
            await act(doors)

    asyncio.run(scene())


async def post_status(channel: Channel) -> Any:
    return await channel.unary(
        METHODS["Agent.PostStatus"], agent_pb2.PostStatusRequest(), timeout=5
    )


def test_an_agent_joins_and_comes_back_with_its_svid(tmp_path: Path) -> None:
    """Without a certificate it may attest; with it, it is who the certificate says."""

    async def act(doors: Listening) -> None:
        svid, identity = await doors.join()
        await post_status(doors.channel(identity))
        anyone = await refused(post_status(doors.channel()))
        assert anyone.kind is Kind.DENIED
        assert doors.built.world.known.nodes.get(svid.id)
        assert doors.built.world.addresses()[0] == f"127.0.0.1:{doors.grpc.address[1]}"

    play(tmp_path, act)


def test_a_certificate_of_somebody_elses_authority_is_no_connection(tmp_path: Path) -> None:
    """What our bundle does not vouch for does not get through the handshake (spire-wire 1.1)."""

    async def act(doors: Listening) -> None:
        now = doors.built.clock.now()
        agent = SmallCa("example.org", now=now).workload("/spire/agent/x509pop/fake")
        forged = TlsIdentity(agent.chain, agent.key_pkcs8)
        assert (await refused(post_status(doors.channel(forged)))).kind is Kind.UNAVAILABLE

    play(tmp_path, act)


def test_a_banned_agent_is_told_and_cut_off(tmp_path: Path) -> None:
    """Its next call is refused with the reason; soon after, its connection is closed (7.12)."""

    async def act(doors: Listening) -> None:
        svid, identity = await doors.join()
        channel = doors.channel(identity)
        await post_status(channel)
        local = Channel(UnixAddress(doors.built.world.settings.server.server_socket))
        doors.channels.append(local)
        request = agent_pb2.BanAgentRequest(id=spiffe_id_message(svid.id))
        await local.unary(METHODS["Agent.BanAgent"], request, timeout=5)
        told = await refused(post_status(channel))
        assert told.reason is Reason.AGENT_BANNED
        async with asyncio.timeout(5):
            while channel.is_connected:
                await asyncio.wait({asyncio.ensure_future(_later())})

    play(tmp_path, act)


def test_health_is_asked_on_the_socket_alone(tmp_path: Path) -> None:
    """The local socket says whether the server serves; the port for agents does not (RP-17)."""

    async def act(doors: Listening) -> None:
        local = Channel(UnixAddress(doors.built.world.settings.server.server_socket))
        doors.channels.append(local)
        asked = health_pb2.HealthCheckRequest()
        answer = await local.unary(HEALTH, asked, timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        doors.serving.set({"": False})
        answer = await local.unary(HEALTH, asked, timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        remote = await refused(doors.channel().unary(HEALTH, asked, timeout=5))
        assert remote.kind is Kind.UNIMPLEMENTED

    play(tmp_path, act)


def test_the_kernel_says_who_administers(tmp_path: Path) -> None:
    """The audit names uid and pid of whoever used the socket."""

    async def act(doors: Listening) -> None:
        path = doors.built.world.settings.server.server_socket
        assert path.stat().st_mode & 0o777 == 0o660
        local = Channel(UnixAddress(path))
        doors.channels.append(local)
        request = agent_pb2.CreateJoinTokenRequest(ttl=60)
        await local.unary(METHODS["Agent.CreateJoinToken"], request, timeout=5)
        actor: Any = doors.built.audit.records[-1]["actor"]
        assert actor["kind"] == "local"
        assert set(actor) == {"kind", "uid", "pid"}

    play(tmp_path, act)


async def _later() -> None:
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)
