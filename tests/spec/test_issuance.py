"""What the server issues, judged by the inspection that knows nothing of how it was made."""

import json
from dataclasses import replace

import pytest
from cryptography import x509

from ca.issuance.conformance import conform, conform_token
from ca.issuance.draft import CertificateDraft, draft_authority, draft_leaf, draft_token
from ca.issuance.profile import Role
from ca.issuance.seal import seal_authority, seal_certificate, seal_token
from ca.registry.admission.judge_entry import judge_entry
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import parse_spiffe_bundle, render_spiffe_bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.json.jwk import decode
from finial.spiffe.jwt_svid import verify_jwt
from finial.spiffe.lint import lint
from finial.spiffe.refusal import Refusal
from finial.spiffe.well_known import server_id
from finial.spiffe.x509_svid import X509Svid, verify
from tests.doubles.clock import NOW
from tests.doubles.entries import DOMAIN, agent, entry, sid
from tests.doubles.issuing import (
    EMPTY,
    KEY_TYPES,
    PROFILES,
    issuer,
    jwt_authority,
    private_key,
    x509_authority,
)

IDS = {
    Role.WORKLOAD: sid("/web"),
    Role.AGENT: agent("a"),
    Role.SERVER: server_id(DOMAIN),
    Role.MINTED: sid("/minted"),
}
LONGEST = sid("/" + "a" * (2048 - 21))


def authority(kind: str = "ec-p256") -> bytes:
    key = private_key(kind)
    draft = draft_authority(PROFILES, public_key=key.public_key(), serial=7, now=NOW)
    return seal_authority(conform(draft), key)


def drafted(spiffe_id: SpiffeId, role: Role = Role.WORKLOAD, **changes: object) -> CertificateDraft:
    usual = {
        "spiffe_id": spiffe_id,
        "public_key": private_key().public_key(),
        "serial": 9,
        "now": NOW,
    }
    return draft_leaf(PROFILES, role, issuer(), **{**usual, **changes})  # type: ignore[arg-type]


def issued(spiffe_id: SpiffeId, role: Role = Role.WORKLOAD, **changes: object) -> bytes:
    return seal_certificate(conform(drafted(spiffe_id, role, **changes)), x509_authority())


def bundle() -> Bundle:
    token_key = jwt_authority().slot
    return Bundle(
        DOMAIN,
        (X509Authority(x509_authority().slot.document),),
        (JwtAuthority(token_key.authority_id, token_key.document),),
        sequence=1,
        refresh_hint=300,
    )


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_an_authority_of_ours_is_as_the_standard_wants_it(kind: str) -> None:
    """ID-21, ID-22, ID-23, X509-08, X509-09, X509-10, X509-13, X509-16, X509-17, X509-19, X509-25: nothing is found wrong with our CA certificate, whose SPIFFE ID is the trust domain's."""
    found = lint(authority(kind), NOW)
    assert list(found.all_findings()) == []
    assert dict(found.fields)["URI"] == "spiffe://example.org"


def test_an_authority_of_ours_signs_itself() -> None:
    """ID-24: issuer and subject of our root are one, and its own key verifies its signature."""
    root = x509.load_der_x509_certificate(authority())
    assert root.issuer == root.subject
    root.verify_directly_issued_by(root)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("dns_names", [(), ("a.test", "b.test")], ids=["none", "DNS"])
@pytest.mark.parametrize("subject", [None, EMPTY], ids=["usual", "empty"])
def test_a_leaf_of_ours_is_as_the_standard_wants_it(
    role: Role, dns_names: tuple[str, ...], subject: x509.Name | None
) -> None:
    """X509-01, X509-03, X509-05, X509-06, X509-12, X509-13, X509-16, X509-20, X509-22, X509-23, X509-24, ID-28: nothing worse than a note is found in what we issue to anybody, and it verifies."""
    der = issued(IDS[role], role, dns_names=dns_names, subject=subject)
    assert {finding.severity.value for _, finding in lint(der, NOW).all_findings()} <= {"note"}
    assert verify(X509Svid.parse([der]), {DOMAIN: bundle()}, NOW) == IDS[role]


def test_the_longest_id_is_issued_in_every_form() -> None:
    """ID-16: a SPIFFE ID of 2048 bytes is registered, and issued as X509-SVID and as JWT-SVID, whole."""
    assert judge_entry(entry(spiffe_id=LONGEST), DOMAIN, ()).spiffe_id == LONGEST
    assert X509Svid.parse([issued(LONGEST)]).id == LONGEST
    assert verify_jwt(token(spiffe_id=LONGEST), "a", {DOMAIN: bundle()}, NOW).id == LONGEST


def test_a_leaf_ends_with_its_authority() -> None:
    """ID-29: whatever lifetime is asked for, a leaf does not outlive the certificate above it."""
    found = X509Svid.parse([issued(sid("/web"), ttl=10**6)])
    assert found.not_after == X509Authority(x509_authority().slot.document).not_after


def test_nobody_of_another_trust_domain_is_vouched_for() -> None:
    """ID-28: an ID of another trust domain is neither registered nor signed."""
    foreign = sid("/a", "other.test")
    with pytest.raises(Refusal):
        judge_entry(entry(spiffe_id=foreign), DOMAIN, ())
    with pytest.raises(Refusal):
        conform(drafted(foreign))


def test_a_leaf_without_path_is_never_signed() -> None:
    """X509-05, X509-30: an ID without path is neither registered nor signed as a leaf."""
    with pytest.raises(Refusal):
        judge_entry(entry(spiffe_id=DOMAIN.id), DOMAIN, ())
    with pytest.raises(Refusal):
        conform(drafted(DOMAIN.id))


def test_an_authority_with_a_path_is_never_signed() -> None:
    """ID-23, X509-09: a CA certificate whose SPIFFE ID has a path does not get as far as the key."""
    key = private_key().public_key()
    good = draft_authority(PROFILES, public_key=key, serial=7, now=NOW)
    with pytest.raises(Refusal):
        conform(replace(good, spiffe_id=sid("/ca")))


def token(**changes: object) -> str:
    usual = {"spiffe_id": sid("/web"), "audience": ["a"], "jti": "1", "now": NOW}
    draft = draft_token(PROFILES, jwt_authority().slot, **{**usual, **changes})  # type: ignore[arg-type]
    return seal_token(conform_token(draft), jwt_authority())


def test_a_token_of_ours_is_as_the_standard_wants_it() -> None:
    """JWT-01, JWT-04, JWT-05, JWT-07, JWT-08, JWT-09, JWT-10, JWT-14, JWT-16: nothing is found wrong with our tokens, and their kid is in the published bundle."""
    text = token()
    assert list(lint(text.encode(), NOW).all_findings()) == []
    header = json.loads(decode(text.split(".")[0]))
    assert set(header) <= {"alg", "kid", "typ"}
    assert bundle().jwt_authority(header["kid"]) is not None
    assert verify_jwt(text, "a", {DOMAIN: bundle()}, NOW).audience == ("a",)


def test_a_token_lives_for_minutes() -> None:
    """JWT-16, ID-29: a token that nobody asked a lifetime for lives for five minutes."""
    found = verify_jwt(token(), "a", {DOMAIN: bundle()}, NOW)
    assert found.expires_at - found.issued_at == 300


def test_a_bundle_of_ours_is_as_the_standard_wants_it() -> None:
    """X509-32, X509-33, X509-34, X509-35, X509-36, JWT-21, JWT-22, JWT-23, TDB-06, TDB-18: nothing is found wrong with the bundle of our own authorities."""
    document = render_spiffe_bundle(bundle())
    severities = {finding.severity.value for _, finding in lint(document, NOW).all_findings()}
    assert severities <= {"note"}
    assert parse_spiffe_bundle(DOMAIN, document) == bundle()


@pytest.mark.parametrize(
    ("hint", "good"), [("a" * 1024, True), ("\u00e9" * 513, False)], ids=["1024", "1026"]
)
def test_a_hint_has_1024_bytes_at_most(hint: str, good: bool) -> None:
    """WAPI-54: a hint of 1024 bytes is registered, one of more bytes is not, however few its characters."""
    if good:
        assert judge_entry(entry(hint=hint), DOMAIN, ()).hint == hint
    else:
        with pytest.raises(Refusal):
            judge_entry(entry(hint=hint), DOMAIN, ())
