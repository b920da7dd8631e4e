"""Which entries may be stored, and in what form."""

from typing import Any

import pytest

from ca.registry.admission import judge_entry
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.entries import DOMAIN, agent, entry, selectors, sid

PARTNER = TrustDomain("partner.test")


def judged(**changes: Any) -> Entry:
    return judge_entry(entry(**changes), DOMAIN, {DOMAIN, PARTNER})


def refusal(**changes: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        judged(**changes)
    assert caught.value.kind is Kind.INVALID
    assert caught.value.field
    assert caught.value.remedy
    return caught.value


def test_a_good_entry_comes_back_as_it_is() -> None:
    """BE-01 to BE-10: an entry that breaks no rule is stored as it was given."""
    good = entry(
        x509_svid_ttl=60,
        jwt_svid_ttl=2**31 - 1,
        federates_with=(PARTNER,),
        expires_at=1_900_000_000,
        dns_names=("web.example.org", "*.example.org"),
        hint="main",
        attributes=(("team", "payments"),),
        store_svid=True,
    )
    assert judge_entry(good, DOMAIN, {PARTNER}) == good


def test_what_is_stored_is_sorted_and_without_duplicates() -> None:
    """Selectors, federation and attributes are sorted; DNS names keep their order."""
    found = judged(
        selectors=selectors("unix:uid:2", "k8s:ns:a", "unix:uid:2"),
        federates_with=(PARTNER, PARTNER),
        dns_names=("b.test", "a.test", "b.test"),
        attributes=(("team", "payments"), ("role", "db")),
    )
    assert found.selectors == (Selector("k8s", "ns:a"), Selector("unix", "uid:2"))
    assert found.federates_with == (PARTNER,)
    assert found.dns_names == ("b.test", "a.test")
    assert found.attributes == (("role", "db"), ("team", "payments"))


@pytest.mark.parametrize(
    "bad",
    [
        sid("/web", "other.test"),
        sid(""),
        sid("/spire"),
        sid("/spire/server"),
        sid("/spire/agent/x509pop/a"),
    ],
)
def test_a_workload_has_an_id_of_its_own_trust_domain_outside_spire(bad: SpiffeId) -> None:
    """BE-01, X509-05, ID-28, ID-30: no foreign, no root and no reserved ID is registered."""
    assert refusal(spiffe_id=bad).field == "spiffe_id"


@pytest.mark.parametrize(
    "good", [sid("/spirent"), sid("/spire-web"), sid("/a/spire"), sid("/Spire/server")]
)
def test_only_the_segment_spire_is_reserved(good: SpiffeId) -> None:
    """BE-01: an ID that merely begins with the same letters is an ordinary one."""
    assert judged(spiffe_id=good).spiffe_id == good


@pytest.mark.parametrize("good", [agent("a"), sid("/spire/server"), sid("/team/web")])
def test_a_parent_is_an_agent_the_server_or_another_entry(good: SpiffeId) -> None:
    """BE-02: these three kinds of parent exist."""
    assert judged(parent_id=good).parent_id == good


@pytest.mark.parametrize(
    "bad",
    [
        sid("/web", "other.test"),
        sid(""),
        sid("/spire"),
        sid("/spire/agent"),
        sid("/spire/servers"),
        sid("/spire/server/a"),
    ],
)
def test_a_parent_that_can_never_be_is_refused(bad: SpiffeId) -> None:
    """BE-02: a parent is in the trust domain and, under /spire, an agent or the server."""
    assert refusal(parent_id=bad).field == "parent_id"


@pytest.mark.parametrize(
    "bad",
    [
        (),
        (Selector("unix", "path:/a\0"),),
        (Selector("unix", "path:/" + "a" * 8192),),
        tuple(Selector("unix", f"gid:{n}") for n in range(513)),
    ],
)
def test_selectors_are_bounded_plain_text(bad: tuple[Selector, ...]) -> None:
    """BE-03: 1 to 512 selectors without control characters, each of at most 8192 bytes."""
    assert refusal(selectors=bad).field == "selectors"


@pytest.mark.parametrize("bad", [Selector("", "x"), Selector("a:b", "x"), Selector("unix", "")])
def test_a_selector_has_type_and_value(bad: Selector) -> None:
    """BE-03: a type without colon, and a value."""
    with pytest.raises(Refusal) as caught:
        judged(selectors=(bad,))
    assert caught.value.field == "selectors"


def test_a_hint_is_counted_in_bytes() -> None:
    """BE-05: 1024 bytes are allowed, and a letter of two bytes counts twice."""
    assert judged(hint="x" * 1024).hint
    assert refusal(hint="x" * 1023 + "é").field == "hint"
    assert refusal(hint="a\nb").field == "hint"


@pytest.mark.parametrize("bad", ["", "a" * 256, "a b", "a/b", "é", "a\n"])
def test_an_entry_id_has_a_small_alphabet(bad: str) -> None:
    """BE-06: 1 to 255 letters, digits, dots, underscores and hyphens."""
    assert refusal(id=bad).field == "id"


@pytest.mark.parametrize("field", ["x509_svid_ttl", "jwt_svid_ttl", "expires_at"])
@pytest.mark.parametrize("bad", [-1, 2**60])
def test_times_are_within_bounds(field: str, bad: int) -> None:
    """BE-07: no lifetime is negative or larger than the wire can carry."""
    assert refusal(**{field: bad}).field == field


def test_an_entry_federates_with_others_whose_bundle_is_known() -> None:
    """BE-08: a bundle must exist, and the own trust domain is no partner."""
    assert refusal(federates_with=(TrustDomain("unknown.test"),)).value == "unknown.test"
    assert refusal(federates_with=(DOMAIN,)).field == "federates_with"


def test_stored_svids_go_to_one_store_and_are_fetched_ahead() -> None:
    """BE-09: selectors of one type, and no disabled prefetch."""
    mixed = selectors("unix:uid:1", "k8s:ns:a")
    assert refusal(store_svid=True, selectors=mixed).value == "k8s, unix"
    assert refusal(store_svid=True, disable_x509_svid_prefetch=True)
    assert judged(disable_x509_svid_prefetch=True)
    assert judged(selectors=mixed)


@pytest.mark.parametrize(
    "bad",
    [
        tuple((f"n{n:03}", "v") for n in range(65)),
        (("", "v"),),
        (("a", "1"), ("a", "2")),
        (("a", "1\x1b[2J"),),
        (("a\n", "1"),),
        (("a" * 129, "1"),),
        (("a", "v" * 1025),),
        (("a", "\ud800"),),
        tuple((f"n{n:03}", "v" * 1024) for n in range(64)),
    ],
)
def test_attributes_are_few_short_plain_and_told_apart(bad: tuple[tuple[str, str], ...]) -> None:
    """BE-10: at most 64 pairs and 65535 bytes of plain text, no name twice."""
    assert refusal(attributes=bad).field == "attributes"


def test_dns_names_are_few() -> None:
    """BE-04: everything that is given is bounded."""
    assert refusal(dns_names=tuple(f"n{n}.test" for n in range(257))).field == "dns_names"
    assert refusal(dns_names=("a..test",)).field == "dns_names"
