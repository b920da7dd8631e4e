"""Telling what a document is, and handing it to who knows its rules."""

import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from finial.spiffe import certificate as x509_certificate
from finial.spiffe.json import strict_json
from finial.spiffe.lint.bundle import lint_bundle_map, lint_jwk_set
from finial.spiffe.lint.chain import lint_chain
from finial.spiffe.lint.inspection import Inspection
from finial.spiffe.lint.token import lint_token
from finial.spiffe.refusal import Kind, Refusal

MAX_BYTES: Final = 8 * 1024 * 1024

_TOKEN = re.compile(rb"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)+")


def lint(document: bytes, now: float | None = None) -> Inspection:
    """Inspect a certificate or chain (PEM or DER), a bundle, a JWK Set or a JWT-SVID.

    `now` in Unix seconds lets the inspection say what has expired; without it time is not judged.
    No private key and no signature of a token is ever in what is returned.

    Raises: Refusal of kind INVALID when the document is none of these, or cannot be read.
    """
    if len(document) > MAX_BYTES:
        raise Refusal(Kind.INVALID, f"the document is longer than {MAX_BYTES} bytes")
    trimmed = document.strip()
    if b"-----BEGIN " in trimmed:
        return lint_chain(_pem_certificates(trimmed), now)
    # Not trimmed: the last byte of a signature may look like white space.
    if document.startswith(b"\x30"):
        certificates = x509_certificate.split_der(document)
        return lint_chain([x509_certificate.read(der) for der in certificates], now)
    if trimmed.startswith(b"{"):
        return _lint_json(trimmed, now)
    if _TOKEN.fullmatch(trimmed):
        return lint_token(trimmed.decode("ascii"), now)
    raise _unknown()


def _lint_json(document: bytes, now: float | None) -> Inspection:
    found = strict_json.loads_object(document)
    if "trust_domains" in found:
        return lint_bundle_map(found, now)
    if "keys" in found:
        return lint_jwk_set(found, now)
    if "payload" in found and ("signatures" in found or "signature" in found):
        raise Refusal(
            Kind.INVALID,
            "this is a JWS in JSON serialization, which no JWT-SVID is (JWT-02)",
            remedy="use the compact serialization",
        )
    raise _unknown()


def _pem_certificates(document: bytes) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(document)
    except ValueError as error:
        raise Refusal(Kind.INVALID, "the PEM document holds no readable certificate") from error
    return [
        x509_certificate.read(found.public_bytes(serialization.Encoding.DER))
        for found in certificates
    ]


def _unknown() -> Refusal:
    # Not a word of the document is repeated: it may be a join token.
    return Refusal(
        Kind.INVALID,
        "this is no document that can be inspected",
        remedy="give a certificate (PEM or DER), a SPIFFE bundle, a JWK Set or a JWT-SVID",
    )
