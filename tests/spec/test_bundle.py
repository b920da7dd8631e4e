"""Trust Domain and Bundle: documents that say by which keys a trust domain is recognised."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import (
    MAX_KEYS,
    parse_jwks,
    parse_pem_bundle,
    parse_spiffe_bundle,
    render_jwks,
    render_pem,
    render_spiffe_bundle,
)
from finial.spiffe.bundle_map import parse_bundle_map
from finial.spiffe.json.jwk import decode, encode, spki, write_public_key
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.spec.published import BUNDLE, CA, EXAMPLE, NEW, OTHER


def document(bundle: Bundle = BUNDLE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_spiffe_bundle(bundle))
    return found


def read(content: Any) -> Bundle:
    return parse_spiffe_bundle(EXAMPLE, json.dumps(content).encode())


def x509_key(**changes: Any) -> dict[str, Any]:
    key = {**document()["keys"][0], **changes}
    return {name: value for name, value in key.items() if value is not None}


def jwt_key(**changes: Any) -> dict[str, Any]:
    key = {**document()["keys"][2], **changes}
    return {name: value for name, value in key.items() if value is not None}


def test_a_bundle_comes_back_as_it_was() -> None:
    """TDB-06, TDB-03: what is published as JWK Set is read back whole, for the domain it is kept under."""
    assert read(document()) == BUNDLE
    assert read(document()).trust_domain == EXAMPLE


def test_every_authority_is_one_key_with_its_use() -> None:
    """X509-32, X509-33, JWT-21, JWT-22, TDB-16, TDB-17: each certificate and each JWT key is one JWK with kty and use."""
    keys = document()["keys"]
    assert [key["use"] for key in keys] == ["x509-svid"] * 2 + ["jwt-svid"] * 2
    assert [key["kty"] for key in keys] == ["EC", "EC", "EC", "RSA"]


def test_a_certificate_has_no_key_id_and_one_value() -> None:
    """X509-34, X509-35, X509-36: a certificate's JWK has no kid, one padded base64 value, and the members of the certificate's key."""
    for key, ca in zip(document()["keys"], (CA, NEW), strict=False):
        assert "kid" not in key
        assert key["x5c"] == [base64.b64encode(ca.der).decode()]
        assert write_public_key(ca.root.key.public_key()).items() <= key.items()


def test_a_jwt_key_has_a_key_id_of_its_own() -> None:
    """JWT-23: each JWT key has a kid, and no two have the same."""
    kids = [key["kid"] for key in document()["keys"][2:]]
    assert kids == ["k1", "k2"]


def test_nothing_else_is_published() -> None:
    """TDB-18, TDB-07: JWKs hold what the standards define and no more, and so does the set."""
    x509, _, elliptic, modular = document()["keys"]
    assert set(x509) == {"use", "kty", "crv", "x", "y", "x5c"}
    assert set(elliptic) == {"use", "kid", "kty", "crv", "x", "y"}
    assert set(modular) == {"use", "kid", "kty", "n", "e"}
    assert set(document()) == {"keys", "spiffe_sequence", "spiffe_refresh_hint"}


def test_sequence_and_hint_are_integers() -> None:
    """TDB-08, TDB-11, TDB-12: the sequence is always published, the refresh hint when there is one."""
    assert (document()["spiffe_sequence"], document()["spiffe_refresh_hint"]) == (7, 300)
    assert document(OTHER)["spiffe_sequence"] == 0
    assert "spiffe_refresh_hint" not in document(OTHER)


@pytest.mark.parametrize("sequence", [0, 2**53 + 1, 2**63 - 1, 2**64 - 1])
def test_a_sequence_of_64_bits_survives(sequence: int) -> None:
    """TDB-10: a sequence number of 64 bits is read and written exactly."""
    assert read({"keys": [], "spiffe_sequence": sequence}).sequence == sequence
    assert document(Bundle(EXAMPLE, sequence=sequence))["spiffe_sequence"] == sequence


@pytest.mark.parametrize("wrong", ["300", 300.5, True, None, -1, [], {}, 2**64])
def test_a_hint_of_the_wrong_type_is_passed_over(wrong: Any) -> None:
    """TDB-12, TDB-09: a refresh hint or sequence that is no integer is ignored, the keys are not."""
    found = read({**document(), "spiffe_sequence": wrong, "spiffe_refresh_hint": wrong})
    assert (found.sequence, found.refresh_hint) == (0, 0)
    assert found.x509_authorities == BUNDLE.x509_authorities


def test_only_keys_is_needed() -> None:
    """TDB-07: unknown members are ignored, and a bundle with nothing but keys is good."""
    keys = document()["keys"]
    assert read({"keys": keys}) == read({"keys": keys, "x": {"y": 1}})


@pytest.mark.parametrize("content", [{}, {"keys": None}, {"keys": {}}, {"keys": [1]}, [], "x", 1])
def test_keys_is_an_array_of_objects(content: Any) -> None:
    """TDB-13: a document without an array of keys is an error, never an empty bundle."""
    with pytest.raises(Refusal) as refused:
        read(content)
    assert refused.value.kind is Kind.INVALID


def test_a_bundle_is_bounded() -> None:
    """TDB-13: a document with more keys than any trust domain has is refused."""
    with pytest.raises(Refusal, match="more than"):
        read({"keys": [{}] * (MAX_KEYS + 1)})
    assert read({"keys": [{}] * MAX_KEYS}) == Bundle(EXAMPLE)


def test_an_empty_bundle_is_an_empty_bundle() -> None:
    """TDB-15: a set of no keys, or of none that is usable, is read as a bundle without authorities."""
    assert read({"keys": []}) == Bundle(EXAMPLE)
    assert read({"keys": [{"kty": "XYZ", "use": "x509-svid"}]}) == Bundle(EXAMPLE)


@pytest.mark.parametrize(
    "ignored",
    [
        {"kty": "XYZ", "use": "x509-svid"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "use": "jwt-svid", "kid": "x"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "use": "jwt-svid", "kid": "x"},
        {"use": "x509-svid"},
        {"kty": ["EC"], "use": "jwt-svid"},
        x509_key(use="foo"),
        x509_key(use="X509-SVID"),
        x509_key(use="sig"),
        x509_key(use=None),
        x509_key(use=["x509-svid"]),
        jwt_key(use="wit-svid"),
        jwt_key(kid=None),
        jwt_key(kid=""),
        jwt_key(kid=3),
        x509_key(x5c=None),
        x509_key(x5c=[]),
        x509_key(x5c="text"),
    ],
    ids=lambda key: "-".join(f"{name}={key[name]!s:.12}" for name in ("kty", "use") if name in key),
)
def test_one_unusable_key_spoils_no_other(ignored: dict[str, Any]) -> None:
    """TDB-14, TDB-17, X509-37, JWT-23: a key of unknown type or use, without x5c or without kid, is ignored and the others load."""
    keys = [ignored, *document(OTHER)["keys"]]
    assert read({"keys": keys}) == Bundle(EXAMPLE, OTHER.x509_authorities)


def test_only_the_first_certificate_counts() -> None:
    """X509-38: of several values of x5c the first is used, whatever the others are."""
    values = [base64.b64encode(ca.der).decode() for ca in (CA, NEW)]
    assert read({"keys": [x509_key(x5c=values)]}).x509_authorities == (X509Authority(CA.der),)
    assert read({"keys": [x509_key(x5c=[values[0], 1])]}).x509_der == CA.der


@pytest.mark.parametrize(
    "malformed",
    [
        x509_key(x5c=["!"]),
        x509_key(x5c=["\u00e9"]),
        x509_key(x5c=[1]),
        x509_key(x5c=["MAAA"]),
        x509_key(x5c=[base64.urlsafe_b64encode(b"\xff\xfe" * 3).decode()]),
        x509_key(x5c=[base64.b64encode(NEW.der).decode()]),
        x509_key(x5c=[base64.b64encode(b"\x30" * 70_000).decode()]),
        x509_key(x=None),
        jwt_key(x=None),
        jwt_key(crv=None),
        jwt_key(x="AA"),
        jwt_key(x="=" * 43),
        jwt_key(y=jwt_key()["x"]),
        jwt_key(kty="RSA"),
        jwt_key(kty="RSA", n="AA", e="AQAB"),
        jwt_key(kty="RSA", n="A" * 6000, e="AQAB"),
    ],
    ids=range(16),
)
def test_a_malformed_key_spoils_the_document(malformed: dict[str, Any]) -> None:
    """X509-35, TDB-06: a key of a known kind that cannot be read, or is not its certificate's, makes the document an error."""
    with pytest.raises(Refusal) as refused:
        read({"keys": [*document()["keys"], malformed]})
    assert refused.value.kind is Kind.INVALID


@pytest.mark.parametrize("member", ["x", "y"])
def test_a_coordinate_has_the_length_of_its_curve(member: str) -> None:
    """TDB-16: a coordinate with a zero too many is the same number and still malformed (RFC 7518 section 6.2.1.2)."""
    padded = encode(b"\0" + decode(jwt_key()[member]))
    with pytest.raises(Refusal, match="wrong length"):
        read({"keys": [jwt_key(**{member: padded})]})


def test_an_rsa_key_is_bounded() -> None:
    """TDB-16: an RSA key is read up to 16384 bits and with an exponent of up to 8 bytes."""

    def key(modulus: int, exponent: int) -> dict[str, Any]:
        n, e = (
            encode(each.to_bytes((each.bit_length() + 7) // 8, "big"))
            for each in (modulus, exponent)
        )
        return {"kty": "RSA", "use": "jwt-svid", "kid": "r", "n": n, "e": e}

    assert read({"keys": [key(2**16383 + 1, 65537)]}).jwt_authorities
    assert read({"keys": [key(2**2047 + 1, 2**33 - 1)]}).jwt_authorities
    for modulus, exponent in ((2**16384 + 1, 65537), (2**2047 + 1, 2**64 + 1)):
        with pytest.raises(Refusal, match="too long"):
            read({"keys": [key(modulus, exponent)]})


def test_a_key_id_names_one_key() -> None:
    """JWT-23: the same key may come twice, two different keys under one kid may not."""
    assert read({"keys": [jwt_key(), jwt_key()]}).jwt_authorities == BUNDLE.jwt_authorities[:1]
    with pytest.raises(Refusal, match="same kid"):
        read({"keys": [jwt_key(), {**document()["keys"][3], "kid": "k1"}]})


def test_a_member_that_comes_twice_is_refused() -> None:
    """TDB-21: a name that comes twice in an object is not silently the last one."""
    with pytest.raises(Refusal, match="name twice"):
        parse_spiffe_bundle(EXAMPLE, b'{"keys":[],"keys":[]}')


def test_the_workload_api_carries_jwt_keys_without_use() -> None:
    """WAPI-39, WAPI-40, WAPI-47: the plain JWK Set holds the JWT keys with kid and without use, and nothing else."""
    found = json.loads(render_jwks(BUNDLE))
    assert set(found) == {"keys"}
    assert [set(key) for key in found["keys"]] == [
        {"kid", "kty", "crv", "x", "y"},
        {"kid", "kty", "n", "e"},
    ]
    assert json.loads(render_jwks(OTHER)) == {"keys": []}


def test_a_plain_jwk_set_is_read_back() -> None:
    """WAPI-38, WAPI-40: of a plain JWK Set the keys without use, or with one for signatures, are taken."""
    assert parse_jwks(EXAMPLE, render_jwks(BUNDLE)).jwt_authorities == BUNDLE.jwt_authorities
    keys = [jwt_key(use="sig"), jwt_key(use="enc", kid="k7"), x509_key()]
    found = parse_jwks(EXAMPLE, json.dumps({"keys": keys}).encode())
    assert [authority.key_id for authority in found.jwt_authorities] == ["k1"]


def test_pem_holds_the_certificates_alone() -> None:
    """TDB-06: certificates are read from PEM and written as PEM, each once."""
    pem = render_pem(BUNDLE)
    assert parse_pem_bundle(EXAMPLE, b"# roots\n" + pem + pem).x509_authorities == (
        BUNDLE.x509_authorities
    )
    for wrong in (
        b"",
        b"x",
        pem[:-40],
        b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----",
    ):
        with pytest.raises(Refusal):
            parse_pem_bundle(EXAMPLE, wrong)


def test_a_key_that_no_jwk_holds_is_not_published() -> None:
    """TDB-16: an authority whose key JOSE has no name for is refused, not published in part."""
    edwards: Any = ed25519.Ed25519PrivateKey.generate()
    ca = SmallCa().intermediate(key=edwards)
    odd = ec.generate_private_key(ec.SECP256K1())
    for bundle in (
        Bundle(EXAMPLE, (X509Authority(ca.der),)),
        Bundle(EXAMPLE, (), (JwtAuthority("k", spki(odd.public_key())),)),
        Bundle(EXAMPLE, (), (JwtAuthority("k", spki(edwards.public_key())),)),
        Bundle(EXAMPLE, (), (JwtAuthority("k", b"x"),)),
    ):
        with pytest.raises(Refusal):
            render_spiffe_bundle(bundle)


def test_the_bundle_of_a_rotation_holds_both_roots() -> None:
    """WAPI-23, TDB-01: the concatenated DER holds every authority, and each has its own key."""
    assert BUNDLE.x509_der == CA.der + NEW.der
    first, second = BUNDLE.x509_authorities
    assert first.public_key != second.public_key
    assert first.not_after == int(first.certificate.not_valid_after_utc.timestamp())


def test_the_key_id_of_an_authority_is_made_up_where_it_says_none() -> None:
    """TDB-06: an authority without subjectKeyIdentifier is named by the hash of its key."""
    authority = X509Authority(CA.der)
    assert len(bytes.fromhex(authority.subject_key_id)) == 20
    public = CA.root.key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    assert len(public) == 65


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(["EC", "x509-svid"])
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.sampled_from(["keys", "kty", "use", "x5c", "n", "e", "kid"]), inner),
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_bundle_or_refused(content: Any) -> None:
    """TDB-06: whatever JSON is given, the outcome is a bundle or a refusal."""
    for attempt in (
        lambda: read(content),
        lambda: read({"keys": [content]}),
        lambda: parse_bundle_map(json.dumps({"trust_domains": content}).encode()),
        lambda: parse_jwks(EXAMPLE, json.dumps({"keys": [content]}).encode()),
    ):
        try:
            attempt()
        except Refusal as refusal:
            assert refusal.kind is Kind.INVALID  # noqa: PT017


@given(
    st.sampled_from(sorted(x509_key())),
    st.one_of(st.text(), st.integers(), st.lists(st.text()), st.binary().map(str)),
)
def test_any_member_of_a_key_is_judged(member: str, value: Any) -> None:
    """TDB-06: whatever one member of a key holds, the outcome is a bundle or a refusal."""
    for key in (x509_key(), jwt_key(), {**document()["keys"][3]}):
        try:
            read({"keys": [{**key, member: value}]})
        except Refusal as refusal:
            assert refusal.kind is Kind.INVALID  # noqa: PT017


@given(st.binary())
def test_any_bytes_are_a_bundle_or_refused(noise: bytes) -> None:
    """TDB-06: whatever bytes are given, the outcome is a refusal and no other failure."""
    for parse in (parse_spiffe_bundle, parse_pem_bundle, parse_jwks):
        with pytest.raises(Refusal):
            parse(EXAMPLE, noise)
