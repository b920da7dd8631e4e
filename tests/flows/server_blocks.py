"""How a test of the server blocks something and hears of it as an agent."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from cryptography import x509

from ca.operations.administration.administer_blocks import (
    BlockWish,
)
from finial.blocks import SubjectKind
from finial.spiffe.identity import SpiffeId
from finial.wire.pb import follow_pb2, svid_pb2
from tests.doubles.house import Agent, House, csr

PATIENCE = 5.0
WEB = SpiffeId.parse("spiffe://example.org/web")
API = SpiffeId.parse("spiffe://example.org/api")


def wish(subject: object, kind: SubjectKind = SubjectKind.SPIFFE_ID, until: int = 0) -> BlockWish:
    return BlockWish(kind, str(subject), "key leaked", until)


@asynccontextmanager
async def following(agent: Agent, *capabilities: str, blocks: int = 0) -> Any:
    """Open an agent's stream and say hello."""
    async with agent.client.stream("Follow.Follow") as stream:
        hello = follow_pb2.Hello(
            protocol=1, capabilities=capabilities, versions={"blocks": blocks, "bundle": 1}
        )
        await stream.send(follow_pb2.Up(hello=hello))
        yield stream


async def told(stream: Any, topic: str = "blocks") -> Any:
    """The next change of a topic."""
    async with asyncio.timeout(PATIENCE):
        while (down := await stream.receive()) is not None:
            if down.WhichOneof("message") == "changed" and down.changed.topic == topic:
                return down.changed
    return None


async def x509_svid(agent: Agent, entry_id: str) -> Any:
    """Ask for one X.509-SVID; return its result."""
    params = svid_pb2.NewX509SVIDParams(entry_id=entry_id, csr=csr())
    request = svid_pb2.BatchNewX509SVIDRequest(params=[params])
    return (await agent.client.call("SVID.BatchNewX509SVID", request)).results[0]


def serial_of(result: Any) -> int:
    return x509.load_der_x509_certificate(result.svid.cert_chain[0]).serial_number


def crls(built: House) -> dict[str, x509.CertificateRevocationList]:
    told = built.world.known.blocks_told.value.document
    return {each.authority_id: x509.load_der_x509_crl(each.der) for each in told.crls}


def revoked(built: House) -> set[int]:
    return {row.serial_number for crl in crls(built).values() for row in crl}
