"""A client of Envoy's secret discovery, as a test plays it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from agent.api.sds.secret import SECRET_TYPE
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.wire.grpc.client import Stream
from finial.wire.grpc.method import method
from finial.wire.pb import envoy_sds_pb2, envoy_tls_pb2
from finial.wire.pb.envoy_discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import RunningAgent, Scene, never, soon
from tests.flows.agent_scenes import refused

SDS = envoy_sds_pb2.DESCRIPTOR.services_by_name["SecretDiscoveryService"]
WEB = "spiffe://example.org/web"
OWN = "spiffe://example.org"

both_forms = pytest.mark.parametrize("form", ["StreamSecrets", "DeltaSecrets"])


class Client:
    """A client of one form of the protocol, which keeps what it got."""

    def __init__(self, stream: Stream, form: str) -> None:
        self._stream = stream
        self._is_delta = form == "DeltaSecrets"
        self.secrets: dict[str, envoy_tls_pb2.Secret] = {}
        self.versions: dict[str, str] = {}
        self.removed: list[str] = []
        self.answers = 0
        self.last: Any = None

    async def ask(self, *names: str, **more: Any) -> None:
        """Ask for these names; in the incremental form, for these as well."""
        nonce = self.last.nonce if self.last is not None else ""
        if self._is_delta:
            more.setdefault("response_nonce", nonce)
            await self._stream.send(
                DeltaDiscoveryRequest(type_url=SECRET_TYPE, resource_names_subscribe=names, **more)
            )
        else:
            more.setdefault("response_nonce", nonce)
            await self._stream.send(
                DiscoveryRequest(type_url=SECRET_TYPE, resource_names=names, **more)
            )

    async def take(self) -> dict[str, envoy_tls_pb2.Secret]:
        """Wait for an answer, and return the secrets in it."""
        self.last = await soon(self._stream.receive())
        assert self.last is not None
        self.answers += 1
        assert self.last.type_url == SECRET_TYPE
        packed = [each.resource if self._is_delta else each for each in self.last.resources]
        found = {}
        for each in packed:
            assert each.type_url == SECRET_TYPE
            secret = envoy_tls_pb2.Secret.FromString(each.value)
            found[secret.name] = secret
        self.secrets |= found
        if self._is_delta:
            self.versions |= {each.name: each.version for each in self.last.resources}
            self.removed += self.last.removed_resources
        return found

    async def nothing(self) -> None:
        """Make sure that nothing comes."""
        await never(self._stream)

    async def refusal(self) -> Any:
        """The refusal that the stream ends with."""
        return await refused(self._stream.receive())


@asynccontextmanager
async def asking(agent: RunningAgent, form: str = "StreamSecrets") -> AsyncIterator[Client]:
    """Open a stream, without the Workload API's security metadata: no Envoy sends it."""
    async with agent.workload.stream(method(SDS, form)) as stream:
        yield Client(stream, form)


async def fetch(agent: RunningAgent, *names: str, **more: Any) -> Any:
    """Ask once."""
    request = DiscoveryRequest(type_url=SECRET_TYPE, resource_names=names, **more)
    return await agent.workload.unary(method(SDS, "FetchSecrets"), request, timeout=60)


def leaf(secret: envoy_tls_pb2.Secret) -> x509.Certificate:
    return x509.load_pem_x509_certificates(secret.tls_certificate.certificate_chain.inline_bytes)[0]


def trusted(secret: envoy_tls_pb2.Secret) -> dict[str, list[bytes]]:
    """The authorities of each trust domain, as the SPIFFE validator is given them."""
    validator = secret.validation_context.custom_validator_config
    assert validator.name == "envoy.tls.cert_validator.spiffe"
    config = envoy_tls_pb2.SPIFFECertValidatorConfig()
    assert validator.typed_config.Unpack(config)
    return {each.name: ders(each.trust_bundle.inline_bytes) for each in config.trust_domains}


def ders(pem: bytes) -> list[bytes]:
    der = serialization.Encoding.DER
    return [each.public_bytes(der) for each in x509.load_pem_x509_certificates(pem)]


def befriend(played: Scene, *names: str) -> None:
    """Give the server bundles of other trust domains."""
    for name in names:
        authority = X509Authority(SmallCa(name, now=played.clock.now()).der)
        played.server.federated[name] = Bundle(TrustDomain(name), (authority,))


def crl(ca: SmallCa, *serials: int) -> bytes:
    """A revocation list of an authority."""
    now = datetime.fromtimestamp(ca.now, UTC)
    builder = x509.CertificateRevocationListBuilder(ca.certificate.subject, now, now + timedelta(1))
    for serial in serials:
        row = x509.RevokedCertificateBuilder(serial, now).build()
        builder = builder.add_revoked_certificate(row)
    signed = builder.sign(ca.root.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)
