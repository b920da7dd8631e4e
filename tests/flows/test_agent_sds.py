"""Envoy's secret discovery: what each name means, and how a stream goes on."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.api.sds.secret import SECRET_TYPE
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind
from finial.wire.grpc.client import Stream
from finial.wire.grpc.method import method
from finial.wire.pb import envoy_sds_pb2, envoy_tls_pb2
from finial.wire.pb.envoy_discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import PATIENCE, RunningAgent, Scene, never, soon, until
from tests.doubles.scripted_server import DOMAIN
from tests.flows.agent_scenes import ME, play, refused

SDS = envoy_sds_pb2.DESCRIPTOR.services_by_name["SecretDiscoveryService"]
WEB = "spiffe://example.org/web"
OWN = "spiffe://example.org"


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
    return await agent.workload.unary(method(SDS, "FetchSecrets"), request, timeout=PATIENCE)


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


Acting = Callable[[Scene], Awaitable[None]]
both_forms = pytest.mark.parametrize("form", ["StreamSecrets", "DeltaSecrets"])


@both_forms
def test_a_certificate_comes_with_its_key_under_the_name_that_was_asked_for(form: str) -> None:
    """An Envoy takes a secret only under its own name, so the alias and the ID are two secrets."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default", WEB)
            found = await client.take()
        assert set(found) == {"default", WEB}
        for secret in found.values():
            certificate = leaf(secret)
            [uri] = certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value.get_values_for_type(x509.UniformResourceIdentifier)
            assert uri == WEB
            pem = secret.tls_certificate.private_key.inline_bytes
            assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
            key = serialization.load_pem_private_key(pem, password=None)
            assert key.public_key() == certificate.public_key()

    play(act)


@both_forms
def test_bundles_name_their_trust_domains_for_the_spiffe_validator(form: str) -> None:
    """ROOTCA and the own ID hold the own domain, a federated ID that one, ALL everything."""

    async def act(played: Scene) -> None:
        befriend(played, "friend.test", "other.test")
        played.server.entry("a", "/web", ME, federates_with=["friend.test"])
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("ROOTCA", "ALL", OWN, "spiffe://friend.test")
            found = await client.take()
        own, friend = played.server.ca.der, played.server.federated["friend.test"].x509_der
        assert trusted(found["ROOTCA"]) == trusted(found[OWN]) == {"example.org": [own]}
        assert trusted(found["spiffe://friend.test"]) == {"friend.test": [friend]}
        assert trusted(found["ALL"]) == {"example.org": [own], "friend.test": [friend]}

    play(act)


@both_forms
def test_a_rotation_is_pushed_and_an_acknowledgement_is_not_answered(form: str) -> None:
    """A new authority and a new SVID come by themselves; what the client has does not come again."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default", "ROOTCA")
            await client.take()
            first = leaf(client.secrets["default"]).serial_number
            await client.ask(*([] if form == "DeltaSecrets" else ["default", "ROOTCA"]))
            await client.nothing()
            played.server.rotate_ca(SmallCa(now=played.clock.now()))
            played.server.tell_bundle()
            await client.take()
            assert len(trusted(client.secrets["ROOTCA"])["example.org"]) == 2
            await played.pass_time(2400)
            while leaf(client.secrets["default"]).serial_number == first:
                await client.take()

    play(act)


@both_forms
def test_a_stranger_waits_and_then_is_told_no_with_an_id(form: str) -> None:
    """A refusal is recorded at once, with an id, and told when patience ends."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", "unix:uid:4242")
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await until(lambda: bool(agent.records.named("call_refused")))
            if form == "DeltaSecrets":
                await client.take()
                assert client.removed == ["default"]
            await client.nothing()
            await played.pass_time(31)
            refusal = await client.refusal()
            assert refusal.kind is Kind.DENIED
            [record] = agent.records.named("call_refused")
            assert record["method"] == form
            found = re.search(r"finial explain --refusal (\w+)", refusal.detail)
            assert found
            assert found[1] == record["explained_as"]

    play(act)


@both_forms
def test_an_entry_that_is_made_later_arrives_on_the_open_stream(form: str) -> None:
    """An Envoy that started before its entry was made gets its identity without asking again."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default")
            await until(lambda: bool(agent.records.named("call_refused")))
            if form == "DeltaSecrets":
                await client.take()
            played.server.entry("a", "/web", ME)
            played.server.tell_entries()
            assert set(await client.take()) == {"default"}

    play(act)


def test_fetching_answers_once() -> None:
    """FetchSecrets has a version and no nonce; a stranger is told no at once."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            answer = await fetch(agent, "ROOTCA", "default")
            assert len(answer.resources) == 2
            assert (answer.nonce, answer.type_url) == ("", SECRET_TYPE)
            assert answer.version_info == (await fetch(agent, "default", "ROOTCA")).version_info
            refusal = await refused(fetch(agent, "spiffe://example.org/other"))
            assert refusal.kind is Kind.DENIED
            assert "finial explain" in refusal.detail

    play(act)


assert DOMAIN.name == "example.org"
