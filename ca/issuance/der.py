"""The few forms of DER from which a certificate is put together (X.690, RFC 5280 section 4.1).

The library's builder takes twice the time of the signature itself, so that leaves are put together
here from parts that the library encoded: names, keys and the values of extensions. Only what
wraps them is written here. The tests hold the result equal to the builder's, byte for byte.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

TRUE: Final = b"\x01\x01\xff"

# RFC 5280 section 4.1.2.5: dates through the year 2049 are written with two digits.
_FIRST_LONG_YEAR: Final = 2050


def element(tag: int, content: bytes) -> bytes:
    """One value: its tag, its length in the shortest form, its content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of values."""
    return element(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return element(0x04, content)


def bit_string(content: bytes) -> bytes:
    """A BIT STRING of whole bytes."""
    return element(0x03, b"\x00" + content)


def tagged(number: int, content: bytes) -> bytes:
    """A value under an explicit tag, such as the version and the extensions of a certificate."""
    return element(0xA0 | number, content)


@lru_cache(maxsize=256)
def instant(seconds: int) -> bytes:
    """A point in time, given in Unix seconds, as certificates write it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.year < _FIRST_LONG_YEAR:
        return element(0x17, moment.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return element(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def content_of(encoded: bytes) -> bytes:
    """The content of a value that was encoded by a library, without tag and length."""
    return encoded[2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0) :]
