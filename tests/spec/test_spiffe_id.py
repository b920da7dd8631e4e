"""SPIFFE-ID: what is a SPIFFE ID, and what only looks like one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.validity import Validity
from finial.spiffe.well_known import judge_workload_id
from finial.spiffe.x509_svid import X509Svid, verify
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.spec.trust import bundle_of
from tests.spec.vectors import title, vectors

EXAMPLE = TrustDomain.parse("example.org")


@pytest.mark.parametrize("vector", vectors("spiffe_id"), ids=title)
def test_every_vector_gets_its_verdict(vector: dict[str, Any]) -> None:
    """ID-01, ID-02, ID-03, ID-04, ID-05, ID-06, ID-07, ID-08, ID-09, ID-10, ID-12, ID-13, ID-14, ID-15: each input is taken or refused for the reason that stands beside it."""
    if vector["verdict"] == "accepted":
        assert str(SpiffeId.parse(vector["input"])) == vector["input"]
    else:
        with pytest.raises(Refusal) as refused:
            SpiffeId.parse(vector["input"])
        assert refused.value.kind is Kind.INVALID
        assert vector["reason"] in refused.value.detail


def test_the_longest_id_works() -> None:
    """ID-16: a SPIFFE ID of exactly 2048 bytes is read, and is put together from its parts."""
    text = "spiffe://example.org/" + "a" * (2048 - 21)
    found = SpiffeId.parse(text)
    assert len(str(found)) == 2048
    assert SpiffeId.of(EXAMPLE, found.path) == found


def test_the_longest_id_is_issued_and_verified() -> None:
    """ID-16: an X509-SVID with a SPIFFE ID of 2048 bytes is read and verified without truncation."""
    ca = SmallCa()
    path = "/" + "a" * (2048 - 21)
    svid = X509Svid.parse(ca.workload(path).chain)
    assert verify(svid, bundle_of(ca), NOW).path == path


@pytest.mark.parametrize("longer", [1, 2, 100_000])
def test_an_id_longer_than_2048_bytes_is_refused(longer: int) -> None:
    """ID-17: no SPIFFE ID longer than 2048 bytes is read or put together."""
    path = "/" + "a" * (2048 - 21 + longer)
    with pytest.raises(Refusal, match="longer than 2048"):
        SpiffeId.parse("spiffe://example.org" + path)
    with pytest.raises(Refusal, match="longer than 2048"):
        SpiffeId.of(EXAMPLE, path)


def test_a_trust_domain_has_255_bytes_at_most() -> None:
    """ID-18: a trust domain name of 255 bytes is good and one of 256 is not, alone or in an ID."""
    assert TrustDomain.parse("a" * 255).id == SpiffeId.parse("spiffe://" + "a" * 255)
    assert SpiffeId.parse("spiffe://" + "a" * 255 + "/b").path == "/b"
    for read in (TrustDomain.parse, lambda name: SpiffeId.parse(f"spiffe://{name}/b")):
        with pytest.raises(Refusal, match="longer than 255 bytes"):
            read("a" * 256)


@pytest.mark.parametrize("name", ["", "Example.org", "spiffe://example.org", "example.org/", "a\n"])
def test_a_trust_domain_is_a_bare_lower_case_name(name: str) -> None:
    """ID-06, ID-07: a configured trust domain is a name in lower case, not an ID and not empty."""
    with pytest.raises(Refusal) as refused:
        TrustDomain.parse(name)
    assert refused.value.field == "trust_domain"


def test_the_path_compares_by_case() -> None:
    """ID-19: /Web and /web are two identities, and the trust domain is never folded to compare it."""
    assert SpiffeId.parse("spiffe://example.org/Web") != SpiffeId.parse("spiffe://example.org/web")


def test_only_the_own_trust_domain_signs() -> None:
    """ID-20: an SVID of one trust domain signed by the authority of another is refused, although both are known."""
    ours, theirs = SmallCa("a.test"), SmallCa("b.test")
    svid = X509Svid.parse(theirs.leaf(["spiffe://a.test/x"]).chain)
    with pytest.raises(Refusal, match="no valid path"):
        verify(svid, bundle_of(ours, theirs), NOW)


def test_the_id_and_the_key_are_signed() -> None:
    """ID-25: changing one byte of the SPIFFE ID or of the public key breaks the signature."""
    ca = SmallCa()
    signed = ca.workload("/web")
    point = signed.key.public_key().public_numbers().x.to_bytes(32, "big")  # type: ignore[union-attr]
    for part, changed in ((b"/web", b"/wab"), (point, point[:-1] + bytes([point[-1] ^ 1]))):
        forged = signed.der.replace(part, changed)
        assert forged != signed.der
        with pytest.raises(Refusal):
            verify(X509Svid.parse([forged]), bundle_of(ca), NOW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("spiffe://other.test/a", "not in the trust domain"),
        ("spiffe://example.org", "has no path"),
        ("spiffe://example.org/spire", "kept for servers and agents"),
        ("spiffe://example.org/spire/agent/x", "kept for servers and agents"),
    ],
)
def test_a_workload_is_a_member_with_a_path_of_its_own(text: str, reason: str) -> None:
    """ID-28, ID-30: only IDs of the own trust domain, with a path that is not reserved, may be registered."""
    with pytest.raises(Refusal, match=reason):
        judge_workload_id(SpiffeId.parse(text), EXAMPLE)


def test_no_meaning_is_read_into_other_segments() -> None:
    """ID-30: a path that merely resembles a reserved one is the administrator's to use."""
    judge_workload_id(SpiffeId.parse("spiffe://example.org/spires/agent"), EXAMPLE)
    judge_workload_id(SpiffeId.parse("spiffe://example.org/ns/spire"), EXAMPLE)


def test_a_lifetime_ends_with_its_issuer() -> None:
    """ID-29: a lifetime is cut where the issuer's own life ends."""
    assert Validity.starting(NOW, 3600, cap=int(NOW) + 60).not_after == int(NOW) + 60


@given(st.one_of(st.text(), st.text().map("spiffe://".__add__), st.from_regex(r"spiffe://[ -~]*")))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    """ID-15: whatever is given, the outcome is a SPIFFE ID that reads back the same, or a refusal."""
    try:
        found = SpiffeId.parse(text)
    except Refusal:
        return
    assert str(found) == text
    assert SpiffeId.of(TrustDomain.parse(found.trust_domain.name), found.path) == found


def test_a_refusal_shows_what_it_refused_with_escapes() -> None:
    """ID-07: what was refused is repeated in ASCII, without control characters, and cut short."""
    with pytest.raises(Refusal) as refused:
        SpiffeId.parse("spiffe://ex\x1b[2J\u212a.test/" + "a" * 200)
    assert refused.value.value.startswith("spiffe://ex\\x1b[2J\\u212a.test/aaa")
    assert len(refused.value.value) < 100


@pytest.mark.parametrize(
    ("path", "reason"),
    [("a", "begins with a slash"), ("a/", "begins with a slash"), ("/", "slash at its end"),
     ("/a/", "slash at its end"), ("/a?b", "no query")],
)  # fmt: skip
def test_a_path_is_empty_or_begins_with_a_slash(path: str, reason: str) -> None:
    """ID-13, ID-14: what is joined to a trust domain is a path by the same rules as in a whole ID."""
    with pytest.raises(Refusal, match=reason):
        SpiffeId.of(EXAMPLE, path)
    assert SpiffeId.of(EXAMPLE, "") == EXAMPLE.id


def test_what_is_no_id_is_met_with_how_one_is_written() -> None:
    """Whoever types a path, or a name, reads what an ID looks like (ID-01)."""
    with pytest.raises(Refusal) as refused:
        SpiffeId.parse("web")
    assert refused.value.remedy == "write it like spiffe://example.org/web"
