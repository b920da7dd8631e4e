"""Each topic's last document across a restart."""

from pathlib import Path

import pytest

from agent.cache.entitlement import Entitlements
from agent.storage.documents import (
    parse_bundles,
    parse_entries,
    render_bundles,
    render_entries,
)
from agent.storage.topics import Document, TopicFiles
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement


def test_a_document_is_read_again(tmp_path: Path) -> None:
    """The last document of a topic is there after a restart, for its owner alone."""
    TopicFiles(tmp_path).store("entries", Document(7, "[]"))
    assert TopicFiles(tmp_path).load("entries") == Document(7, "[]")
    assert (tmp_path / "topic-entries.json").stat().st_mode & 0o777 == 0o600


def test_a_topic_never_heard_of_has_no_document(tmp_path: Path) -> None:
    """Without a file there is no document."""
    assert TopicFiles(tmp_path).load("bundle") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"version": "x", "content": ""}'])
def test_a_damaged_document_counts_as_never_received(tmp_path: Path, content: bytes) -> None:
    """A damaged file is passed over, because the server says it all again."""
    path = tmp_path / "topic-entries.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert TopicFiles(tmp_path).load("entries") is None


def test_a_topic_cannot_name_another_file(tmp_path: Path) -> None:
    """Topics are open words of the server's, and never paths."""
    with pytest.raises(ValueError, match="short word"):
        TopicFiles(tmp_path).store("../x", Document(1, ""))


def test_entries_survive_as_they_were() -> None:
    """Every member of an entry is the same after it was stored and read."""
    known = Entitlements(
        [
            entitlement("b", federates=["friend.test"], hint="h", created_at=5, revision_number=2),
            entitlement("a", "unix:uid:1", "docker:label:a:b", store_svid=True, admin=True),
        ]
    )
    assert parse_entries(render_entries(known)) == known


def test_bundles_survive_as_they_were() -> None:
    """Every member of a bundle, the taint also, is the same after it was stored and read."""
    own = Bundle(
        TRUST_DOMAIN,
        (X509Authority(SmallCa().der, tainted=True),),
        (JwtAuthority("k", b"spki", 9, tainted=True),),
        sequence=4,
        refresh_hint=60,
    )
    other = Bundle(TrustDomain("friend.test"))
    assert parse_bundles(render_bundles([other, own])) == [own, other]


@pytest.mark.parametrize("document", ["", "{}", '[{"id": 1}]', "[[]]"])
def test_a_damaged_list_is_refused(document: str) -> None:
    """What is no list of entries or bundles is refused and never half taken."""
    with pytest.raises(Refusal):
        parse_entries(document)
    with pytest.raises(Refusal):
        parse_bundles(document)


def test_a_bundle_that_holds_no_certificate_is_refused() -> None:
    """A stored authority that is no certificate is refused at once, not at its first use."""
    with pytest.raises(Refusal):
        parse_bundles(render_bundles([Bundle(TRUST_DOMAIN, (X509Authority(b"no"),))]))
