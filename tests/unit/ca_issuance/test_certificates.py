"""Certificates from their profile to the signature."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.issuance.conformance import conform
from ca.issuance.draft import CertificateDraft, draft_authority, draft_leaf
from ca.issuance.issuer import Issuer
from ca.issuance.new_slot import x509_slot
from ca.issuance.profile import Profiles, Role, distinguished_name
from ca.issuance.public_key import PublicKey
from ca.issuance.seal import (
    SigningAuthority,
    algorithm_of,
    compare,
    compare_bytes,
    seal_authority,
    seal_certificate,
)
from ca.issuance.to_be_signed import to_be_signed
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid, judge_authority, verify
from tests.doubles.clock import NOW
from tests.doubles.entries import DOMAIN, agent, sid
from tests.doubles.issuing import (
    EMPTY,
    KEY_TYPES,
    PROFILES,
    issuer,
    jwt_authority,
    private_key,
    x509_authority,
)

SERIAL = 2**128 - 1
WEB = sid("/web")


def _draft(
    spiffe_id: SpiffeId = WEB,
    role: Role = Role.WORKLOAD,
    *,
    kind: str = "ec-p256",
    key: PublicKey | None = None,
    ttl: int = 0,
    dns_names: tuple[str, ...] = (),
    subject: x509.Name | None = None,
    serial: int = SERIAL,
    now: float = NOW,
    profiles: Profiles = PROFILES,
    above: Issuer | None = None,
) -> CertificateDraft:
    return draft_leaf(
        profiles,
        role,
        above or issuer(kind),
        spiffe_id=spiffe_id,
        public_key=key or private_key().public_key(),
        serial=serial,
        now=now,
        ttl=ttl,
        dns_names=dns_names,
        subject=subject,
    )


def _sealed(draft: CertificateDraft, kind: str = "ec-p256") -> x509.Certificate:
    return x509.load_der_x509_certificate(seal_certificate(conform(draft), x509_authority(kind)))


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension:  # type: ignore[type-arg]
    return certificate.extensions.get_extension_for_class(kind)


def _by_the_library(draft: CertificateDraft, kind: str) -> bytes:
    digest = {"ec-p384": hashes.SHA384(), "ec-p521": hashes.SHA512()}.get(kind, hashes.SHA256())
    builder = (
        x509.CertificateBuilder()
        .issuer_name(draft.issuer_name)
        .subject_name(draft.subject)
        .public_key(draft.public_key)
        .serial_number(draft.serial)
        .not_valid_before(datetime.fromtimestamp(draft.not_before, UTC))
        .not_valid_after(datetime.fromtimestamp(draft.not_after, UTC))
    )
    for each in draft.extensions:
        builder = builder.add_extension(each.value, each.critical)
    return builder.sign(private_key(kind), digest).tbs_certificate_bytes  # type: ignore[arg-type]


_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda label: label[2:4] != "--"
)
_dns_names = st.lists(
    st.lists(_labels, min_size=1, max_size=4).map(".".join), max_size=6, unique=True
).map(tuple)


@pytest.mark.parametrize("kind", KEY_TYPES)
@settings(max_examples=40, deadline=None)
@given(
    _dns_names,
    st.integers(1, SERIAL),
    st.floats(0, 4_000_000_000),
    st.sampled_from([None, EMPTY, distinguished_name(["DE"], ["Ä"], "x")]),
    st.sampled_from(KEY_TYPES),
    st.text("abcXYZ019._-", min_size=3, max_size=300),
)
def test_what_is_signed_is_what_the_library_would_have_signed(  # noqa: PLR0917
    kind: str,
    dns_names: tuple[str, ...],
    serial: int,
    now: float,
    subject: x509.Name | None,
    own: str,
    path: str,
) -> None:
    """The encoding is the library's own, byte for byte, for every kind of key, name and date."""
    above = replace(issuer(kind), not_before=-10, not_after=2**33)
    draft = _draft(
        sid(f"/{path}"),
        key=private_key(own).public_key(),
        serial=serial,
        now=now,
        dns_names=dns_names,
        subject=subject,
        above=above,
    )
    authority = x509_authority(kind)
    signed = to_be_signed(draft, authority.name, authority.algorithm)
    assert signed == _by_the_library(draft, kind)


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_leaf_is_verified_by_the_bundle_of_its_authority(kind: str) -> None:
    """X509-07, X509-26, ID-20: the chain leads from the leaf to the CA in the bundle."""
    der = seal_certificate(conform(_draft(kind=kind)), x509_authority(kind))
    svid = X509Svid.parse([der])
    root = X509Authority(x509_authority(kind).slot.document)
    assert verify(svid, {DOMAIN: Bundle(DOMAIN, (root,))}, NOW) == sid("/web")
    assert svid.authority_key_id == x509_authority(kind).slot.authority_id


def test_a_leaf_has_exactly_the_extensions_of_its_profile() -> None:
    """X509-01, X509-13, X509-16, X509-20 to X509-24: nothing is missing and nothing is more."""
    leaf = _sealed(_draft(dns_names=("web.test", "*.web.test")))
    names = _extension(leaf, x509.SubjectAlternativeName)
    assert names.critical is False
    assert list(names.value) == [
        x509.UniformResourceIdentifier("spiffe://example.org/web"),
        x509.DNSName("web.test"),
        x509.DNSName("*.web.test"),
    ]
    usage = _extension(leaf, x509.KeyUsage)
    assert usage.critical is True
    assert usage.value.public_bytes() == bytes.fromhex("03020780")
    constraints = _extension(leaf, x509.BasicConstraints)
    assert constraints.value.public_bytes() == bytes.fromhex("3000")
    assert set(_extension(leaf, x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    key = private_key().public_key()
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    assert _extension(leaf, x509.SubjectKeyIdentifier).value == own
    parent = _extension(leaf, x509.AuthorityKeyIdentifier).value
    assert parent.key_identifier == bytes.fromhex(x509_authority().slot.authority_id)
    assert len(list(leaf.extensions)) == 6


def test_a_csr_cannot_add_names() -> None:
    """X509-01: the one URI SAN is the entry's ID, byte for byte, whatever was asked for."""
    names = _extension(_sealed(_draft()), x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://example.org/web"]


def test_the_subject_is_spires() -> None:
    """BL-02: C=US, O=SPIRE, with the first DNS name as common name where it fits."""
    assert _sealed(_draft()).subject == distinguished_name(["US"], ["SPIRE"])
    named = _sealed(_draft(dns_names=("a.test", "b.test"))).subject
    assert named == distinguished_name(["US"], ["SPIRE"], "a.test")
    long = _sealed(_draft(dns_names=("a" * 60 + ".test",))).subject
    assert long == distinguished_name(["US"], ["SPIRE"])


def test_the_san_is_critical_exactly_when_the_subject_is_empty() -> None:
    """X509-06: a minted SVID may have an empty subject."""
    leaf = _sealed(_draft(role=Role.MINTED, subject=EMPTY))
    assert _extension(leaf, x509.SubjectAlternativeName).critical is True
    own = distinguished_name(common_name="mine")
    leaf = _sealed(_draft(role=Role.MINTED, subject=own))
    assert leaf.subject == own
    assert _extension(leaf, x509.SubjectAlternativeName).critical is False


def test_a_leaf_begins_in_the_past_and_ends_by_its_profile() -> None:
    """BL-01: ten seconds of backdating, then the lifetime that was asked for or the default."""
    now = NOW + 3600.7
    start = int(now)
    for role, spiffe_id, ttl, wanted in (
        (Role.WORKLOAD, sid("/web"), 0, 3600),
        (Role.WORKLOAD, sid("/web"), 60, 60),
        (Role.AGENT, agent("a"), 0, 7200),
        (Role.SERVER, sid("/spire/server"), 0, 3600),
    ):
        profiles = replace(PROFILES, agent_ttl=7200)
        draft = _draft(spiffe_id, role, ttl=ttl, now=now, profiles=profiles)
        assert (draft.not_before, draft.not_after) == (start - 10, start + wanted)
    assert replace(PROFILES, x509_svid_ttl=99).x509_lifetime(Role.AGENT) == 99


def test_a_leaf_never_outlives_its_issuer() -> None:
    """BL-01, ID-29: the end of the CA is the end of everything below it."""
    end = issuer().not_after
    assert _draft(now=end - 600).not_after == end
    assert _draft(ttl=2**31 - 1).not_after == end


@pytest.mark.parametrize(("ttl", "left"), [(3600, 9.5), (60, 5.9), (6, 0.9), (3600, -1), (1, 0)])
def test_an_issuer_that_is_nearly_over_issues_nothing(ttl: int, left: float) -> None:
    """Nobody gets an SVID that is expired, or will be before it is of use."""
    with pytest.raises(Refusal) as caught:
        _draft(ttl=ttl, now=issuer().not_after - left)
    assert caught.value.kind is Kind.UNAVAILABLE
    assert caught.value.remedy


@pytest.mark.parametrize(("ttl", "left"), [(3600, 10.5), (60, 6.5), (6, 1.5)])
def test_an_issuer_issues_while_it_is_of_use(ttl: int, left: float) -> None:
    """A tenth of the lifetime, ten seconds at most, has to be left."""
    assert _draft(ttl=ttl, now=issuer().not_after - left).not_after == issuer().not_after


def test_an_issuer_of_seconds_issues_to_its_last_ones() -> None:
    """Where authorities live for seconds, a long lifetime asks no more of them than they have."""
    short = issuer(ca_ttl=20)
    assert _draft(above=short, now=NOW + 18.5).not_after == short.not_after
    with pytest.raises(Refusal):
        _draft(above=short, now=NOW + 19.5)


def test_a_leaf_does_not_begin_before_its_issuer() -> None:
    """X509-26: where the issuer was not backdated, the leaf is not either."""
    late = replace(issuer(), not_before=int(NOW) - 3)
    assert _draft(above=late).not_before == int(NOW) - 3


def test_a_negative_lifetime_is_refused() -> None:
    """BE-07: lifetimes are not negative."""
    with pytest.raises(Refusal) as caught:
        _draft(ttl=-1)
    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("kind", ["ec-p256", "ec-p384", "rsa-2048"])
def test_an_authority_is_as_the_standard_wants_it(kind: str) -> None:
    """X509-08, X509-09, X509-13, X509-16 to X509-19, X509-25; BX-06 to BX-10, BX-13."""
    slot = x509_authority(kind).slot
    root = x509.load_der_x509_certificate(slot.document)
    judge_authority(root)
    names = _extension(root, x509.SubjectAlternativeName)
    assert list(names.value) == [x509.UniformResourceIdentifier("spiffe://example.org")]
    assert names.critical is False
    assert _extension(root, x509.KeyUsage).value.public_bytes() == bytes.fromhex("03020106")
    assert _extension(root, x509.KeyUsage).critical
    constraints = _extension(root, x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, None)
    assert len(list(root.extensions)) == 4
    assert root.subject == root.issuer
    assert root.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "7"
    assert root.signature_algorithm_parameters
    assert (slot.not_before, slot.not_after) == (int(NOW) - 10, int(NOW) + 86_400)
    own = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    assert slot.authority_id == own.digest.hex()
    root.verify_directly_issued_by(root)


def test_a_configured_subject_keeps_its_own_serial_number() -> None:
    """BX-08: the serial number is added to a subject that has none."""
    own = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, "x")])
    assert replace(PROFILES, ca_subject=own).authority_subject(5) == own
    given = distinguished_name(["DE", "FR"], ["Org"], "ca")
    named = replace(PROFILES, ca_subject=given).authority_subject(5)
    assert list(named)[:-1] == list(given)


@pytest.mark.parametrize("bad", [{"country": ["Germany"]}, {"common_name": "x" * 65}])
def test_a_subject_that_cannot_be_written_is_refused(bad: dict[str, list[str]]) -> None:
    """A country has two letters and a name at most 64."""
    with pytest.raises(Refusal) as caught:
        distinguished_name(**bad)  # type: ignore[arg-type]
    assert caught.value.field == "ca_subject"


def test_a_key_that_is_not_the_authoritys_signs_nothing() -> None:
    """A key manager that hands out another key is found out before anything is signed."""
    for slot in (x509_authority().slot, jwt_authority().slot):
        with pytest.raises(Refusal) as caught:
            SigningAuthority(slot, private_key("ec-p384"))
        assert caught.value.kind is Kind.INTERNAL


def test_the_key_is_never_shown() -> None:
    """What signs leaves no key in a log."""
    assert "private_key" not in repr(x509_authority())
    assert "PrivateKey" not in repr(x509_authority())


def test_a_leaf_is_sealed_by_the_issuer_it_was_drafted_for() -> None:
    """Two authorities are never mixed up: the draft says whose it is."""
    draft = conform(_draft())
    with pytest.raises(Refusal):
        seal_certificate(draft, x509_authority("ec-p384"))
    root = draft_authority(PROFILES, public_key=private_key().public_key(), serial=5, now=NOW)
    with pytest.raises(Refusal):
        seal_certificate(conform(root), x509_authority())
    with pytest.raises(Refusal):
        seal_authority(conform(root), private_key("ec-p384"))
    with pytest.raises(Refusal):
        seal_authority(draft, private_key())


def test_a_jwt_key_issues_no_certificates() -> None:
    """The two uses never meet."""
    with pytest.raises(Refusal) as caught:
        Issuer.of(jwt_authority().slot, DOMAIN)
    assert caught.value.kind is Kind.INTERNAL


def test_no_authority_has_a_key_that_jose_does_not_know() -> None:
    """JWT-05: the same kinds of key sign certificates and tokens."""
    with pytest.raises(Refusal):
        algorithm_of(ec.generate_private_key(ec.SECP256K1()))


def test_what_was_signed_is_read_back() -> None:
    """A certificate that is not the drafted one never leaves."""
    draft = _draft()
    sealed = seal_certificate(conform(draft), x509_authority())
    compare(sealed, draft)
    for other in (
        replace(draft, serial=5),
        replace(draft, not_before=draft.not_before + 1),
        replace(draft, not_after=draft.not_after - 1),
        replace(draft, subject=EMPTY),
        replace(draft, issuer_name=EMPTY),
        replace(draft, public_key=private_key("ec-p384").public_key()),
        replace(draft, extensions=draft.extensions[:-1]),
    ):
        with pytest.raises(Refusal) as caught:
            compare(sealed, other)
        assert caught.value.kind is Kind.INTERNAL


def test_the_bytes_of_a_leaf_are_read_back() -> None:
    """A leaf that a strict reader finds to be another one never leaves."""
    draft, authority = _draft(), x509_authority()
    sealed = seal_certificate(conform(draft), authority)
    signed = to_be_signed(draft, authority.name, authority.algorithm)
    compare_bytes(sealed, draft, signed)
    for other, bytes_ in (
        (replace(draft, serial=5), signed),
        (replace(draft, not_after=draft.not_after - 1), signed),
        (draft, signed[:-1]),
    ):
        with pytest.raises(Refusal) as caught:
            compare_bytes(sealed, other, bytes_)
        assert caught.value.kind is Kind.INTERNAL


def test_a_slot_knows_its_chain() -> None:
    """BX-11: what leads to an upstream root is kept beside the CA."""
    slot = x509_slot(x509_authority().slot.document, "k", (b"above",))
    assert slot.chain == (b"above",)
