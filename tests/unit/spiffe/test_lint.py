"""The offline inspection of certificates, bundles, JWK Sets and tokens."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import render_jwks, render_pem, render_spiffe_bundle
from finial.spiffe.bundle_map import render_bundle_map
from finial.spiffe.identity import TrustDomain
from finial.spiffe.jwk import encode, spki
from finial.spiffe.lint import DocumentKind, Inspection, Severity, lint
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa, key_usage, name
from tests.doubles.clock import NOW
from tests.spec.forge import forge_leaf

CA = SmallCa()
KEY = ec.generate_private_key(ec.SECP256R1())
GOOD: dict[str, Any] = {}
EXAMPLE = TrustDomain.parse("example.org")
BUNDLE = Bundle(
    EXAMPLE,
    (X509Authority(CA.der),),
    (JwtAuthority("k1", spki(KEY.public_key())),),
    sequence=3,
    refresh_hint=300,
)
CLAIMS = {"sub": "spiffe://example.org/web", "aud": ["a"], "exp": int(NOW) + 300, "iat": int(NOW)}


def ids(found: Inspection, severity: Severity | None = None) -> set[str]:
    """The checklist rows that the findings cite."""
    return {
        finding.clause.rsplit("(", 1)[1].rstrip(")")
        for _, finding in found.all_findings()
        if severity in (None, finding.severity)
    }


def leaf(**vector: Any) -> bytes:
    return forge_leaf(CA, vector).der


def authority(*extensions: tuple[x509.ExtensionType, bool], **changes: Any) -> bytes:
    constraints = (x509.BasicConstraints(ca=True, path_length=None), True)
    return CA.sign(extensions=[constraints, *extensions], subject=name("ca"), **changes).der


def san(*uris: str, critical: bool = False) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris]), critical


def token(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    parts = [encode(json.dumps(each).encode()) for each in (header, claims)]
    return f"{parts[0]}.{parts[1]}.c2lnbmF0dXJl".encode()


def test_a_good_leaf_has_no_findings() -> None:
    """X509-01, X509-05: a leaf as the standard wants it is described, and nothing is found wrong with it."""
    signed = forge_leaf(CA, GOOD, serial=255)
    for document in (signed.der, signed.chain_pem, b"\n\n" + signed.chain_pem):
        found = lint(document, NOW)
        assert found.kind is DocumentKind.LEAF
        assert found.findings == ()
        assert found.flawless
        fields = dict(found.fields)
        assert fields["URI"] == "spiffe://example.org/web"
        assert fields["serial number"] == "ff"
        assert fields["not after"] == "2027-01-15T09:00:00Z"
        assert fields["public key"] == "EC secp256r1"
        assert fields["key usage"] == "digital_signature"


@pytest.mark.parametrize(
    ("vector", "row"),
    [
        ({"uris": []}, "X509-01"),
        ({"uris": ["spiffe://a.test/b", "spiffe://a.test/c"]}, "X509-01"),
        ({"uris": ["https://a.test/b"]}, "X509-29"),
        ({"uris": ["spiffe://a.test"]}, "X509-30"),
        ({"uris": ["spiffe://a.test/"]}, "X509-31"),
        ({"ca": None}, "X509-13"),
        ({"usage": None}, "X509-16"),
        ({"critical": False}, "X509-16"),
        ({"usage": ["key_agreement"]}, "X509-20"),
        ({"usage": ["digital_signature", "crl_sign"]}, "X509-22"),
        ({"usage": ["digital_signature", "key_cert_sign"]}, "X509-22"),
        ({"purposes": ["client"]}, "X509-24"),
    ],
)
def test_a_broken_rule_of_a_leaf_is_an_error(vector: dict[str, Any], row: str) -> None:
    """X509-01, X509-13, X509-16, X509-20, X509-22, X509-24, X509-29, X509-30, X509-31: each is found and named."""
    found = lint(leaf(**vector))
    assert row in ids(found, Severity.ERROR)
    assert not found.flawless


def test_what_is_merely_unwise_in_a_leaf_is_no_error() -> None:
    """X509-21, X509-23, X509-06: further key usages, no extKeyUsage and a needlessly critical SAN are told, not condemned."""
    more = lint(leaf(usage=["digital_signature", "key_encipherment"]))
    assert ids(more) == {"X509-21"}
    none = lint(leaf(purposes=None))
    assert ids(none, Severity.WARNING) == {"X509-23"}
    extensions = [
        san("spiffe://example.org/web", critical=True),
        (x509.BasicConstraints(False, None), True),
        (key_usage("digital_signature"), True),
    ]
    assert "X509-06" in ids(lint(CA.sign(extensions=extensions).der), Severity.NOTE)
    assert lint(leaf(subject="empty")).flawless


def test_an_empty_subject_needs_a_critical_name() -> None:
    """X509-06: with an empty subject and a SAN that is not critical a leaf is in error."""
    signed = CA.sign(extensions=[san("spiffe://example.org/web")], subject=x509.Name([]))
    assert "X509-06" in ids(lint(signed.der), Severity.ERROR)


def test_time_is_judged_only_when_it_is_given() -> None:
    """X509-26: a certificate out of its time is an error when the time is known."""
    document = leaf()
    assert lint(document).flawless
    assert ids(lint(document, NOW + 4000)) == {"X509-26"}
    assert ids(lint(document, NOW - 4000)) == {"X509-26"}


def test_other_names_are_shown_without_control_characters() -> None:
    """X509-03: what a stranger wrote into a certificate cannot steer the terminal it is shown on."""
    signed = forge_leaf(CA, {"dns": ["a.test", "b.test"]}, subject=name("\x1b[2Jevil"))
    fields = dict(lint(signed.der).fields)
    assert fields["DNS names"] == "a.test, b.test"
    assert "\\x1b[2Jevil" in fields["subject"]


def test_a_good_authority_has_no_findings() -> None:
    """X509-07, X509-10: a root as the standard wants it has no findings."""
    found = lint(CA.der, NOW)
    assert (found.kind, found.findings) == (DocumentKind.AUTHORITY, ())


@pytest.mark.parametrize(
    ("extensions", "row", "severity"),
    [
        ([(key_usage("key_cert_sign"), True)], "X509-08", Severity.WARNING),
        ([san("spiffe://example.org/ca")], "X509-09", Severity.ERROR),
        ([san("spiffe://a.test", "spiffe://b.test")], "X509-01", Severity.ERROR),
        ([san("spiffe://Example.org")], "X509-31", Severity.ERROR),
        ([san("spiffe://example.org/")], "ID-14", Severity.WARNING),
        ([san("https://example.org/")], "X509-16", Severity.ERROR),
        ([(key_usage("crl_sign"), True)], "X509-17", Severity.ERROR),
        ([(key_usage("key_cert_sign", "digital_signature"), True)], "X509-19", Severity.WARNING),
        (
            [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
            "X509-25",
            Severity.NOTE,
        ),
        ([(x509.NameConstraints([x509.DNSName("a")], None), True)], "X509-15", Severity.NOTE),
    ],
    ids=str,
)
def test_a_broken_rule_of_an_authority_is_found(
    extensions: Any, row: str, severity: Severity
) -> None:
    """X509-08, X509-09, X509-15, X509-16, X509-17, X509-18, X509-19, X509-25: each is found, as bad as it is."""
    assert row in ids(lint(authority(*extensions)), severity)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_form_is_judged_too() -> None:
    """X509-26: a serial number of zero, a short RSA key and an empty issuer are found."""
    zero = forge_leaf(CA, GOOD, serial=1).der.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    assert ids(lint(zero), Severity.ERROR) == {"X509-26"}
    weak = rsa.generate_private_key(65537, 1024)
    assert ids(lint(forge_leaf(CA, GOOD, key=weak).der), Severity.WARNING) == {"X509-26"}
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([]),
        subject_name=x509.Name([]),
        public_key=KEY.public_key(),
        serial_number=1,
        not_valid_before=CA.certificate.not_valid_before_utc,
        not_valid_after=CA.certificate.not_valid_after_utc,
    )
    signed = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert "X509-26" in ids(lint(signed), Severity.ERROR)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA 2048 bits"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
    ],
    ids=["RSA", "Ed25519"],
)
def test_other_keys_are_named(key: Any, words: str) -> None:
    """X509-20: the type and size of a public key are told."""
    assert dict(lint(forge_leaf(CA, GOOD, key=key).der).fields)["public key"] == words


def test_a_chain_is_judged_link_by_link() -> None:
    """WAPI-21, X509-26: a chain has its leaf first, and each certificate is signed by the next."""
    signed = forge_leaf(CA.intermediate(), GOOD)
    chain = b"".join(signed.chain)
    good = lint(chain)
    assert (good.kind, good.findings, len(good.parts)) == (DocumentKind.CHAIN, (), 2)
    assert [part.name for part in good.parts] == ["certificate 1", "certificate 2"]
    assert ids(lint(chain + CA.der), Severity.NOTE) == {"WAPI-21"}
    assert ids(lint(signed.der + SmallCa().der), Severity.ERROR) == {"X509-26"}
    assert ids(lint(CA.der + signed.der), Severity.ERROR) == {"WAPI-21", "X509-13", "X509-26"}


def test_findings_name_their_part() -> None:
    """WAPI-21: a finding inside a chain is told together with the certificate it is about."""
    found = lint(leaf(usage=None) + CA.der)
    assert ("certificate 1", "X509-SVID section 4.3 (X509-16)") in [
        (part, finding.clause) for part, finding in found.all_findings()
    ]


def test_several_roots_are_no_chain() -> None:
    """X509-39: roots in one PEM file need not have signed one another."""
    found = lint(render_pem(BUNDLE) + SmallCa().pem)
    assert (found.kind, list(found.all_findings())) == (DocumentKind.CHAIN, [])


def test_a_private_key_beside_a_certificate_is_not_shown() -> None:
    """X509-26: of a PEM file with a key in it the certificates alone are described."""
    signed = forge_leaf(CA, GOOD)
    found = lint(signed.key_pem + signed.chain_pem)
    assert found.kind is DocumentKind.LEAF
    assert "PRIVATE" not in repr(found)
    with pytest.raises(Refusal, match="no readable certificate"):
        lint(signed.key_pem)


def test_a_good_bundle_has_no_findings() -> None:
    """TDB-06: a bundle as we publish it is described down to its certificates, and nothing is found."""
    found = lint(render_spiffe_bundle(BUNDLE), NOW)
    assert found.kind is DocumentKind.SPIFFE_BUNDLE
    assert list(found.all_findings()) == []
    assert dict(found.fields) == {"sequence": "3", "refresh hint": "300", "keys": "2"}
    assert found.parts[0].parts[0].kind is DocumentKind.AUTHORITY
    assert dict(found.parts[1].fields)["public key"] == "EC secp256r1"


def changed(position: int, **members: Any) -> bytes:
    document = json.loads(render_spiffe_bundle(BUNDLE))
    key = {**document["keys"][position], **members}
    document["keys"][position] = {name: each for name, each in key.items() if each is not None}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "row", "severity"),
    [
        (changed(0, use=None), "TDB-17", Severity.ERROR),
        (changed(0, use="foo"), "TDB-14", Severity.WARNING),
        (changed(0, kty=None), "TDB-16", Severity.ERROR),
        (changed(0, kid="x"), "X509-34", Severity.ERROR),
        (changed(0, x5c=None), "X509-35", Severity.ERROR),
        (changed(0, x5c=["MAAA", "MAAA"]), "X509-35", Severity.ERROR),
        (changed(0, x5c=["MAAA"]), "TDB-06", Severity.ERROR),
        (changed(0, alg="ES256"), "TDB-18", Severity.WARNING),
        (changed(1, kid=None), "JWT-23", Severity.ERROR),
        (changed(1, d="AAAA"), "TDB-18", Severity.ERROR),
    ],
    ids=range(10),
)
def test_a_broken_rule_of_a_key_is_found(document: bytes, row: str, severity: Severity) -> None:
    """TDB-14, TDB-16, TDB-17, TDB-18, X509-34, X509-35, JWT-23: each is found, as bad as it is."""
    assert row in ids(lint(document), severity)


def test_a_private_key_in_a_bundle_is_not_repeated() -> None:
    """TDB-18: a private key that was published by mistake is reported without being shown."""
    assert "TOPSECRET" not in repr(lint(changed(1, d="TOPSECRET")))


def test_a_root_of_a_bundle_should_be_self_signed() -> None:
    """X509-36: an intermediate published in place of its root is a warning."""
    bundle = Bundle(EXAMPLE, (X509Authority(CA.intermediate().der),), sequence=1, refresh_hint=9)
    assert ids(lint(render_spiffe_bundle(bundle))) == {"X509-36"}


def test_one_key_for_two_uses_is_told() -> None:
    """TDB-01: a key that signs both certificates and tokens is noted."""
    jwt_key = JwtAuthority("k", spki(CA.root.key.public_key()))
    bundle = Bundle(EXAMPLE, BUNDLE.x509_authorities, (jwt_key,), sequence=1, refresh_hint=9)
    assert ids(lint(render_spiffe_bundle(bundle))) == {"TDB-01"}


def test_a_key_id_that_comes_twice_is_an_error() -> None:
    """JWT-23: two keys under one kid are found."""
    document = json.loads(render_spiffe_bundle(BUNDLE))
    document["keys"].append(document["keys"][1])
    assert "JWT-23" in ids(lint(json.dumps(document).encode()), Severity.ERROR)


def test_members_of_a_bundle_are_judged() -> None:
    """TDB-08, TDB-09, TDB-11, TDB-12, TDB-15: absent or mistyped members and an empty bundle are found."""
    bare = lint(b'{"keys":[],"spiffe_sequence":1}')
    assert ids(bare, Severity.WARNING) == {"TDB-11", "TDB-15"}
    wrong = lint(b'{"keys":[],"spiffe_sequence":"1","spiffe_refresh_hint":true}')
    assert ids(wrong, Severity.ERROR) == {"TDB-09", "TDB-12"}
    assert "TDB-08" in ids(lint(b'{"keys":[],"spiffe_refresh_hint":1}'))
    with pytest.raises(Refusal, match="not an array"):
        lint(b'{"keys":{}}')


def test_a_bundle_map_is_judged_bundle_by_bundle() -> None:
    """TDB-19, TDB-22: each bundle of a map is inspected, and keys that are no names are found."""
    good = lint(render_bundle_map([BUNDLE]))
    assert good.kind is DocumentKind.BUNDLE_MAP
    assert ids(good) == {"TDB-11"}
    assert [name for name, _ in good.all_findings()] == ["example.org"]
    keys = json.loads(render_spiffe_bundle(BUNDLE))
    named = {"a.test": keys, "spiffe://b.test": keys, "c.test": [], "d.test": {"keys": [{}]}}
    found = lint(json.dumps({"trust_domains": named}).encode())
    assert {"TDB-19", "TDB-22"} <= ids(found)
    assert "d.test: key 1" in [name for name, _ in found.all_findings()]
    assert ids(lint(b'{"trust_domains":[]}')) == {"TDB-19"}


def test_a_plain_jwk_set_is_told_apart() -> None:
    """WAPI-47: a JWK Set in which nothing is SPIFFE's is described as such, by its keys."""
    found = lint(render_jwks(BUNDLE))
    assert (found.kind, list(found.all_findings())) == (DocumentKind.JWKS, [])
    assert dict(found.parts[0].fields)["kid"] == "k1"
    bad = lint(b'{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"EC","kid":"x"}]}')
    assert ids(bad) == {"TDB-14", "TDB-18", "TDB-06"}
    assert "c2VjcmV0" not in repr(bad)


def test_a_good_token_has_no_findings() -> None:
    """JWT-01, JWT-05: a token as the standard wants it is described without its signature."""
    text = jwt.encode(CLAIMS | {"jti": "7", "x": 1}, KEY, "ES256", {"kid": "k1"})
    found = lint(text.encode() + b"\n", NOW)
    assert (found.kind, found.findings) == (DocumentKind.TOKEN, ())
    fields = dict(found.fields)
    assert (fields["alg"], fields["sub"], fields["aud"]) == ("ES256", CLAIMS["sub"], "a")
    assert (fields["exp"], fields["other claims"]) == ("2027-01-15T08:05:00Z", "x")
    assert text.rsplit(".", 1)[1] not in repr(found)


@pytest.mark.parametrize(
    ("header", "claims", "row", "severity"),
    [
        ({"alg": "none"}, {}, "JWT-05", Severity.ERROR),
        ({"alg": ["ES256"]}, {}, "JWT-05", Severity.ERROR),
        ({"kid": ""}, {}, "JWT-07", Severity.WARNING),
        ({"typ": "at+jwt"}, {}, "JWT-08", Severity.ERROR),
        ({"jku": "x"}, {}, "JWT-04", Severity.ERROR),
        ({}, {"sub": 1}, "JWT-09", Severity.ERROR),
        ({}, {"sub": "web"}, "JWT-09", Severity.ERROR),
        ({}, {"aud": []}, "JWT-10", Severity.ERROR),
        ({}, {"aud": None}, "JWT-10", Severity.ERROR),
        ({}, {"aud": ["a", "b"]}, "JWT-12", Severity.NOTE),
        ({}, {"exp": "1"}, "JWT-14", Severity.ERROR),
        ({}, {"exp": True}, "JWT-14", Severity.ERROR),
        ({}, {"exp": int(NOW) + 7200}, "JWT-16", Severity.NOTE),
        ({}, {"exp": 10**30}, "JWT-16", Severity.NOTE),
        ({}, {"exp": int(NOW)}, "JWT-15", Severity.ERROR),
        ({}, {"nbf": int(NOW) + 1}, "JWT-18", Severity.ERROR),
        ({}, {"nbf": "1"}, "JWT-18", Severity.ERROR),
    ],
)
def test_a_broken_rule_of_a_token_is_found(
    header: dict[str, Any], claims: dict[str, Any], row: str, severity: Severity
) -> None:
    """JWT-04, JWT-05, JWT-07, JWT-08, JWT-09, JWT-10, JWT-12, JWT-14, JWT-15, JWT-16, JWT-18: each is found, as bad as it is."""
    document = token({"alg": "ES256", "kid": "k1", **header}, {**CLAIMS, **claims})
    assert ids(lint(document, NOW), severity) == {row}


def test_a_token_may_say_less() -> None:
    """JWT-17, JWT-18: claims that need not be there are not missed, and without a time none is judged."""
    claims = {name: value for name, value in CLAIMS.items() if name != "iat"}
    assert lint(token({"alg": "ES256", "kid": "k1"}, claims)).findings == ()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "no document that can be inspected"),
        (b"{}", "no document that can be inspected"),
        (b"{", "not JSON"),
        (b"4f5a-token", "no document that can be inspected"),
        (b"0a1b2c3d", "cut short"),
        (b"a.b", "three parts"),
        (b"a.b.c.d.e", "encrypted"),
        (b"!.e30.x", "no document that can be inspected"),
        (b"a.e30.x", "cannot be decoded"),
        (b"e30.W10.x", "not an object"),
        (b'{"payload":"e30","signatures":[]}', "JSON serialization"),
        (b'{"payload":"e30","signature":"x"}', "JSON serialization"),
        (b"\x30\x00", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----", "no readable certificate"),
        (b" " * 9_000_000, "longer than"),
    ],
    ids=range(15),
)
def test_what_is_no_spiffe_document_is_refused(document: bytes, reason: str) -> None:
    """SPF-01, ID-26, JWT-02, JWT-03: other documents are no SVIDs and are refused, and no word of them is repeated: they may be secrets."""
    with pytest.raises(Refusal, match=reason) as refused:
        lint(document)
    assert refused.value.kind is Kind.INVALID
    secret = document.decode("latin-1").strip()
    assert len(secret) < 5 or secret not in f"{refused.value}{refused.value.value}"


@given(st.binary())
def test_any_bytes_are_inspected_or_refused(noise: bytes) -> None:
    """X509-26: whatever bytes are inspected, the outcome is an inspection or a refusal."""
    for document in (noise, b"\x30" + noise, b"{" + noise, base64.urlsafe_b64encode(noise)):
        try:
            lint(document, NOW)
        except Refusal as refusal:
            assert refusal.kind is Kind.INVALID  # noqa: PT017


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.just("jwt-svid")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["keys", "use", "kty", "kid", "x5c", "a.test"]), inner),
    ),
    max_leaves=10,
)


@given(st.sampled_from(["keys", "trust_domains"]), JSON)
def test_any_json_is_inspected_or_refused(member: str, content: Any) -> None:
    """TDB-06: whatever JSON is inspected, the outcome is an inspection or a refusal."""
    try:
        lint(json.dumps({member: content}).encode(), NOW)
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID  # noqa: PT017


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ"]), JSON),
    st.dictionaries(st.sampled_from(["sub", "aud", "exp", "iat", "nbf"]), JSON),
)
def test_any_token_is_inspected(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """JWT-18: whatever header and claims hold, a token of three parts is inspected."""
    assert lint(token(header, claims), NOW).kind is DocumentKind.TOKEN
