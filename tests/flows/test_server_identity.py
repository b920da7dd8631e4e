from pathlib import Path

from ca.operations.server_identity import is_due, renew_server_identity
from tests.doubles.house import House
from tests.flows.scenes import play


def test_a_short_lived_identity_is_not_due_at_once(tmp_path: Path) -> None:
    """An SVID that lives for less than the backdating (BX-08) is renewed at half its life."""

    async def act(built: House) -> None:
        identity = await renew_server_identity(built.world)
        assert identity.renew_at == int(built.clock.now()) + 4
        assert not is_due(built.world, identity)
        built.clock.advance(5)
        assert is_due(built.world, identity)

    play(tmp_path, act, default_x509_svid_ttl=8)
