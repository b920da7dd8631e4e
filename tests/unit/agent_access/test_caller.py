"""Who calls, by the strongest thing that proves it."""

import pytest

from agent.access.certificate import Certificates
from finial.spiffe.bundle import Bundle
from tests.doubles.access import encoded
from tests.doubles.ca import SmallCa
from tests.unit.agent_access.desk import (
    EDGE,
    FRONT,
    NOW,
    ORDERS,
    OTHER,
    PAYMENT,
    Caller,
    Callers,
    Means,
    Obstacle,
    asked,
    callee,
    found,
)

CA = SmallCa(now=NOW)


def test_the_principal_is_the_caller() -> None:
    """Nothing else in the request matters then."""
    given = asked(ORDERS, authorization="Bearer a.b.c", forwarded=f"URI={FRONT}")
    assert found(given) == Caller(ORDERS, Means.MTLS)


@pytest.mark.parametrize(
    ("principal", "fault"),
    [
        ("CN=orders", Obstacle.PRINCIPAL_MALFORMED),
        (f"{ORDERS},{FRONT}", Obstacle.PRINCIPAL_MALFORMED),
        ("spiffe://other.org/orders", Obstacle.FOREIGN_TRUST_DOMAIN),
    ],
)
def test_a_principal_that_proves_nothing_is_a_fault(principal: str, fault: Obstacle) -> None:
    """It never makes room for something weaker."""
    caller = found(asked(principal, authorization="Bearer a.b.c"))
    assert (caller.id, caller.fault) == (None, fault)


def test_a_federated_caller_is_known_by_its_bundle() -> None:
    """The callee's entry says with whom it federates."""
    given = asked("spiffe://other.org/orders")
    assert found(given, federates=("other.org",), other=Bundle(OTHER)).fault is None


def test_the_certificate_bears_the_principal_out() -> None:
    """Its serial number is known then; one that says something else is doubted."""
    signed = CA.workload("/orders").certificate
    caller = found(asked(ORDERS, certificate=encoded(signed)))
    assert (caller.id, caller.serials) == (ORDERS, (signed.serial_number,))
    two = CA.leaf([str(ORDERS), str(FRONT)]).certificate
    without = CA.leaf([], ["orders.test"]).certificate
    bare = CA.leaf([]).certificate
    for other in (encoded(two), encoded(without), encoded(bare), "junk", "%ff"):
        assert found(asked(ORDERS, certificate=other)).fault is Obstacle.PRINCIPAL_DOUBTED


def test_a_certificate_that_names_nobody_leaves_no_room_for_a_token() -> None:
    """What is there and proves nothing is a fault, whatever else the request holds."""
    nameless = encoded(CA.leaf([]).certificate)
    given = asked("", certificate=nameless, authorization="Bearer opaque")
    assert found(given).fault is Obstacle.PRINCIPAL_MALFORMED


def test_a_foreign_certificates_serial_number_is_kept() -> None:
    """A fault does not hide it from a block."""
    signed = CA.leaf(["spiffe://other.org/a"]).certificate
    caller = found(asked("spiffe://other.org/a", certificate=encoded(signed)))
    assert caller.serials == (signed.serial_number,)


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        ("", Caller(FRONT, Means.MTLS)),
        (f"URI={FRONT}", Caller(FRONT, Means.MTLS)),
        (f"URI={ORDERS}", Caller(ORDERS, Means.FORWARDED, None, (FRONT,))),
        (f"URI={ORDERS},URI={FRONT}", Caller(ORDERS, Means.FORWARDED, None, (FRONT,))),
        (f"URI={PAYMENT},URI={ORDERS}", Caller(ORDERS, Means.FORWARDED, None, (FRONT,))),
        (
            f"URI={ORDERS},URI={EDGE}",
            Caller(ORDERS, Means.FORWARDED, None, (FRONT, EDGE)),
        ),
        (f"URI={EDGE}", Caller(EDGE, Means.FORWARDED, None, (FRONT,))),
        ("Hash=a", Caller(None, Means.FORWARDED, None, (FRONT,))),
        ("nonsense", Caller(None, Means.FORWARDED, Obstacle.FORWARDED_MALFORMED)),
        (
            f"URI={ORDERS};URI={EDGE}",
            Caller(None, Means.FORWARDED, Obstacle.PRINCIPAL_MALFORMED, (FRONT,)),
        ),
        (
            "URI=spiffe://other.org/a",
            Caller(None, Means.FORWARDED, Obstacle.FOREIGN_TRUST_DOMAIN, (FRONT,)),
        ),
    ],
)
def test_a_named_proxy_is_believed_about_its_client(header: str, caller: Caller) -> None:
    """From the nearest proxy back to the first that is none; what strangers wrote is not read."""
    assert found(asked(FRONT, forwarded=header)) == caller


def test_certificates_on_the_way_are_seen_too() -> None:
    """A blocked serial number is refused wherever it stands."""
    front, orders = CA.workload("/front").certificate, CA.workload("/orders").certificate
    header = f'URI={ORDERS};Cert="{encoded(orders)}"'
    caller = found(asked(FRONT, certificate=encoded(front), forwarded=header))
    assert caller.serials == (front.serial_number, orders.serial_number)


def test_the_form_without_a_principal_believes_named_envoys_alone() -> None:
    """There it is the asking Envoy that wrote the header."""
    given = asked(forwarded=f"URI={ORDERS}", tells_principal=False)
    assert found(given) == Caller(ORDERS, Means.FORWARDED)
    assert Callers([PAYMENT]).find(given, callee(), NOW).id is None
    broken = asked(forwarded="nonsense", tells_principal=False)
    assert found(broken).fault is Obstacle.FORWARDED_MALFORMED
    # Where a principal would be told there was no certificate, whatever the request says.
    assert found(asked(forwarded=f"URI={ORDERS}")).id is None


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Bearer opaque", "x"])
def test_what_is_no_svid_is_somebody_elses_matter(header: str) -> None:
    """It is no fault, and nobody's identity."""
    assert found(asked(authorization=header)) == Caller(None, Means.NONE)


def test_the_same_certificate_is_read_once() -> None:
    """And the memory of them is bounded."""
    certificates = Certificates(most=2)
    texts = [encoded(CA.workload(path).certificate) for path in ("/a", "/b", "/c")]
    first = certificates.read(texts[0])
    assert certificates.read(texts[0]) is first
    for text in texts[1:]:
        certificates.read(text)
    again = certificates.read(texts[0])
    assert again == first
    assert again is not first
    assert certificates.read(100_000 * "a") is None


def test_ids_are_remembered_and_bounded() -> None:
    """As many as somebody thinks out."""
    callers, whom = Callers(), callee()
    for number in range(4100):
        for _ in range(2):
            assert callers.find(asked(f"{ORDERS}/{number}"), whom, NOW).id is not None
