"""Agents get their workloads' SVIDs, administrators mint; everything is in the ledger."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ca.datastore.ledger import IssuedFilter
from ca.registry.issued import SvidKind
from finial.spiffe.identity import SpiffeId
from finial.spiffe.jwt_svid import verify_jwt
from finial.spiffe.refusal import Kind
from finial.spiffe.x509_svid import verify
from finial.wire.convert import x509_svid_from
from finial.wire.pb import svid_pb2, types_pb2
from tests.doubles.house import Agent, House, csr, entry_for, new_key, register
from tests.flows.scenes import play, refused


async def ask(agent: Agent, *wishes: tuple[str, bytes]) -> Any:
    params = [svid_pb2.NewX509SVIDParams(entry_id=each, csr=der) for each, der in wishes]
    request = svid_pb2.BatchNewX509SVIDRequest(params=params)
    return (await agent.client.call("SVID.BatchNewX509SVID", request)).results


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_a_batch_answers_each_wish_in_its_place(tmp_path: Path, key_type: str) -> None:
    """Good ones get an SVID that verifies, the others SPIRE's code and words (spire-wire 4.4)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(
            local, entry_for(agent.id, "/web", x509_svid_ttl=60, dns_names=["web.example.org"])
        )
        [strange] = await register(local, entry_for(other_parent(), "/strange"))
        unsigned = bytearray(csr())
        unsigned[-1] ^= 1
        results = await ask(
            agent,
            (web.id, csr()),
            (strange.id, csr()),
            ("", csr()),
            (web.id, b""),
            (web.id, b"junk"),
            (web.id, bytes(unsigned)),
        )
        assert [(each.status.code, each.status.message) for each in results] == [
            (0, "OK"),
            (5, "entry not found or not authorized"),
            (3, "missing entry ID"),
            (3, "missing CSR"),
            (3, "malformed CSR"),
            (3, "invalid CSR signature"),
        ]
        svid = x509_svid_from(results[0].svid)
        bundles = {built.world.trust_domain: built.world.known.bundle.value}
        assert str(verify(svid, bundles, built.clock.now())) == "spiffe://example.org/web"
        assert svid.not_after == results[0].svid.expires_at == int(built.clock.now()) + 60
        leaf = x509.load_der_x509_certificate(svid.chain[0])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["web.example.org"]

    play(tmp_path, act, ca_key_type=key_type)


def test_everything_is_in_the_ledger_before_it_leaves(tmp_path: Path) -> None:
    """A row names serial, SPIFFE ID, entry, agent, authority and expiry."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        results = await ask(agent, *((web.id, csr()) for _ in range(60)))
        serials = {str(x509_svid_from(each.svid).serial) for each in results}
        wanted = IssuedFilter(entry_id=web.id)
        rows = (await built.world.datastore.list_issued(wanted)).items
        assert {row.serial for row in rows} == serials
        assert len(serials) == 60
        [authority] = built.world.known.bundle.value.x509_authorities
        assert {row.authority_id for row in rows} == {authority.subject_key_id}
        assert {row.agent_id for row in rows} == {str(agent.id)}
        assert {row.spiffe_id for row in rows} == {"spiffe://example.org/web"}
        assert built.audit.kinds().count("svid_issued") == 61

    play(tmp_path, act)


def test_what_cannot_be_audited_is_not_issued(tmp_path: Path) -> None:
    """A full audit log refuses the call, and nobody gets an SVID."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web"))
        built.audit.is_full = True
        assert (await refused(ask(agent, (web.id, csr())))).kind is Kind.UNAVAILABLE

    play(tmp_path, act)


def test_an_empty_batch_is_refused(tmp_path: Path) -> None:
    """A batch has at least one wish (spire-wire 4.4)."""

    async def act(built: House) -> None:
        agent = await built.join()
        assert (await refused(ask(agent))).kind is Kind.INVALID

    play(tmp_path, act)


def test_a_token_is_issued_for_an_entry(tmp_path: Path) -> None:
    """It verifies under the bundle, has a jti, and is in the ledger (JWT-09, JWT-10, BJ-04)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        [web] = await register(local, entry_for(agent.id, "/web", jwt_svid_ttl=60))
        request = svid_pb2.NewJWTSVIDRequest(entry_id=web.id, audience=["db", ""])
        svid = (await agent.client.call("SVID.NewJWTSVID", request)).svid
        bundles = {built.world.trust_domain: built.world.known.bundle.value}
        judged = verify_jwt(svid.token, "db", bundles, built.clock.now())
        assert str(judged.id) == "spiffe://example.org/web"
        assert judged.audience == ("db",)
        assert judged.claims["iss"] == "https://issuer.example.org"
        assert judged.expires_at == svid.expires_at == int(built.clock.now()) + 60
        rows = (await built.world.datastore.list_issued(IssuedFilter(kind=SvidKind.JWT))).items
        assert [row.serial for row in rows] == [judged.claims["jti"]]

    play(tmp_path, act, jwt_issuer="https://issuer.example.org")


@pytest.mark.parametrize(
    ("entry", "audience", "kind"),
    [
        ("none", ["db"], Kind.NOT_FOUND),
        ("", ["db"], Kind.INVALID),
        ("web", [], Kind.INVALID),
        ("web", [""], Kind.INVALID),
    ],
)
def test_a_token_needs_an_entry_and_an_audience(
    tmp_path: Path, entry: str, audience: list[str], kind: Kind
) -> None:
    """Without either the call is refused (spire-wire 4.4)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        await register(local, entry_for(agent.id, "/web", id="web"))
        request = svid_pb2.NewJWTSVIDRequest(entry_id=entry, audience=audience)
        assert (await refused(agent.client.call("SVID.NewJWTSVID", request))).kind is kind

    play(tmp_path, act)


def test_tokens_can_be_disabled(tmp_path: Path) -> None:
    """Then no JWT key is made, and the answer has SPIRE's text (SC-14, TR-06)."""

    async def act(built: House) -> None:
        agent, local = await built.join(), await built.local()
        assert built.world.known.bundle.value.jwt_authorities == ()
        ask = svid_pb2.NewJWTSVIDRequest(entry_id="x", audience=["y"])
        told = await refused(agent.client.call("SVID.NewJWTSVID", ask))
        assert (told.kind, told.detail) == (Kind.UNIMPLEMENTED, "JWT functionality is disabled")
        told = await refused(local.call("SVID.MintJWTSVID", mint_token()))
        assert told.kind is Kind.UNIMPLEMENTED

    play(tmp_path, act, disable_jwt_svids=True)


def test_an_administrator_mints_what_a_csr_asks_for(tmp_path: Path) -> None:
    """ID, DNS names and subject are the CSR's (BL-02); the audit knows who it was."""

    async def act(built: House) -> None:
        local = await built.local()
        der = workload_csr("spiffe://example.org/minted", "m.example.org")
        request = svid_pb2.MintX509SVIDRequest(csr=der, ttl=30)
        minted = (await local.call("SVID.MintX509SVID", request)).svid
        svid = x509_svid_from(minted)
        leaf = x509.load_der_x509_certificate(svid.chain[0])
        assert str(svid.id) == "spiffe://example.org/minted"
        assert leaf.subject.rfc4514_string() == "CN=mine"
        assert svid.not_after == int(built.clock.now()) + 30
        assert built.audit.records[-1]["kind"] == "svid_minted"
        assert built.audit.records[-1]["actor"] == {"kind": "local", "uid": 0, "pid": 1}
        foreign = svid_pb2.MintX509SVIDRequest(csr=workload_csr("spiffe://other.org/x"))
        assert (await refused(local.call("SVID.MintX509SVID", foreign))).kind is Kind.INVALID

    play(tmp_path, act)


def test_an_administrator_mints_a_token(tmp_path: Path) -> None:
    """Only for workloads' IDs of the own trust domain, and with an audience."""

    async def act(built: House) -> None:
        local = await built.local()
        minted = (await local.call("SVID.MintJWTSVID", mint_token())).svid
        bundles = {built.world.trust_domain: built.world.known.bundle.value}
        judged = verify_jwt(minted.token, "db", bundles, built.clock.now())
        assert str(judged.id) == "spiffe://example.org/web"
        for bad in (mint_token(path="/spire/server"), mint_token(audience=[]), mint_token(td="x")):
            assert (await refused(local.call("SVID.MintJWTSVID", bad))).kind is Kind.INVALID

    play(tmp_path, act)


@pytest.mark.parametrize("name", ["MintWITSVID", "BatchNewWITSVID", "NewDownstreamX509CA"])
def test_what_comes_later_is_unimplemented(tmp_path: Path, name: str) -> None:
    """WIT-SVIDs and downstream authorities answer Unimplemented."""

    async def act(built: House) -> None:
        agent = await built.join()
        assert (await refused(agent.client.call(f"SVID.{name}"))).kind is Kind.UNIMPLEMENTED

    play(tmp_path, act)


def mint_token(
    td: str = "example.org", path: str = "/web", audience: Any = ("db",)
) -> svid_pb2.MintJWTSVIDRequest:
    spiffe_id = types_pb2.SPIFFEID(trust_domain=td, path=path)
    return svid_pb2.MintJWTSVIDRequest(id=spiffe_id, audience=audience)


def other_parent() -> SpiffeId:
    return SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/other")


def workload_csr(uri: str, *dns_names: str) -> bytes:
    names = [x509.UniformResourceIdentifier(uri), *map(x509.DNSName, dns_names)]
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mine")]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    signed = builder.sign(new_key(), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)
