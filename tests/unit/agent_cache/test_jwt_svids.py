"""JWT-SVIDs that are kept for whoever asks again."""

from agent.cache.jwt_svids import HeldToken, JwtSvids, TokenKey
from tests.doubles.clock import NOW
from tests.doubles.entitlements import workload_id

WEB = workload_id("/web")
DB = workload_id("/db")


def token(text: str = "t", key_id: str = "k", left: int = 300) -> HeldToken:
    return HeldToken(text, key_id, int(NOW) + left, NOW + left / 2)


def test_the_order_of_audiences_does_not_matter() -> None:
    """The same audiences in another order, or one of them twice, mean the same token."""
    assert TokenKey.of(WEB, ["b", "a", "b"]) == TokenKey.of(WEB, ["a", "b"])


def test_a_token_serves_its_own_id_and_audiences_only() -> None:
    """A token is found for what it was made for and for nothing else."""
    kept = JwtSvids()
    kept.store(TokenKey.of(WEB, ["a"]), token())
    assert kept.find(TokenKey.of(WEB, ["a"]), NOW) == token()
    assert kept.find(TokenKey.of(WEB, ["a", "b"]), NOW) is None
    assert kept.find(TokenKey.of(DB, ["a"]), NOW) is None


def test_an_expired_token_is_forgotten() -> None:
    """A token is not handed out at or after its expiry."""
    kept = JwtSvids()
    kept.store(TokenKey.of(WEB, ["a"]), token())
    assert kept.find(TokenKey.of(WEB, ["a"]), NOW + 300) is None
    assert not len(kept)


def test_the_longest_unused_token_goes_first() -> None:
    """The number of tokens is bounded, and use keeps a token."""
    kept = JwtSvids(limit=2)
    kept.store(TokenKey.of(WEB, ["a"]), token("a"))
    kept.store(TokenKey.of(WEB, ["b"]), token("b"))
    kept.find(TokenKey.of(WEB, ["a"]), NOW)
    kept.store(TokenKey.of(WEB, ["c"]), token("c"))
    assert kept.find(TokenKey.of(WEB, ["b"]), NOW) is None
    assert kept.find(TokenKey.of(WEB, ["a"]), NOW) == token("a")
    assert len(kept) == 2


def test_tokens_of_lost_identities_and_lost_keys_are_forgotten() -> None:
    """A token goes when its identity is no longer ours or its key left the bundle."""
    kept = JwtSvids()
    kept.store(TokenKey.of(WEB, ["a"]), token())
    kept.store(TokenKey.of(DB, ["a"]), token())
    kept.store(TokenKey.of(WEB, ["b"]), token(key_id="revoked"))
    kept.keep_only({WEB}, {"k"})
    assert kept.find(TokenKey.of(WEB, ["a"]), NOW) is not None
    assert len(kept) == 1


def test_a_token_is_not_shown() -> None:
    """A token that is printed by mistake does not show its text."""
    assert "secret" not in repr(token("secret"))
