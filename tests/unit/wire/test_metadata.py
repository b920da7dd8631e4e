"""What gRPC says in headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.refusal import Refusal
from finial.wire.grpc.protocol.metadata import (
    ReceivedMetadata,
    decode_binary,
    decode_message,
    encode_binary,
    encode_message,
    encode_metadata,
    parse_status,
    parse_timeout,
    render_timeout,
    status_headers,
)
from finial.wire.status import Code, Status


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"500m", 0.5), (b"50u", 5e-5), (b"99999999n", 0.1)],
)
def test_a_timeout_is_read_in_each_unit(text: bytes, seconds: float) -> None:
    """All six units of grpc-timeout are understood."""
    assert parse_timeout(text) == pytest.approx(seconds, rel=1e-6)


@pytest.mark.parametrize("text", [b"", b"1", b"S", b"-1S", b"1.5S", b"1s", b"123456789S", b"1S\n"])
def test_a_malformed_timeout_is_refused(text: bytes) -> None:
    """A timeout has one to eight digits and a unit, nothing else."""
    with pytest.raises(Refusal, match="malformed grpc-timeout"):
        parse_timeout(text)


@given(st.floats(1e-9, 1e9))
def test_a_timeout_that_is_written_can_be_read(seconds: float) -> None:
    """What is written has at most eight digits and is never longer than what was meant."""
    read = parse_timeout(render_timeout(seconds))
    assert read <= seconds * (1 + 1e-9) or read == pytest.approx(1e-9)
    assert read >= seconds * 0.98 or seconds < 1e-7


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_message_survives_percent_encoding(message: str) -> None:
    """Any text travels in grpc-message, as printable ASCII."""
    encoded = encode_message(message)
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert decode_message(encoded) == message


def test_a_broken_message_is_shown_as_it_can() -> None:
    """What is no percent-encoding or no UTF-8 is replaced, never refused."""
    assert decode_message(b"100% of \xff %zz") == "100% of \ufffd %zz"


@given(st.binary())
def test_binary_metadata_is_read_with_and_without_padding(value: bytes) -> None:
    """Values of -bin keys are base64, whose padding may be left out."""
    encoded = encode_binary(value)
    assert b"=" not in encoded
    assert decode_binary(encoded) == decode_binary(encoded + b"=" * (-len(encoded) % 4)) == value


def test_every_value_of_a_key_is_given() -> None:
    """A key that came twice has two values, so that a guard can refuse that (WEP-06)."""
    received = ReceivedMetadata([(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"x-bin", b"AQ,Ag==")])
    assert received.get_all("a") == ("1", "3")
    assert received.get_all("c") == ()
    assert received.get_all_binary("x-bin") == (b"\1", b"\2")


def test_binary_metadata_that_is_not_base64_is_refused() -> None:
    """The caller is told which key is broken."""
    with pytest.raises(Refusal, match="x-bin"):
        ReceivedMetadata([(b"x-bin", b"***")]).get_all_binary("x-bin")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Upper", "x"),
        ("grpc-timeout", "1S"),
        (":path", "x"),
        ("a b", "x"),
        ("k", "new\nline"),
        ("k", "é"),
    ],
)
def test_metadata_that_cannot_travel_is_not_sent(key: str, value: str) -> None:
    """A key or value that would break the headers is a fault of the caller in our code."""
    with pytest.raises(ValueError, match=r"metadata|ASCII"):
        encode_metadata([(key, value)])


def test_metadata_is_encoded_by_its_key() -> None:
    """A -bin key's value travels in base64, others as they are."""
    assert encode_metadata([("k", "v"), ("k-bin", b"\1")]) == [(b"k", b"v"), (b"k-bin", b"AQ")]


def test_a_status_survives_its_headers() -> None:
    """Code, message and details come out as they went in."""
    status = Status(Code.NOT_FOUND, "naïve", b"\1\2")
    assert parse_status(status_headers(status)) == status


def test_a_strange_status_is_unknown() -> None:
    """A code that gRPC does not know, or no number, is UNKNOWN; broken details are left out."""
    assert parse_status([(b"grpc-status", b"99")]) == Status(Code.UNKNOWN)
    assert parse_status([(b"grpc-status", b"x")]) == Status(Code.UNKNOWN)
    broken = [(b"grpc-status", b"7"), (b"grpc-status-details-bin", b"***")]
    assert parse_status(broken) == Status(Code.PERMISSION_DENIED)
    assert parse_status([(b"other", b"0")]) is None
