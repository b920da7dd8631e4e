"""The values that the registry is made of."""

import gc

from ca.registry.api_token import ApiToken, Scope
from ca.registry.change import Change, Topic
from ca.registry.issued import Issued, SvidKind
from ca.registry.join_token import JoinToken
from tests.doubles.entries import entry


def test_nothing_secret_shows_in_a_log() -> None:
    """What a join token or an API token is proven by is left out of its text."""
    token = JoinToken(id="t1", proof_key=b"secret-proof", expires_at=5)
    api = ApiToken("a1", "ci", "secret-hash", frozenset({Scope.ENTRIES_READ}), 1)
    assert "secret" not in repr(token)
    assert "secret" not in repr(api)
    assert "t1" in repr(token)


def test_an_entry_is_no_work_for_the_garbage_collector() -> None:
    """A hundred thousand entries are never walked by the collector."""
    assert not gc.is_tracked(entry())


def test_changes_and_ledger_rows_are_values() -> None:
    """Two that say the same are equal, so that a repeated reading changes nothing."""
    assert Change(1, Topic.ENTRIES, ("a",)) == Change(1, Topic("entries"), ("a",))
    row = Issued(SvidKind.X509, "1", "spiffe://example.org/a", "ca", 1, 2)
    assert (row.entry_id, row.agent_id) == ("", "")
