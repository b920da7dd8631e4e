import pytest

from ca.registry.advice import advise
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


def _entry(*selectors: str, x509_svid_ttl: int = 0) -> Entry:
    return Entry(
        id="one",
        spiffe_id=SpiffeId.parse("spiffe://example.org/web"),
        parent_id=SpiffeId.parse("spiffe://example.org/spire/agent/x509pop/a"),
        selectors=tuple(Selector.parse(text) for text in selectors),
        x509_svid_ttl=x509_svid_ttl,
    )


@pytest.mark.parametrize(
    ("selectors", "words"),
    [
        (["unix:path:/usr/bin/web"], "only by the program's file"),
        (["unix:path:/usr/bin/web", "unix:sha256:00"], "only by the program's file"),
        (["unix:uid:0"], "every process of root"),
        (["unix:gid:10"], "every process of the group"),
    ],
)
def test_a_weak_set_of_selectors_is_warned_of(selectors: list[str], words: str) -> None:
    """An entry that more processes match than its author may think is created with a warning."""
    [warning] = advise(_entry(*selectors), ca_ttl=86400)
    assert words in warning


@pytest.mark.parametrize(
    "selectors", [["unix:uid:1000"], ["unix:uid:1000", "unix:path:/a"], ["k8s:ns:web"]]
)
def test_a_good_set_of_selectors_is_not(selectors: list[str]) -> None:
    """An entry told apart by a user, or by another attestor's word, has no warning."""
    assert advise(_entry(*selectors), ca_ttl=86400) == ()


def test_a_lifetime_over_a_sixth_of_the_authoritys_is_warned_of() -> None:
    """SPIRE warns when an SVID's lifetime exceeds a sixth of the CA's (SC-10)."""
    [warning] = advise(_entry("unix:uid:1000", x509_svid_ttl=601), ca_ttl=3600)
    assert "601 s" in warning
    assert advise(_entry("unix:uid:1000", x509_svid_ttl=600), ca_ttl=3600) == ()
