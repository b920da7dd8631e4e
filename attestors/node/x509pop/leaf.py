"""What a certificate says about the node that holds its key."""

import urllib.parse
from collections.abc import Sequence
from ipaddress import IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from attestors.contract import Address
from attestors.node.x509pop.payload import NAME
from finial.spiffe.identity import TrustDomain
from finial.spiffe.selector import Selector


def selectors(path: Sequence[x509.Certificate], trust_domain: TrustDomain) -> tuple[Selector, ...]:
    """Return what a node's entry can ask for; `path` leads from the leaf to the CA."""
    leaf = path[0]
    name = subject_cn(leaf)
    values = [f"subject:cn:{name}"] if name and name.isprintable() else []
    values += [f"ca:fingerprint:{fingerprint(each)}" for each in path[1:]]
    values.append(f"serialnumber:{serial_number(leaf)}")
    values += [f"san:{key}:{value}" for key, value in sans(leaf, trust_domain)]
    return tuple(Selector(NAME, value) for value in dict.fromkeys(values))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the whole certificate in hex: a name by which SPIRE knows it, no protection."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303


def serial_number(certificate: x509.Certificate) -> str:
    """The serial number in hex, two digits a byte."""
    number = certificate.serial_number
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex()


def subject_cn(certificate: x509.Certificate) -> str:
    """The common name, or an empty text."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def uris(certificate: x509.Certificate) -> list[str]:
    """The URIs among the alternative names."""
    names = _alternative_names(certificate)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names else []


def sans(certificate: x509.Certificate, trust_domain: TrustDomain) -> list[tuple[str, str]]:
    """Keys and values of the URIs `x509pop://<our trust domain>/<key>/<value>`."""
    prefix = f"{NAME}://{trust_domain}/"
    found = []
    for uri in uris(certificate):
        if uri.startswith(prefix):
            key, _, value = urllib.parse.unquote(uri[len(prefix) :]).partition("/")
            if key and ":" not in key and value and (key + value).isprintable():
                found.append((key, value))
    return found


def has_address(certificate: x509.Certificate, address: Address) -> bool:
    """Whether the certificate names this IP address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    names = _alternative_names(certificate)
    return names is not None and address in names.get_values_for_type(x509.IPAddress)


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether the key is meant for digital signatures."""
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.KeyUsage):
            return extension.value.digital_signature
    return False


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return extension.value
    return None
