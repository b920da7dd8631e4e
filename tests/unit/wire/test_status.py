"""The table between kinds of refusal, gRPC's codes and HTTP's statuses."""

import pytest

from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.wire.pb import status_pb2, types_pb2, well_known
from finial.wire.status import Code, Status, code_of, http_status, refusal_of, status_of


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_comes_back_from_its_code(kind: Kind) -> None:
    """A refusal crosses the wire without becoming another kind."""
    there = status_of(Refusal(kind, "why", remedy="do this"))
    back = refusal_of(there)
    assert (back.kind, back.detail) == (kind, "why: do this")
    assert 400 <= http_status(kind) <= 599


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_each_code_has_a_kind(code: Code) -> None:
    """Whatever code a server answers, the refusal has one of our kinds."""
    assert refusal_of(Status(code, "x")).kind in Kind


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.INVALID, 3),
        (Kind.DENIED, 7),
        (Kind.NOT_FOUND, 5),
        (Kind.EXISTS, 6),
        (Kind.EXHAUSTED, 8),
        (Kind.UNIMPLEMENTED, 12),
        (Kind.INTERNAL, 13),
        (Kind.UNAVAILABLE, 14),
        (Kind.UNAUTHENTICATED, 16),
    ],
)
def test_the_codes_are_those_of_spire(kind: Kind, code: int) -> None:
    """Clients of SPIRE and of the Workload API decide by these numbers (WEP-06, WEP-16, WEP-17)."""
    assert code_of(kind) == code


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_travels_as_spires_detail(reason: Reason) -> None:
    """An agent decides by the reason in the details, not by the text."""
    status = status_of(Refusal(Kind.DENIED, "no", reason=reason))
    whole = status_pb2.Status.FromString(status.details)
    assert (whole.code, whole.message) == (7, "no")
    [detail] = whole.details
    assert detail.type_url == "type.googleapis.com/spire.api.types.PermissionDeniedDetails"
    denied = types_pb2.PermissionDeniedDetails.FromString(detail.value)
    assert denied.reason == reason.value
    assert refusal_of(status).reason is reason


def test_other_details_do_no_harm() -> None:
    """Details that we do not know, or that are broken, leave the code and the message."""
    other = status_pb2.Status()
    other.details.add().Pack(well_known.StringValue(value="x"))
    for details in (other.SerializeToString(), b"\xff\xff", b""):
        assert refusal_of(Status(Code.PERMISSION_DENIED, "no", details)).reason is None


def test_a_reason_of_the_future_is_none() -> None:
    """A reason with a number that we do not know is no reason."""
    status = status_pb2.Status()
    status.details.add(
        type_url="type.googleapis.com/spire.api.types.PermissionDeniedDetails", value=b"\x08\x63"
    )
    assert refusal_of(Status(Code.PERMISSION_DENIED, "", status.SerializeToString())).reason is None
