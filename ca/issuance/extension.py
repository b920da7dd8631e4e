"""One extension of a certificate: the value that is judged, and its encoding that is signed."""

from dataclasses import dataclass, field

from cryptography import x509

from ca.issuance import der

# Every extension that we issue is in the arc 2.5.29, id-ce of RFC 5280, below 2.5.29.128.
_ARC = "2.5.29."


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension; `encoded` follows from the other two and is made once."""

    value: x509.ExtensionType
    critical: bool = False
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        dotted = self.value.oid.dotted_string
        oid = der.element(0x06, bytes((0x55, 0x1D, int(dotted.removeprefix(_ARC)))))
        critical = der.TRUE if self.critical else b""
        value = der.octet_string(self.value.public_bytes())
        object.__setattr__(self, "encoded", der.sequence(oid, critical, value))

    @property
    def oid(self) -> x509.ObjectIdentifier:
        """Which extension it is."""
        return self.value.oid
