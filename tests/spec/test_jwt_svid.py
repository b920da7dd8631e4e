"""JWT-SVID: what a verifier asks of a token, and of the key that signed it."""

import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.bundle import Bundle, JwtAuthority
from finial.spiffe.bundle_document import parse_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json.jwk import encode, spki
from finial.spiffe.jwt_svid import ALGORITHMS, MAX_LEEWAY, MAX_TOKEN_BYTES, JwtSvid, verify_jwt
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.spec.trust import jwt_bundle
from tests.spec.vectors import title, vectors

EXAMPLE = TrustDomain.parse("example.org")
KEY = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
OTHER = ec.generate_private_key(ec.SECP256R1())
BUNDLES = {**jwt_bundle("example.org", k1=KEY), **jwt_bundle("b.test", k2=OTHER)}
HEADER: Mapping[str, Any] = {"alg": "ES256", "kid": "k1"}
CLAIMS: Mapping[str, Any] = {
    "sub": "spiffe://example.org/web",
    "aud": ["service"],
    "exp": int(NOW) + 300,
    "iat": int(NOW),
}


def changed(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def part(content: Any) -> str:
    return encode(json.dumps(content).encode())


def token(
    header: Mapping[str, Any] | None = None,
    claims: Mapping[str, Any] | None = None,
    key: Any = KEY,
    signer: str = "ES256",
) -> str:
    """Sign whatever header and claims come out of the changes, wrong ones too."""
    signed = f"{part(changed(HEADER, header or {}))}.{part(changed(CLAIMS, claims or {}))}"
    signature = jwt.algorithms.get_default_algorithms()[signer].sign(signed.encode(), key)
    return f"{signed}.{encode(signature)}"


def judge(text: str) -> JwtSvid:
    return verify_jwt(text, "service", BUNDLES, NOW)


@pytest.mark.parametrize("vector", vectors("jwt_svid"), ids=title)
def test_every_token_gets_its_verdict(vector: dict[str, Any]) -> None:
    """JWT-04, JWT-05, JWT-06, JWT-07, JWT-08, JWT-09, JWT-10, JWT-11, JWT-12, JWT-14, JWT-15, JWT-16, JWT-17, JWT-18, JWT-24, JWT-25, JWT-27: each token, signed by the right key, is taken or refused for the reason that stands beside it."""
    text = token(vector.get("header"), vector.get("claims"))
    if vector["verdict"] == "accepted":
        assert str(judge(text).id) == "spiffe://example.org/web"
    else:
        with pytest.raises(Refusal) as refused:
            judge(text)
        assert refused.value.kind is Kind.INVALID
        assert vector["reason"] in refused.value.detail


def test_a_judged_token_tells_what_is_in_it() -> None:
    """JWT-09, JWT-10, JWT-14: a token yields its SPIFFE ID, audiences, times, key id and claims."""
    found = judge(token(claims={"aud": "service", "role": "x"}))
    assert found == JwtSvid.parse_unverified(found.token)
    assert (found.audience, found.key_id) == (("service",), "k1")
    assert (found.expires_at, found.issued_at) == (int(NOW) + 300, int(NOW))
    assert found.claims["role"] == "x"
    assert JwtSvid.parse_unverified(token(claims={"iat": None})).issued_at == 0


def test_a_token_does_not_show_itself() -> None:
    """JWT-26: a token is a secret, so the value that holds it does not print it."""
    found = judge(token())
    assert found.token not in repr(found)


NOT_COMPACT = {
    "JSON serialization": json.dumps({"payload": "e30", "signatures": []}),
    "five parts": "a.b.c.d.e",
    "two parts": "a.b",
    "nothing": "",
    "three empty parts": "..",
    "padding": token() + "=",
    "an empty part": token().replace(".", "..", 1),
    "a final newline": token() + "\n",
    "a leading space": " " + token(),
    "a letter beyond ASCII": part(HEADER) + "." + part(CLAIMS) + ".\u212a",
    "a header that is an array": part([]) + "." + part(CLAIMS) + ".AA",
    "claims that are a text": part(HEADER) + "." + part("claims") + ".AA",
    "no signature": part(HEADER) + "." + part(CLAIMS) + ".",
    "an empty header": "e30..",
    "stray bits": part(HEADER) + "." + part(CLAIMS) + ".AB",
    "five letters": part(HEADER) + "." + part(CLAIMS) + ".AAAAA",
}


@pytest.mark.parametrize("what", NOT_COMPACT)
def test_only_the_compact_serialization_is_read(what: str) -> None:
    """JWT-01, JWT-02, JWT-03: JSON serializations, encrypted tokens, padding and white space are refused."""
    with pytest.raises(Refusal) as refused:
        judge(NOT_COMPACT[what])
    assert refused.value.kind is Kind.INVALID


def test_a_token_is_bounded() -> None:
    """JWT-01: a token of more than 64 KiB is refused before it is read, one of exactly that is read."""
    assert judge(token(claims={"x": "a" * 40_000}))
    with pytest.raises(Refusal, match="longer than 65536 bytes"):
        judge("." * (MAX_TOKEN_BYTES + 1))
    with pytest.raises(Refusal, match="compact serialization"):
        judge("." * MAX_TOKEN_BYTES)


def test_a_name_that_comes_twice_is_refused() -> None:
    """JWT-06: a header or claims with one name twice, which two readers may read in two ways, are refused."""
    claims = encode(b'{"sub":1,"sub":1}')
    twice = encode(b'{"alg":"none","alg":"ES256","kid":"k1"}')
    with pytest.raises(Refusal, match="name twice"):
        judge(f"{twice}.{part(CLAIMS)}.AA")
    with pytest.raises(Refusal, match="name twice"):
        judge(f"{part(HEADER)}.{claims}.AA")


def test_the_algorithm_is_judged_before_anything_else() -> None:
    """JWT-06: a token whose alg is not allowed is refused for that, however wrong the rest of it is."""
    with pytest.raises(Refusal, match="alg of the token"):
        judge(f"{part({'alg': 'none', 'typ': 'x', 'crit': 1})}.!.")


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    """JWT-06: HS256 keyed with the public key is refused."""
    public = BUNDLES[EXAMPLE].jwt_authorities[0].public_key
    with pytest.raises(Refusal, match="not allowed"):
        judge(token({"alg": "HS256"}, key=public, signer="HS256"))


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_each_allowed_algorithm_verifies(alg: str) -> None:
    """JWT-05: the nine algorithms of the standard verify, each with a key that fits it."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    key: Any = ec.generate_private_key(curves[alg]) if alg in curves else RSA
    text = token({"alg": alg}, key=key, signer=alg)
    assert verify_jwt(text, "service", jwt_bundle("example.org", k1=key), NOW)


def test_an_elliptic_algorithm_does_not_fit_an_rsa_key() -> None:
    """JWT-05: an alg of the other kind of key is refused."""
    with pytest.raises(Refusal, match="does not fit"):
        verify_jwt(token(), "service", jwt_bundle("example.org", k1=RSA), NOW)


def test_a_short_rsa_key_verifies_nothing() -> None:
    """JWT-05: an RSA key under 2048 bits is refused (RFC 7518 section 3.3)."""
    key = rsa.generate_private_key(65537, 1024)
    text = token({"alg": "RS256"}, key=key, signer="RS256")
    with pytest.raises(Refusal, match="does not fit"):
        verify_jwt(text, "service", jwt_bundle("example.org", k1=key), NOW)


@pytest.mark.parametrize(
    "forged",
    [token(key=OTHER), token()[:-8] + "AAAAAAAA"],
    ids=["another key", "another signature"],
)
def test_a_wrong_signature_is_refused(forged: str) -> None:
    """JWT-09, ID-25: a token of another key, or with another signature, is refused."""
    with pytest.raises(Refusal, match="signature of the token is wrong"):
        judge(forged)


def test_the_claims_are_signed() -> None:
    """ID-25: a token whose subject was changed is refused."""
    head, _, signature = token().split(".")
    payload = part(changed(CLAIMS, {"sub": "spiffe://example.org/admin"}))
    with pytest.raises(Refusal, match="signature of the token is wrong"):
        judge(f"{head}.{payload}.{signature}")


def test_a_verifier_without_audience_fails_closed() -> None:
    """JWT-11: a verifier that was configured with no audience accepts no token."""
    with pytest.raises(Refusal, match="none was given"):
        verify_jwt(token(claims={"aud": [""]}), "", BUNDLES, NOW)


def test_the_leeway_is_at_most_a_minute() -> None:
    """JWT-15: whatever leeway is asked for, it is never more than a minute, and it may be none."""
    late = token(claims={"exp": int(NOW) - MAX_LEEWAY})
    with pytest.raises(Refusal, match="expired"):
        verify_jwt(late, "service", BUNDLES, NOW, leeway=3600)
    with pytest.raises(Refusal, match="expired"):
        verify_jwt(token(claims={"exp": int(NOW)}), "service", BUNDLES, NOW, leeway=0)


def test_the_same_token_validates_twice() -> None:
    """JWT-25: a jti is allowed and nobody tracks it."""
    text = token(claims={"jti": "1"})
    assert judge(text) == judge(text)


def test_a_key_counts_only_for_its_trust_domain_and_use() -> None:
    """JWT-24, JWT-27: a key that another domain's bundle has, or that is listed for another use, verifies nothing."""
    foreign = token({"kid": "k2"}, key=OTHER)
    with pytest.raises(Refusal, match="no JWT key"):
        judge(foreign)
    document = {"keys": [{"kty": "EC", "use": use, "kid": "k1"} for use in ("wit-svid", "x")]}
    bundle = parse_spiffe_bundle(EXAMPLE, json.dumps(document).encode())
    with pytest.raises(Refusal, match="no JWT key"):
        verify_jwt(token(), "service", {EXAMPLE: bundle}, NOW)


def test_a_certificate_key_is_no_jwt_key() -> None:
    """JWT-24: a token signed with a key that the bundle lists as x509-svid is refused."""
    ca = SmallCa(key=KEY)
    document = {"keys": [{"use": "x509-svid", "kid": "k1", "kty": "EC", "x5c": []}]}
    bundle = parse_spiffe_bundle(EXAMPLE, json.dumps(document).encode())
    assert ca.der
    with pytest.raises(Refusal, match="no JWT key"):
        verify_jwt(token(), "service", {EXAMPLE: bundle}, NOW)


def test_an_expired_key_verifies_nothing() -> None:
    """JWT-16: no token outlives the key that signed it, so an expired key verifies nothing."""
    public = spki(KEY.public_key())
    for expires_at, good in ((int(NOW) - 61, False), (int(NOW) - 60, True), (0, True)):
        bundle = Bundle(EXAMPLE, (), (JwtAuthority("k1", public, expires_at),))
        if good:
            assert verify_jwt(token(), "service", {EXAMPLE: bundle}, NOW)
        else:
            with pytest.raises(Refusal, match="key that signed the token has expired"):
                verify_jwt(token(), "service", {EXAMPLE: bundle}, NOW)


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    """JWT-01: whatever is given as a token, the outcome is a value or a refusal that does not repeat it."""
    with pytest.raises(Refusal) as refused:
        judge(text)
    assert refused.value.kind is Kind.INVALID


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "x"]), JSON),
    st.dictionaries(st.sampled_from(["sub", "aud", "exp", "nbf", "iat", "x"]), JSON),
)
def test_any_header_and_claims_are_judged(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """JWT-18: whatever JSON header and claims hold, the outcome is a value or a refusal."""
    try:
        judge(token(header, claims))
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID  # noqa: PT017
