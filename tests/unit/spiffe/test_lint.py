"""The offline inspection of bundles, JWK Sets and tokens, and of what is none of them."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import render_jwks, render_spiffe_bundle
from finial.spiffe.bundle_map import render_bundle_map
from finial.spiffe.json.jwk import encode, spki
from finial.spiffe.lint import DocumentKind, Severity, lint
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.unit.spiffe.inspected import BUNDLE, CA, EXAMPLE, KEY, ids

CLAIMS = {"sub": "spiffe://example.org/web", "aud": ["a"], "exp": int(NOW) + 300, "iat": int(NOW)}


def token(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    parts = [encode(json.dumps(each).encode()) for each in (header, claims)]
    return f"{parts[0]}.{parts[1]}.c2lnbmF0dXJl".encode()


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
