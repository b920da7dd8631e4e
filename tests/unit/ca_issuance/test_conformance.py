"""Nothing that breaks a rule reaches a key, however it came about."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.issuance.conformance import conform, conform_token
from ca.issuance.draft import CertificateDraft, TokenDraft, draft_authority, draft_leaf, draft_token
from ca.issuance.extension import Extension
from ca.issuance.profile import Role
from ca.issuance.public_key import encode_public_key
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import key_usage
from tests.doubles.clock import NOW
from tests.doubles.entries import agent, sid
from tests.doubles.issuing import EMPTY, PROFILES, issuer, jwt_authority, private_key

LEAF = draft_leaf(
    PROFILES,
    Role.WORKLOAD,
    issuer(),
    spiffe_id=sid("/web"),
    public_key=private_key().public_key(),
    serial=1,
    now=NOW,
    dns_names=("web.test",),
)
ROOT = draft_authority(PROFILES, public_key=private_key().public_key(), serial=1, now=NOW)
TOKEN = draft_token(
    PROFILES, jwt_authority().slot, spiffe_id=sid("/web"), audience=["a"], jti="j", now=NOW
)


def _broken(draft: CertificateDraft, clause: str) -> None:
    with pytest.raises(Refusal) as caught:
        conform(draft)
    assert clause in caught.value.detail


def _with(draft: CertificateDraft, *values: x509.ExtensionType, critical: bool) -> CertificateDraft:
    """The draft with these extensions in place of its own of the same kinds."""
    kept = [each for each in draft.extensions if each.oid not in {v.oid for v in values}]
    return replace(draft, extensions=(*kept, *(Extension(value, critical) for value in values)))


def _without(draft: CertificateDraft, kind: type[x509.ExtensionType]) -> CertificateDraft:
    kept = tuple(each for each in draft.extensions if not isinstance(each.value, kind))
    return replace(draft, extensions=kept)


def _san(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


OWN = _uri("spiffe://example.org/web")


def test_what_the_profiles_draft_conforms() -> None:
    """The usual drafts pass, each for its role."""
    conform(LEAF)
    conform(ROOT)
    conform(replace(LEAF, role=Role.MINTED))
    conform_token(TOKEN)


@pytest.mark.parametrize("draft", [LEAF, ROOT])
@pytest.mark.parametrize("serial", [0, -1, 2**128])
def test_serial_numbers_are_positive_and_bounded(draft: CertificateDraft, serial: int) -> None:
    """BX-07: 1 to 2^128 - 1."""
    _broken(replace(draft, serial=serial), "BX-07")


@pytest.mark.parametrize(
    "names",
    [
        [x509.DNSName("web.test")],
        [OWN, OWN],
        [OWN, _uri("https://x.test/")],
        [_uri("spiffe://example.org/other")],
    ],
)
def test_a_leaf_has_one_uri_which_is_its_id(names: list[x509.GeneralName]) -> None:
    """X509-01: exactly one URI SAN, equal to the SPIFFE ID."""
    _broken(_with(LEAF, _san(*names), critical=False), "X509-01")


@pytest.mark.parametrize("path", ["//a", "/a/", "/a b", "/é", "a", "/" + "a" * 2048])
def test_a_malformed_id_is_not_signed(path: str) -> None:
    """ID-01: even an ID that was made without being read is judged."""
    odd = SpiffeId(sid("").trust_domain, path)
    try:
        named = _san(_uri(str(odd)))
    except ValueError:
        return
    _broken(_with(replace(LEAF, spiffe_id=odd), named, critical=False), "ID-01")


@pytest.mark.parametrize("draft", [LEAF, ROOT])
def test_another_key_than_the_judged_one_could_be_certified(draft: CertificateDraft) -> None:
    """RFC 5280 section 4.1.2.7: what is encoded is the key whose kind and size are judged."""
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    _broken(replace(draft, public_key_info=encode_public_key(other)), "4.1.2.7")


@pytest.mark.parametrize("draft", [LEAF, ROOT])
def test_key_usage_is_critical(draft: CertificateDraft) -> None:
    """X509-16: keyUsage is there and critical on leaf and CA."""
    usage = next(e.value for e in draft.extensions if isinstance(e.value, x509.KeyUsage))
    _broken(_with(draft, usage, critical=False), "X509-16")
    _broken(_without(draft, x509.KeyUsage), "X509-16")


@pytest.mark.parametrize("kind", [x509.SubjectAlternativeName, x509.BasicConstraints])
@pytest.mark.parametrize("draft", [LEAF, ROOT])
def test_no_extension_is_missing(draft: CertificateDraft, kind: type[x509.ExtensionType]) -> None:
    """X509-01, X509-13: SAN and basicConstraints are always there."""
    _broken(_without(draft, kind), "missing or unknown")


def test_no_extension_is_there_twice_or_unknown() -> None:
    """RFC 5280 section 4.2: each once, and none that nobody meant."""
    _broken(replace(LEAF, extensions=(*LEAF.extensions, LEAF.extensions[0])), "twice")
    _broken(_with(LEAF, x509.InhibitAnyPolicy(0), critical=True), "missing or unknown")


def test_the_san_is_critical_exactly_when_the_subject_is_empty() -> None:
    """X509-06: both wrong combinations are refused by verifiers."""
    _broken(replace(LEAF, subject=EMPTY), "X509-06")
    _broken(_with(LEAF, _san(OWN), critical=True), "X509-06")


def test_a_certificate_is_valid_only_while_its_issuer_is() -> None:
    """X509-26: a path is not longer valid than its authority."""
    _broken(replace(LEAF, not_before=LEAF.not_after), "it ends before it begins")
    _broken(replace(LEAF, not_after=issuer().not_after + 1), "its issuer is not")
    _broken(replace(LEAF, not_before=issuer().not_before - 1), "its issuer is not")


def test_a_leaf_is_in_the_trust_domain_of_its_issuer() -> None:
    """X509-10, ID-22: no authority speaks for another trust domain."""
    other = replace(LEAF, spiffe_id=sid("/web", "other.test"))
    _broken(_with(other, _san(_uri("spiffe://other.test/web")), critical=False), "X509-10")


def test_a_leaf_has_an_issuer() -> None:
    """X509-12: what signs itself is an authority."""
    _broken(_without(replace(LEAF, issuer=None), x509.AuthorityKeyIdentifier), "X509-12")


@pytest.mark.parametrize(
    ("usage", "clause"),
    [
        ((), "X509-20"),
        (("digital_signature", "key_cert_sign"), "X509-22"),
        (("digital_signature", "crl_sign"), "X509-22"),
        (("digital_signature", "key_encipherment"), "X509-20"),
        (("digital_signature", "content_commitment"), "X509-20"),
    ],
)
def test_a_leaf_signs_and_nothing_else(usage: tuple[str, ...], clause: str) -> None:
    """X509-20, X509-21, X509-22: digitalSignature only."""
    _broken(_with(LEAF, key_usage(*usage), critical=True), clause)


@pytest.mark.parametrize(
    "purposes",
    [
        [ExtendedKeyUsageOID.SERVER_AUTH],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        [
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.CLIENT_AUTH,
            ExtendedKeyUsageOID.CODE_SIGNING,
        ],
    ],
)
def test_a_leaf_serves_and_calls(purposes: list[x509.ObjectIdentifier]) -> None:
    """X509-23, X509-24: both purposes, and no other."""
    _broken(_with(LEAF, x509.ExtendedKeyUsage(purposes), critical=False), "X509-24")


def test_a_leaf_without_purposes_is_not_signed() -> None:
    """X509-23: extKeyUsage is there."""
    _broken(_without(LEAF, x509.ExtendedKeyUsage), "X509-24")


def test_a_leaf_is_no_ca() -> None:
    """X509-13: cA is false on leaves, and true on authorities."""
    _broken(_with(LEAF, x509.BasicConstraints(True, None), critical=True), "X509-13")
    _broken(_with(ROOT, x509.BasicConstraints(False, None), critical=True), "X509-13")
    _broken(_with(ROOT, x509.BasicConstraints(True, None), critical=False), "X509-13")


@pytest.mark.parametrize(
    ("role", "spiffe_id"),
    [
        (Role.WORKLOAD, sid("")),
        (Role.WORKLOAD, agent("a")),
        (Role.WORKLOAD, sid("/spire/server")),
        (Role.MINTED, sid("/spire/server")),
        (Role.AGENT, sid("/web")),
        (Role.AGENT, sid("/spire/agent")),
        (Role.SERVER, sid("/web")),
        (Role.SERVER, agent("a")),
    ],
)
def test_each_role_has_its_own_ids(role: Role, spiffe_id: SpiffeId) -> None:
    """X509-05, ID-30: no workload is a server or an agent, nor the other way round."""
    draft = replace(LEAF, role=role, spiffe_id=spiffe_id)
    _broken(_with(draft, _san(_uri(str(spiffe_id))), critical=False), "X509-05")


@pytest.mark.parametrize(
    ("role", "spiffe_id"), [(Role.AGENT, agent("a")), (Role.SERVER, sid("/spire/server"))]
)
def test_agents_and_servers_have_their_ids(role: Role, spiffe_id: SpiffeId) -> None:
    """BL-07: the server's and the agents' own SVIDs are leaves like others."""
    draft = replace(LEAF, role=role, spiffe_id=spiffe_id)
    conform(_with(draft, _san(_uri(str(spiffe_id))), critical=False))


@pytest.mark.parametrize("name", [x509.DNSName("Web.test"), x509.RFC822Name("a@b.test")])
def test_only_judged_names_are_signed(name: x509.GeneralName) -> None:
    """X509-03, BE-04: DNS names that pass, and no other kinds of name."""
    _broken(_with(LEAF, _san(OWN, name), critical=False), "X509-03")


def test_the_key_identifiers_are_right() -> None:
    """RFC 5280 section 4.2.1: the own key's, and the issuer's; none where it signs itself."""
    _broken(_without(LEAF, x509.SubjectKeyIdentifier), "4.2.1.2")
    _broken(_with(LEAF, x509.SubjectKeyIdentifier(b"short"), critical=False), "4.2.1.2")
    _broken(_without(LEAF, x509.AuthorityKeyIdentifier), "4.2.1.1")
    other = x509.AuthorityKeyIdentifier(b"\0" * 20, None, None)
    _broken(_with(LEAF, other, critical=False), "4.2.1.1")
    _broken(_with(ROOT, other, critical=False), "4.2.1.1")


def test_a_ca_has_no_path_and_no_other_names() -> None:
    """X509-09: the SPIFFE ID of a CA is that of the trust domain, and its only name."""
    odd = replace(ROOT, spiffe_id=sid("/ca"))
    _broken(_with(odd, _san(_uri("spiffe://example.org/ca")), critical=False), "X509-09")
    named = _san(_uri("spiffe://example.org"), x509.DNSName("ca.test"))
    _broken(_with(ROOT, named, critical=False), "X509-01")


@pytest.mark.parametrize(
    "usage", [("key_cert_sign",), ("key_cert_sign", "crl_sign", "digital_signature"), ("crl_sign",)]
)
def test_a_ca_certifies_and_nothing_else(usage: tuple[str, ...]) -> None:
    """X509-17, X509-18, X509-19: keyCertSign and cRLSign, never digitalSignature."""
    _broken(_with(ROOT, key_usage(*usage), critical=True), "X509-17")


def test_a_ca_has_no_purposes() -> None:
    """X509-25: an extKeyUsage on a CA would constrain everything below."""
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    _broken(_with(ROOT, x509.ExtendedKeyUsage(both), critical=False), "X509-25")


def test_a_weak_key_is_not_certified() -> None:
    """The key is judged once more, wherever it came from."""
    weak = rsa.generate_private_key(65537, 1024).public_key()
    with pytest.raises(Refusal) as caught:
        conform(replace(LEAF, public_key=weak, public_key_info=encode_public_key(weak)))
    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ({"authority_id": ""}, "JWT-07"),
        ({"spiffe_id": sid("")}, "JWT-09"),
        ({"spiffe_id": agent("a")}, "JWT-09"),
        ({"spiffe_id": sid("//")}, "JWT-09"),
        ({"audience": ()}, "JWT-10"),
        ({"audience": ("a", "")}, "JWT-10"),
        ({"issued_at": 0}, "JWT-14"),
        ({"expires_at": TOKEN.issued_at}, "JWT-14"),
        ({"expires_at": TOKEN.authority_not_after + 1}, "JWT-16"),
        ({"jti": ""}, "RFC 7519"),
    ],
)
def test_a_token_that_breaks_a_rule_is_not_signed(change: dict[str, Any], clause: str) -> None:
    """JWT-07, JWT-09, JWT-10, JWT-14, JWT-16: each rule is judged on the draft."""
    make: Callable[..., TokenDraft] = replace
    with pytest.raises(Refusal) as caught:
        conform_token(make(TOKEN, **change))
    assert caught.value.kind is Kind.INTERNAL
    assert clause in caught.value.detail
