"""Certificates made from the descriptions in the test vectors."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.doubles.ca import Signed, SmallCa, key_usage

_PURPOSES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}
_OTHERS = (x509.RFC822Name("a@x.test"), x509.IPAddress(IPv4Address("192.0.2.1")))


def forge_leaf(ca: SmallCa, vector: Mapping[str, Any], **changes: Any) -> Signed:
    """Sign what a vector describes; whatever it does not mention is as the standard wants it."""
    uris = vector.get("uris", ["spiffe://example.org/web"])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names += [x509.DNSName(name) for name in vector.get("dns", [])]
    names += _OTHERS if vector.get("others") else ()
    empty = vector.get("subject") == "empty"
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if names:
        extensions.append((x509.SubjectAlternativeName(names), empty))
    if vector.get("ca", False) is not None:
        extensions.append((x509.BasicConstraints(vector.get("ca", False), None), True))
    extensions += _usages(
        vector.get("usage", ["digital_signature"]),
        vector.get("purposes", ["server", "client"]),
        vector.get("critical", True),
    )
    subject = {"subject": x509.Name([])} if empty else {}
    return ca.sign(**{"extensions": extensions, **subject, **changes})


def _usages(
    usage: Sequence[str] | None, purposes: Sequence[str] | None, critical: bool
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if usage is not None:
        found.append((key_usage(*usage), critical))
    if purposes is not None:
        found.append((x509.ExtendedKeyUsage([_PURPOSES[each] for each in purposes]), False))
    return found
