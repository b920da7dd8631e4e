"""JWT-SVIDs from their profile to the signature."""

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest

from ca.issuance.conformance import conform_token
from ca.issuance.draft import TokenDraft, draft_token
from ca.issuance.seal import seal_token
from finial.spiffe.bundle import Bundle, JwtAuthority
from finial.spiffe.jwt_svid import verify_jwt
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entries import DOMAIN, sid
from tests.doubles.issuing import KEY_TYPES, PROFILES, jwt_authority, private_key, x509_authority


def _draft(kind: str = "ec-p256", **changes: Any) -> TokenDraft:
    fields: dict[str, Any] = {
        "spiffe_id": sid("/web"),
        "audience": ["spiffe://example.org/db", "b"],
        "jti": "id-1",
        "now": NOW + 0.9,
    }
    profiles = changes.pop("profiles", PROFILES)
    return draft_token(profiles, jwt_authority(kind).slot, **{**fields, **changes})


def _token(kind: str = "ec-p256", **changes: Any) -> str:
    return seal_token(conform_token(_draft(kind, **changes)), jwt_authority(kind))


def _part(token: str, number: int) -> Any:
    part = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_a_token_is_verified_by_its_key(kind: str) -> None:
    """JWT-01, JWT-05, JWT-27: PyJWT and our own verifier accept it for each kind of key."""
    token = _token(kind)
    assert "=" not in token
    assert token.count(".") == 2
    slot = jwt_authority(kind).slot
    bundle = Bundle(DOMAIN, jwt_authorities=(JwtAuthority(slot.authority_id, slot.document),))
    assert verify_jwt(token, "b", {DOMAIN: bundle}, NOW).id == sid("/web")
    claims = jwt.decode(
        token,
        private_key(kind).public_key(),
        algorithms=[jwt_authority(kind).algorithm],
        audience="b",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["sub"] == "spiffe://example.org/web"


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("ec-p256", "ES256"), ("ec-p384", "ES384"), ("ec-p521", "ES512"), ("rsa-2048", "RS256")],
)
def test_the_header_holds_algorithm_key_and_type(kind: str, algorithm: str) -> None:
    """JWT-04, JWT-05, JWT-07, JWT-08: exactly these three."""
    assert _part(_token(kind), 0) == {"alg": algorithm, "kid": "kid-1", "typ": "JWT"}


def test_the_claims_are_spires_and_an_identifier() -> None:
    """JWT-09, JWT-10, JWT-14, JWT-25; BJ-04: sub, aud as a list, exp, iat, and always a jti."""
    assert _part(_token(), 1) == {
        "sub": "spiffe://example.org/web",
        "aud": ["spiffe://example.org/db", "b"],
        "exp": int(NOW) + 300,
        "iat": int(NOW),
        "jti": "id-1",
    }


def test_an_issuer_is_named_when_one_is_configured() -> None:
    """BJ-04: `iss` is written when it is configured."""
    named = replace(PROFILES, jwt_issuer="https://oidc.example.org")
    assert _part(_token(profiles=named), 1)["iss"] == "https://oidc.example.org"


def test_audiences_are_listed_once_without_empty_ones() -> None:
    """JWT-10: empty ones are dropped, and one at least is left."""
    assert _part(_token(audience=["", "a", "b", "a"]), 1)["aud"] == ["a", "b"]
    assert _part(_token(audience=["a"]), 1)["aud"] == ["a"]


@pytest.mark.parametrize(
    "audience", [[], [""], [f"a{n}" for n in range(65)], ["a" * 2049], ["é" * 1025], ["\ud800"]]
)
def test_a_request_without_a_fitting_audience_is_refused(audience: list[str]) -> None:
    """JWT-10: `[]` and `[""]` are refused, and so is what has no bounds."""
    with pytest.raises(Refusal) as caught:
        _draft(audience=audience)
    assert caught.value.kind is Kind.INVALID
    assert caught.value.field == "audience"


def test_any_audience_is_written_as_json() -> None:
    """JWT-10: what an audience looks like is not our matter; how it is written is."""
    odd = ['a"b\\c', "é\n", "\U0001f600"]
    assert _part(_token(audience=odd), 1)["aud"] == odd


def test_a_token_never_outlives_its_key() -> None:
    """JWT-16, BJ-05: the end of the key is the end of the token."""
    end = jwt_authority().slot.not_after
    assert _draft(now=end - 100).expires_at == end
    assert _draft(ttl=60).expires_at == int(NOW) + 60
    with pytest.raises(Refusal) as caught:
        _draft(now=end - 5)
    assert caught.value.kind is Kind.UNAVAILABLE


def test_a_negative_lifetime_is_refused() -> None:
    """BE-07: lifetimes are not negative."""
    with pytest.raises(Refusal) as caught:
        _draft(ttl=-1)
    assert caught.value.kind is Kind.INVALID


def test_a_token_is_sealed_by_the_key_it_was_drafted_for() -> None:
    """Two keys are never mixed up, nor the two uses."""
    draft = conform_token(_draft())
    for wrong, authority in (
        (conform_token(replace(draft, authority_id="kid-2")), jwt_authority()),
        (
            conform_token(replace(draft, authority_id=x509_authority().slot.authority_id)),
            x509_authority(),
        ),
    ):
        with pytest.raises(Refusal) as caught:
            seal_token(wrong, authority)
        assert caught.value.kind is Kind.INTERNAL


def test_a_jwt_key_lives_as_long_as_a_ca() -> None:
    """BJ-01, BJ-02: its ID is the kid, its document the public key."""
    slot = jwt_authority().slot
    assert (slot.not_before, slot.not_after) == (int(NOW) - 10, int(NOW) + 86_400)
    assert slot.authority_id == "kid-1"


@pytest.mark.parametrize(
    ("kind", "quick"), [("ec-p256", True), ("ec-p384", False), ("rsa-2048", False)]
)
def test_p256_alone_signs_faster_than_a_thread_is_told_to(kind: str, quick: bool) -> None:
    """Whoever signs slowly is given a thread, so that nobody else waits."""
    assert jwt_authority(kind).is_quick is quick
