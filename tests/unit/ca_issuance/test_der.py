"""The forms of DER that certificates are put together from."""

import pytest

from ca.issuance import der
from ca.issuance.extension import Extension
from tests.doubles.ca import key_usage

LAST_OF_2049 = 2_524_607_999


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, "04 00"),
        (127, "04 7f"),
        (128, "04 81 80"),
        (256, "04 82 01 00"),
        (65536, "04 83 01 00 00"),
    ],
)
def test_a_length_has_its_shortest_form(length: int, head: str) -> None:
    """X.690 section 10.1: DER knows one length for each content."""
    encoded = der.octet_string(b"x" * length)
    assert encoded == bytes.fromhex(head) + b"x" * length
    assert der.content_of(encoded) == b"x" * length


@pytest.mark.parametrize(
    ("value", "encoded"), [(0, "020100"), (127, "02017f"), (128, "02020080"), (2**16, "0203010000")]
)
def test_an_integer_is_never_read_as_negative(value: int, encoded: str) -> None:
    """X.690 section 8.3: a leading bit would mean less than nothing."""
    assert der.integer(value) == bytes.fromhex(encoded)


def test_dates_have_two_digits_to_2049_and_four_after() -> None:
    """RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050."""
    assert der.instant(LAST_OF_2049) == b"\x17\x0d491231235959Z"
    assert der.instant(LAST_OF_2049 + 1) == b"\x18\x0f20500101000000Z"


def test_an_extension_says_that_it_is_critical_or_nothing() -> None:
    """RFC 5280 section 4.1: FALSE is the default, which DER leaves out."""
    usage = key_usage("digital_signature")
    assert Extension(usage, critical=True).encoded.hex() == "300e0603551d0f0101ff040403020780"
    assert Extension(usage).encoded.hex() == "300b0603551d0f040403020780"
