"""JWT-SVIDs that come with requests."""

from dataclasses import replace
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.access.tokens import Tokens, claims_to_be_svid
from finial.spiffe.bundle import Bundle, JwtAuthority
from finial.spiffe.refusal import Refusal
from tests.doubles.entitlements import TRUST_DOMAIN
from tests.unit.agent_access.desk import NOW, ORDERS, PAYMENT, Caller, Callers, Means, asked, callee

KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
BUNDLE = Bundle(TRUST_DOMAIN, jwt_authorities=(JwtAuthority("k", SPKI),))
BUNDLES = {TRUST_DOMAIN: BUNDLE}
AUDIENCE = str(PAYMENT)


def token(**changes: Any) -> str:
    claims = {"sub": str(ORDERS), "aud": [AUDIENCE], "exp": int(NOW) + 300, **changes}
    return pyjwt.encode(claims, KEY, "ES256", {"kid": "k"})


def test_a_good_token_is_verified_once() -> None:
    """As long as the bundle is the very same, and for the same callee."""
    tokens, good = Tokens(), token()
    first = tokens.verify(good, AUDIENCE, BUNDLES, NOW)
    assert tokens.verify(good, AUDIENCE, BUNDLES, NOW) is first
    again = tokens.verify(good, AUDIENCE, {TRUST_DOMAIN: replace(BUNDLE, sequence=2)}, NOW)
    assert again == first
    assert again is not first
    with pytest.raises(Refusal, match="another audience"):
        tokens.verify(good, "spiffe://example.org/other", BUNDLES, NOW)


def test_a_remembered_token_expires() -> None:
    """As one that is seen for the first time does."""
    tokens, good = Tokens(), token()
    assert tokens.verify(good, AUDIENCE, BUNDLES, NOW)
    for _ in range(2):
        with pytest.raises(Refusal, match="expired"):
            tokens.verify(good, AUDIENCE, BUNDLES, NOW + 361)


def test_a_key_that_left_takes_its_tokens_along() -> None:
    """A bundle without the key verifies nothing, however good it was before."""
    tokens, good = Tokens(), token()
    assert tokens.verify(good, AUDIENCE, BUNDLES, NOW)
    with pytest.raises(Refusal):
        tokens.verify(good, AUDIENCE, {TRUST_DOMAIN: Bundle(TRUST_DOMAIN)}, NOW)


def test_the_memory_is_bounded() -> None:
    """The one not used for longest goes."""
    tokens = Tokens(most=1)
    first, second = token(), token(jti="2")
    known = tokens.verify(first, AUDIENCE, BUNDLES, NOW)
    tokens.verify(second, AUDIENCE, BUNDLES, NOW)
    assert tokens.verify(first, AUDIENCE, BUNDLES, NOW) is not known


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("opaque", False),
        ("a.b.c", False),
        ("a.W10.c", False),
        ("." * 3, False),
        (70_000 * "a" + ".a.b", False),
        (token(sub="alice"), False),
        (token(sub=" SPIFFE://x"), True),
        (token(), True),
    ],
)
def test_a_token_claims_to_be_an_svid_by_its_subject(text: str, claims: bool) -> None:
    """Another token is passed on; one that only looks alike is judged, and refused."""
    assert claims_to_be_svid(text) is claims


def test_the_caller_is_known_by_its_token() -> None:
    """With its `jti`, by which it may be blocked; a bad one is a fault that says why."""
    whom = replace(callee(), bundles=BUNDLES)
    callers = Callers()
    good = asked(authorization=f"Bearer {token(jti='j')}")
    assert callers.find(good, whom, NOW) == Caller(ORDERS, Means.JWT, jti="j")
    odd = asked(authorization=f"Bearer {token(jti=7)}")
    assert callers.find(odd, whom, NOW) == Caller(ORDERS, Means.JWT)
    bad = callers.find(asked(authorization=f"Bearer {token(aud='x')}"), whom, NOW)
    assert (bad.id, bad.detail) == (None, "the token is for another audience")
