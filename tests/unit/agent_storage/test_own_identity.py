"""The agent's own SVID across a restart."""

from pathlib import Path

import pytest

from agent.membership.standing import OwnSvid
from agent.storage.own_identity import OwnIdentityFile, StoredIdentity
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid
from tests.doubles.ca import SmallCa


def identity() -> StoredIdentity:
    svid = X509Svid.parse(SmallCa().workload("/spire/agent/x509pop/abc").chain)
    own = OwnSvid(svid.id, svid.chain, "agent-svid-a", svid.serial, svid.not_after, 12.5, True)
    return StoredIdentity(TrustDomain("example.org"), ("ca.example.org:8081",), own)


def test_what_was_stored_is_read_again(tmp_path: Path) -> None:
    """An agent that starts again is the one it was, with the instant of its renewal."""
    stored = identity()
    OwnIdentityFile(tmp_path).store(stored)
    assert OwnIdentityFile(tmp_path).load() == stored


def test_only_we_can_read_it(tmp_path: Path) -> None:
    """The file is for its owner alone."""
    OwnIdentityFile(tmp_path).store(identity())
    assert (tmp_path / "agent.json").stat().st_mode & 0o777 == 0o600


def test_a_first_start_finds_nothing(tmp_path: Path) -> None:
    """Without a file there is nothing stored, and forgetting nothing is no error."""
    file = OwnIdentityFile(tmp_path)
    assert file.load() is None
    file.forget()


def test_what_was_forgotten_is_gone(tmp_path: Path) -> None:
    """An SVID that is worth nothing any more does not come back after a restart."""
    file = OwnIdentityFile(tmp_path)
    file.store(identity())
    file.forget()
    assert file.load() is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"version": 2}', b"\xff", b'{"version": 1, "chain": ["%"]}']
)
def test_a_damaged_file_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be understood stops the start and says what to do."""
    path = tmp_path / "agent.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Refusal) as caught:
        OwnIdentityFile(tmp_path).load()
    assert caught.value.kind is Kind.PRECONDITION
    assert "move it away" in str(caught.value)


def test_a_chain_that_is_no_svid_is_refused(tmp_path: Path) -> None:
    """A stored chain is judged as one that was received."""
    stored = identity()
    broken = StoredIdentity(
        stored.trust_domain,
        stored.servers,
        OwnSvid(stored.svid.id, (SmallCa().der,), "agent-svid-a", 1, 2, 3.0, True),
    )
    file = OwnIdentityFile(tmp_path)
    file.store(broken)
    with pytest.raises(Refusal, match="damaged"):
        file.load()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """What others could have read or changed is not trusted."""
    file = OwnIdentityFile(tmp_path)
    file.store(identity())
    (tmp_path / "agent.json").chmod(0o644)
    with pytest.raises(Refusal, match="chmod 600"):
        file.load()
