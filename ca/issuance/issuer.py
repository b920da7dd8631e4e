"""The authority under which something is issued: its public part."""

from dataclasses import dataclass
from typing import Self

from cryptography import x509

from ca.authority.slot import Slot, Use
from ca.issuance.extension import Extension
from finial.spiffe.bundle import X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True)
class Issuer:
    """What a leaf takes over from its CA; times are Unix seconds."""

    trust_domain: TrustDomain
    authority_id: str
    name: x509.Name
    key_id: Extension
    not_before: int
    not_after: int

    @classmethod
    def of(cls, slot: Slot, trust_domain: TrustDomain) -> Self:
        """Read the CA certificate of an X.509 slot.

        Raises: Refusal of kind INTERNAL when the slot holds none.
        """
        if slot.use is not Use.X509:
            raise Refusal(Kind.INTERNAL, "a JWT key issues no certificates")
        authority = X509Authority(slot.document)
        key_id = bytes.fromhex(authority.subject_key_id)
        identifier = x509.AuthorityKeyIdentifier(key_id, None, None)
        return cls(
            trust_domain=trust_domain,
            authority_id=slot.authority_id,
            name=authority.certificate.subject,
            key_id=Extension(identifier),
            not_before=slot.not_before,
            not_after=authority.not_after,
        )
