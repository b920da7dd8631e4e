"""SVIDs and what is known of them, as documents."""

import base64
import binascii
import datetime as dt
from typing import Annotated, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Query
from pydantic import Field

from ca.api.rest.shapes.shape import Answer, Shape
from ca.api.rest.shapes.times import Instant, instant, seconds
from ca.datastore.ledger import IssuedFilter
from ca.registry.issued import Issued, SvidKind
from finial.spiffe.refusal import Kind, Refusal

_MAX_CSR: int = 16 * 1024
_Ttl = Annotated[int, Field(ge=0, le=2**31 - 1, description="In seconds; 0: the default.")]


class X509Request(Shape):
    """A certificate signing request that names one SPIFFE ID, in PEM or as DER in base64."""

    csr: str = Field(max_length=_MAX_CSR)
    ttl: _Ttl = 0

    @property
    def der(self) -> bytes:
        """The request in DER.

        Raises: Refusal of kind INVALID.
        """
        try:
            if "-----BEGIN" in self.csr:
                found = x509.load_pem_x509_csr(self.csr.encode())
                return found.public_bytes(Encoding.DER)
            return base64.b64decode(self.csr, validate=True)
        except (ValueError, binascii.Error):
            raise Refusal(
                Kind.INVALID,
                "the request is neither PEM nor base64",
                field="csr",
                remedy="send the text that `openssl req -new` writes",
            ) from None


class MintedX509(Answer):
    """An X509-SVID that was just signed."""

    id: str
    expires_at: Instant | None
    x509_svid: str = Field(description="The chain in PEM, leaf first.")
    bundle: str = Field(description="The trust domain's CA certificates in PEM.")


class JwtRequest(Shape):
    """What is wished of a JWT-SVID."""

    id: str = Field(description="The SPIFFE ID.", examples=["spiffe://example.org/ci"])
    audience: Annotated[list[str], Field(min_length=1, max_length=64)]
    ttl: _Ttl = 0


class MintedJwt(Answer):
    """A JWT-SVID that was just signed."""

    id: str
    token: str
    issued_at: Instant | None
    expires_at: Instant | None


class IssuedDocument(Answer):
    """A row of the ledger: one SVID that was issued."""

    kind: Literal["x509", "jwt"]
    serial: str = Field(description="The serial number, or the JWT's jti.")
    spiffe_id: str
    authority_id: str
    issued_at: Instant | None
    expires_at: Instant | None
    entry_id: str
    agent_id: str

    @classmethod
    def of(cls, row: Issued) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            kind=row.kind.value,
            serial=row.serial,
            spiffe_id=row.spiffe_id,
            authority_id=row.authority_id,
            issued_at=instant(row.issued_at),
            expires_at=instant(row.expires_at),
            entry_id=row.entry_id,
            agent_id=row.agent_id,
        )


def issued_filter(
    *,
    kind: Literal["x509", "jwt"] | None = None,
    serial: str = "",
    spiffe_id: str = "",
    entry_id: str = "",
    agent_id: str = "",
    authority_id: str = "",
    expires_after: Annotated[dt.datetime | None, Query()] = None,
    expires_before: Annotated[dt.datetime | None, Query()] = None,
) -> IssuedFilter:
    """Read the parameters of a query; one that is left out matches every row."""
    return IssuedFilter(
        kind=SvidKind(kind) if kind else None,
        serial=serial,
        spiffe_id=spiffe_id,
        entry_id=entry_id,
        agent_id=agent_id,
        authority_id=authority_id,
        expires_after=seconds(expires_after) if expires_after else None,
        expires_before=seconds(expires_before) if expires_before else None,
    )
