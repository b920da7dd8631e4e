"""For whom a proxy may ask."""

from agent.access.callees import Callee
from finial.spiffe.bundle import Bundle
from tests.doubles.entitlements import TRUST_DOMAIN
from tests.unit.agent_access.desk import OTHER, PAYMENT, Obstacle, asker, callee


def test_the_only_identity_is_the_callee() -> None:
    """It may be named as well."""
    alone = asker("payment")
    for named in ("", str(PAYMENT)):
        found = alone.callee(named)
        assert isinstance(found, Callee)
        assert found.id == PAYMENT
    assert alone.callee("spiffe://example.org/orders") is Obstacle.CALLEE_NOT_YOURS


def test_of_several_one_is_named() -> None:
    """Nobody else knows whose rules are meant."""
    several = asker("payment", "ledger")
    assert several.callee("") is Obstacle.CALLEE_UNNAMED
    assert isinstance(several.callee(str(PAYMENT)), Callee)
    assert asker().callee(str(PAYMENT)) is Obstacle.NO_CALLEE


def test_entries_of_one_id_are_one_callee() -> None:
    """Its callers may be of any domain that one of them federates with, if its bundle is here."""
    assert callee().bundles.keys() == {TRUST_DOMAIN}
    assert callee(federates=("other.org",)).bundles.keys() == {TRUST_DOMAIN}
    federated = callee(federates=("other.org",), other=Bundle(OTHER))
    assert federated.bundles.keys() == {TRUST_DOMAIN, OTHER}
