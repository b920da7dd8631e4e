"""Envoy's secret discovery: what each name means, and who is given what."""

from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.api.sds.secret import SECRET_TYPE
from finial.blocks import BlocksDocument, Crl, encode
from finial.spiffe.bundle import X509Authority
from finial.spiffe.refusal import Kind
from finial.wire.grpc.method import method
from finial.wire.pb.envoy_core_pb2 import Node
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest
from tests.doubles.blocked import blocking
from tests.doubles.running_agent import PATIENCE, Scene, until
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.agent_secrets import (
    OWN,
    SDS,
    WEB,
    asking,
    befriend,
    both_forms,
    crl,
    ders,
    fetch,
    leaf,
    trusted,
)


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


@both_forms
def test_known_names_are_served_beside_others(form: str) -> None:
    """What is not there is recorded, and keeps nobody from what is."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("default", "spiffe://example.org/other", "nonsense")
            assert set(await client.take()) == {"default"}
            await until(lambda: len(agent.records.named("call_refused")) == 2)
            await played.pass_time(60)
            await client.nothing()

    play(act)


@both_forms
def test_names_that_mean_nothing_end_the_stream_at_once(form: str) -> None:
    """With the names that there are."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask("nonsense")
            if form == "DeltaSecrets":
                await client.take()
            refusal = await client.refusal()
            assert refusal.kind is Kind.INVALID
            assert "default, ROOTCA, ALL or a SPIFFE ID" in refusal.detail

    play(act)


@both_forms
def test_all_bundles_without_the_validator_are_refused(form: str) -> None:
    """An Envoy that switched the validator off is told why it gets no list of all authorities."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        node = Node(id="n")
        node.metadata.update({"disable_spiffe_cert_validation": True})
        async with played.agent() as agent:
            async with asking(agent, form) as client:
                await client.ask("ROOTCA", node=node)
                found = await client.take()
                context = found["ROOTCA"].validation_context
                assert ders(context.trusted_ca.inline_bytes) == [played.server.ca.der]
            async with asking(agent, form) as client:
                await client.ask("ALL", node=node)
                if form == "DeltaSecrets":
                    await client.take()
                refusal = await client.refusal()
                assert refusal.kind is Kind.PRECONDITION
                assert "SPIFFE validator" in refusal.detail

    play(act)


@both_forms
def test_everything_is_what_a_client_gets_that_names_nothing(form: str) -> None:
    """Each under its SPIFFE ID; letting go of it is not asking for it again."""

    async def act(played: Scene) -> None:
        befriend(played, "friend.test")
        played.server.entry("a", "/web", ME, federates_with=["friend.test"])
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent, asking(agent, form) as client:
            await client.ask()
            while len(client.secrets) < 4:
                await client.take()
            assert set(client.secrets) == {
                OWN,
                WEB,
                "spiffe://example.org/db",
                "spiffe://friend.test",
            }

    play(act)


@pytest.mark.parametrize("name", ["StreamSecrets", "FetchSecrets"])
def test_another_type_is_refused(name: str) -> None:
    """There are secrets here, no clusters and no routes."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        request = DiscoveryRequest(type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster")
        async with played.agent() as agent:
            if name == "FetchSecrets":
                found = method(SDS, name)
                refusal = await refused(agent.workload.unary(found, request, timeout=PATIENCE))
            else:
                async with agent.workload.stream(method(SDS, name)) as stream:
                    await stream.send(request)
                    refusal = await refused(stream.receive())
            assert refusal.kind is Kind.INVALID
            assert "only secrets" in refusal.detail

    play(act)


@both_forms
def test_verifiers_without_identity_get_the_own_bundle_where_that_is_allowed(form: str) -> None:
    """WAPI-30: as in the Workload API, the operator's word decides; a certificate they never get."""

    async def act(played: Scene) -> None:
        async with played.agent(allow_unauthenticated_verifiers=True) as agent:
            async with asking(agent, form) as client:
                await client.ask("ROOTCA")
                assert set(await client.take()) == {"ROOTCA"}
            assert (await refused(fetch(agent, "default"))).kind is Kind.DENIED

    play(act)


def test_what_cannot_be_audited_is_not_given() -> None:
    """An answer whose record cannot be written does not leave the agent."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, asking(agent) as client:
            await until(lambda: bool(agent.parts.tasks.holdings.value.svids))
            agent.records.is_full = True
            await client.ask("default")
            assert (await client.refusal()).kind is Kind.UNAVAILABLE

    play(act)


def test_the_record_names_whose_certificate_was_given() -> None:
    """A bundle is nobody's: a record of it names no identity, though the caller has some."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent:
            for names in (["ROOTCA"], [WEB]):
                async with asking(agent) as client:
                    await client.ask(*names)
                    await client.take()
            served = [each["spiffe_ids"] for each in agent.records.named("workload_served")]
            assert served == [[], [WEB]]

    play(act)


def test_the_operator_may_name_the_secrets_otherwise() -> None:
    """Configurations written for SPIRE with names of their own go on."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        names = {
            "default_svid_name": "mine",
            "default_bundle_name": "trust",
            "default_all_bundles_name": "everybody",
            "disable_spiffe_cert_validation": False,
        }
        async with played.agent(sds=names) as agent:
            answer = await fetch(agent, "mine", "trust", "everybody")
            assert len(answer.resources) == 3
            assert (await refused(fetch(agent, "default"))).kind is Kind.INVALID

    play(act)


def test_a_revoked_certificate_is_listed_beside_the_authorities() -> None:
    """The lists come with the block, go with it, and name their authority's every time."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        authority = X509Authority(played.server.ca.der).subject_key_id
        revoking = Crl(authority, crl(played.server.ca, 5), 2_000_000_000)
        async with played.agent() as agent, asking(agent) as client:
            await client.ask("ROOTCA")
            await client.take()
            document = blocking(serials="5", crls=(revoking,))
            played.server.tell("blocks", 1, encode(document))
            await client.take()
            assert b"X509 CRL" in client.secrets["ROOTCA"].SerializeToString()
            played.server.tell("blocks", 2, encode(BlocksDocument(version=2)))
            await client.take()
            assert b"X509 CRL" not in client.secrets["ROOTCA"].SerializeToString()

    play(act)


@pytest.mark.parametrize("name", ["StreamSecrets", "DeltaSecrets"])
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"\xff\xff\xff", Kind.INVALID),
        (b"\x0a\x7fcut short", Kind.INVALID),
        (b"\x0a\x02\xc3\x28", Kind.INVALID),
        (bytes(300 * 1024), Kind.EXHAUSTED),
    ],
    ids=["no message", "cut short", "no text", "too long"],
)
def test_a_request_that_is_none_is_refused(name: str, said: bytes, kind: Kind) -> None:
    """Broken and endless requests end their stream, and no other."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        broken: Any = SimpleNamespace(SerializeToString=lambda: said)
        async with played.agent() as agent, asking(agent, name) as other:
            await other.ask("default")
            await other.take()
            async with agent.workload.stream(method(SDS, name)) as stream:
                await stream.send(broken)
                assert (await refused(stream.receive())).kind is kind
            async with asking(agent, name) as again:
                await again.ask("default")
                await again.take()
            await other.nothing()

    play(act)
