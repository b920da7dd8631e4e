"""The server's bundle and those of other trust domains through the API."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from finial.spiffe.bundle_document import render_spiffe_bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.json.jwk import spki
from finial.spiffe.refusal import Kind
from finial.wire.pb import bundle_pb2, entry_pb2, types_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.house import Client, entry_for, register
from tests.flows.scenes import play, refused

PARENT = SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/one")


def foreign(name: str, **members: Any) -> types_pb2.Bundle:
    authority = types_pb2.X509Certificate(asn1=SmallCa(name).der)
    return types_pb2.Bundle(trust_domain=name, x509_authorities=[authority], **members)


async def batch(client: Client, act: str, *bundles: types_pb2.Bundle, **members: Any) -> Any:
    request = getattr(bundle_pb2, f"Batch{act}FederatedBundleRequest")
    found = await client.call(
        f"Bundle.Batch{act}FederatedBundle", request(bundle=bundles, **members)
    )
    return found.results


async def delete(client: Client, name: str, mode: Any = 0) -> Any:
    request = bundle_pb2.BatchDeleteFederatedBundleRequest(trust_domains=[name], mode=mode)
    [result] = (await client.call("Bundle.BatchDeleteFederatedBundle", request)).results
    return result


def test_anyone_may_have_the_bundle(tmp_path: Path) -> None:
    """It has our authorities and a sequence; a mask leaves what it names (spire-wire 4.2)."""

    async def act(built: Any) -> None:
        anyone = await built.anyone()
        bundle = await anyone.call("Bundle.GetBundle")
        own = built.world.known.bundle.value
        assert [each.asn1 for each in bundle.x509_authorities] == [own.x509_authorities[0].der]
        assert [each.key_id for each in bundle.jwt_authorities] == [own.jwt_authorities[0].key_id]
        assert bundle.jwt_authorities[0].expires_at == int(built.clock.now()) + 86_400
        assert (bundle.trust_domain, bundle.sequence_number) == ("example.org", own.sequence)
        mask = types_pb2.BundleMask(sequence_number=True)
        masked = await anyone.call(
            "Bundle.GetBundle", bundle_pb2.GetBundleRequest(output_mask=mask)
        )
        assert not masked.x509_authorities
        assert masked.sequence_number == own.sequence
        assert masked.trust_domain == "example.org"

    play(tmp_path, act)


def test_authorities_can_be_appended(tmp_path: Path) -> None:
    """What is appended stays when ours rotate; the sequence grows only with a change."""

    async def act(built: Any) -> None:
        local = await built.local()
        before = built.world.known.bundle.value
        other = types_pb2.X509Certificate(asn1=SmallCa("example.org").der)
        request = bundle_pb2.AppendBundleRequest(x509_authorities=[other])
        appended = await local.call("Bundle.AppendBundle", request)
        assert appended.sequence_number == before.sequence + 1
        assert len(appended.x509_authorities) == 2
        again = await local.call("Bundle.AppendBundle", request)
        assert again.sequence_number == before.sequence + 1
        assert built.world.known.bundle.value.x509_authorities[1].der == other.asn1
        assert (await refused(local.call("Bundle.AppendBundle"))).kind is Kind.INVALID
        leaf = SmallCa("example.org").workload().der
        bad = bundle_pb2.AppendBundleRequest(
            x509_authorities=[types_pb2.X509Certificate(asn1=leaf)]
        )
        assert (await refused(local.call("Bundle.AppendBundle", bad))).kind is Kind.INVALID

    play(tmp_path, act)


def test_federated_bundles_are_kept(tmp_path: Path) -> None:
    """Create, set, update, get, list, count: each item with its own status."""

    async def act(built: Any) -> None:
        local = await built.local()
        results = await batch(
            local,
            "Create",
            foreign("a.org", refresh_hint=60),
            foreign("a.org"),
            foreign("example.org"),
            types_pb2.Bundle(),
        )
        assert [each.status.code for each in results] == [0, 6, 3, 3]
        assert results[1].status.message == "bundle already exists"
        assert results[0].bundle.refresh_hint == 60
        [updated] = await batch(
            local,
            "Update",
            types_pb2.Bundle(trust_domain="a.org", refresh_hint=30),
            input_mask=types_pb2.BundleMask(refresh_hint=True),
        )
        assert updated.bundle.refresh_hint == 30
        assert len(updated.bundle.x509_authorities) == 1
        [missing] = await batch(local, "Update", foreign("b.org"))
        assert (missing.status.code, missing.status.message) == (5, "bundle not found")
        [made] = await batch(local, "Set", foreign("b.org"))
        assert made.status.code == 0
        assert (await local.call("Bundle.CountBundles")).count == 3
        page = await local.call(
            "Bundle.ListFederatedBundles", bundle_pb2.ListFederatedBundlesRequest(page_size=1)
        )
        assert ([each.trust_domain for each in page.bundles], page.next_page_token) == (
            ["a.org"],
            "a.org",
        )
        rest = await local.call(
            "Bundle.ListFederatedBundles",
            bundle_pb2.ListFederatedBundlesRequest(page_size=1, page_token="a.org"),
        )
        assert ([each.trust_domain for each in rest.bundles], rest.next_page_token) == (
            ["b.org"],
            "",
        )

    play(tmp_path, act)


def test_an_agent_gets_the_bundles_it_federates_with(tmp_path: Path) -> None:
    """The own trust domain is no federated one; an unknown one is not found."""

    async def act(built: Any) -> None:
        agent, local = await built.join(), await built.local()
        await batch(local, "Set", foreign("a.org"))

        def get(name: str) -> Any:
            request = bundle_pb2.GetFederatedBundleRequest(trust_domain=name)
            return agent.client.call("Bundle.GetFederatedBundle", request)

        assert len((await get("a.org")).x509_authorities) == 1
        assert (await refused(get("example.org"))).kind is Kind.INVALID
        told = await refused(get("c.org"))
        assert (told.kind, told.detail) == (Kind.NOT_FOUND, "bundle not found")

    play(tmp_path, act)


@pytest.mark.parametrize(
    ("mode", "code", "entries", "federated"),
    [("RESTRICT", 9, 1, 1), ("DELETE", 0, 0, 0), ("DISSOCIATE", 0, 1, 0)],
)
def test_a_bundle_in_use_is_deleted_as_its_mode_says(
    tmp_path: Path, mode: str, code: int, entries: int, federated: int
) -> None:
    """RESTRICT refuses, DELETE takes the entries along, DISSOCIATE frees them (BF-07)."""

    async def act(built: Any) -> None:
        local = await built.local()
        await batch(local, "Set", foreign("a.org"))
        await register(local, entry_for(PARENT, "/web", federates_with=["a.org"]))
        assert (await delete(local, "a.org", mode)).status.code == code
        found = (await local.call("Entry.ListEntries", entry_pb2.ListEntriesRequest())).entries
        assert len(found) == entries
        assert [len(entry.federates_with) for entry in found] == [federated] * entries

    play(tmp_path, act)


def test_an_unknown_mode_fails_the_call(tmp_path: Path) -> None:
    """A missing bundle is the item's fault, an unknown mode the call's (spire-wire 4.2)."""

    async def act(built: Any) -> None:
        local = await built.local()
        assert (await delete(local, "none.org")).status.code == 5
        assert (await refused(delete(local, "none.org", 7))).kind is Kind.INVALID

    play(tmp_path, act)


def test_publishing_comes_with_downstream_servers(tmp_path: Path) -> None:
    """PublishJWTAuthority and PublishWITAuthority answer Unimplemented."""

    async def act(built: Any) -> None:
        local = await built.local()
        for name in ("PublishJWTAuthority", "PublishWITAuthority"):
            assert (await refused(local.call(f"Bundle.{name}"))).kind is Kind.UNIMPLEMENTED

    play(tmp_path, act)


def test_an_authority_that_no_bundle_can_hold_silenced_the_server(tmp_path: Path) -> None:
    """A key without a form as JWK is refused before it makes the bundle unwritable."""

    async def act(built: Any) -> None:
        local = await built.local()
        small = ec.generate_private_key(ec.SECP224R1())
        odd = SmallCa("example.org", key=small)
        key = types_pb2.JWTKey(public_key=spki(small.public_key()), key_id="k")
        for request in (
            bundle_pb2.AppendBundleRequest(
                x509_authorities=[types_pb2.X509Certificate(asn1=odd.der)]
            ),
            bundle_pb2.AppendBundleRequest(jwt_authorities=[key]),
        ):
            told = await refused(local.call("Bundle.AppendBundle", request))
            assert (told.kind, "JWK" in told.detail) == (Kind.INVALID, True)
        assert render_spiffe_bundle(built.world.known.bundle.value)

    play(tmp_path, act)
