"""What this server's certificates and tokens are like, before anybody asks for one."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal

DEFAULT_CA_TTL: Final = 86_400
DEFAULT_X509_SVID_TTL: Final = 3600
DEFAULT_JWT_SVID_TTL: Final = 300

# X.520 allows a common name of 64 characters; a longer DNS name stands among the SANs alone.
MAX_COMMON_NAME: Final = 64


class Role(enum.Enum):
    """Whom a leaf certificate is for."""

    WORKLOAD = "workload"
    AGENT = "agent"
    SERVER = "server"
    MINTED = "minted"


def distinguished_name(
    country: Iterable[str] = (), organization: Iterable[str] = (), common_name: str = ""
) -> x509.Name:
    """Write a subject; countries are two letters, the others 1 to 64 characters.

    Raises: Refusal of kind INVALID.
    """
    parts = [(NameOID.COUNTRY_NAME, each) for each in country]
    parts += [(NameOID.ORGANIZATION_NAME, each) for each in organization]
    parts += [(NameOID.COMMON_NAME, common_name)] if common_name else []
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    except ValueError as error:
        fault = f"the subject cannot be written in a certificate: {error}"
        raise Refusal(Kind.INVALID, fault, field="ca_subject") from error


SVID_SUBJECT: Final = distinguished_name(["US"], ["SPIRE"])
CA_SUBJECT: Final = distinguished_name(["US"], ["SPIFFE"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """The settings that shape what is issued, with SPIRE's defaults; lifetimes are in seconds.

    An `agent_ttl` of 0 means the lifetime of X509-SVIDs. `jwt_issuer` is the claim `iss`, left
    out when it is empty.

    Spec: spire-features 7.1 to 7.3.
    """

    trust_domain: TrustDomain
    ca_ttl: int = DEFAULT_CA_TTL
    x509_svid_ttl: int = DEFAULT_X509_SVID_TTL
    jwt_svid_ttl: int = DEFAULT_JWT_SVID_TTL
    agent_ttl: int = 0
    ca_subject: x509.Name = CA_SUBJECT
    jwt_issuer: str = ""

    def x509_lifetime(self, role: Role, asked: int = 0) -> int:
        """How long a leaf lives, when its entry or caller asks for `asked` seconds (0: nothing).

        Raises: Refusal of kind INVALID when it is negative.
        """
        default = self.agent_ttl if role is Role.AGENT else 0
        return _positive(asked) or default or self.x509_svid_ttl

    def jwt_lifetime(self, asked: int = 0) -> int:
        """How long a token lives, when its entry or caller asks for `asked` seconds (0: nothing).

        Raises: Refusal of kind INVALID when it is negative.
        """
        return _positive(asked) or self.jwt_svid_ttl

    def authority_subject(self, serial: int) -> x509.Name:
        """The subject of a CA: the configured one, told apart by the serial number (BX-08)."""
        if self.ca_subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER):
            return self.ca_subject
        own = x509.NameAttribute(NameOID.SERIAL_NUMBER, str(serial))
        return x509.Name([*self.ca_subject, own])


def leaf_subject(dns_names: tuple[str, ...] = ()) -> x509.Name:
    """The subject of a leaf: its common name is the first DNS name, when there is one (BL-02)."""
    if not dns_names or len(dns_names[0]) > MAX_COMMON_NAME:
        return SVID_SUBJECT
    return x509.Name([*SVID_SUBJECT, x509.NameAttribute(NameOID.COMMON_NAME, dns_names[0])])


def _positive(asked: int) -> int:
    if asked < 0:
        raise Refusal(
            Kind.INVALID,
            "a lifetime is not negative",
            field="ttl",
            value=str(asked),
            remedy="give 0 for the server's default",
        )
    return asked
