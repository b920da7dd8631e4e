"""What the Workload API gave, judged before anything on the disk is replaced."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import X509Svid, split_der, verify

LONGEST_DOMAIN: Final = 235
"""A file has at most 255 bytes in its name, and is made under a longer one first."""


@dataclass(frozen=True, slots=True)
class Material:
    """An SVID whose key fits, whose chain leads to its bundle, and the lists of what is revoked.

    `key` is PKCS #8 in DER. `authorities` are those of the SVID's own trust domain alone, DER;
    `federated` has those of others by name, and `left_out` says whose cannot be written and why.
    `crls` are in force and signed by an authority of ours; `without_crl` names the authorities that
    have none.
    """

    svid: X509Svid
    key: bytes
    authorities: tuple[bytes, ...]
    federated: Mapping[str, tuple[bytes, ...]]
    left_out: tuple[str, ...]
    crls: tuple[bytes, ...]
    without_crl: tuple[str, ...]


def choose(answer: Any, spiffe_id: str, hint: str) -> Any:
    """Take the SVID that is asked for, the first one if nothing is.

    Raises: Refusal of kind NOT_FOUND that names what there is.
    """
    for each in answer.svids:
        if spiffe_id in ("", each.spiffe_id) and hint in ("", each.hint):
            return each
    wanted = " with the hint ".join(part for part in (spiffe_id or "an SVID", hint) if part)
    given = ", ".join(each.spiffe_id for each in answer.svids) or "nothing"
    raise Refusal(Kind.NOT_FOUND, f"the Workload API does not give us {wanted}; it gives {given}")


def judge(answer: Any, chosen: Any, now: float) -> Material:
    """Judge an SVID of an answer, its key, its bundle and the revocation lists.

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID section 5 (X509-26 to X509-31).
    """
    svid = X509Svid.parse(split_der(chosen.x509_svid))
    if svid.id != SpiffeId.parse(chosen.spiffe_id):
        raise _invalid(f"the certificate is of {svid.id}, and was given as {chosen.spiffe_id}")
    authorities = split_der(chosen.bundle)
    domain = svid.id.trust_domain
    bundle = Bundle(domain, tuple(X509Authority(der) for der in authorities))
    verify(svid, {domain: bundle}, now)
    key = _fitting_key(chosen.x509_svid_key, svid)
    issuers = [x509.load_der_x509_certificate(der) for der in (*authorities, *svid.chain[1:])]
    crls = dict(_in_force(issuers, answer.crl, now))
    federated, left_out = _federated(answer.federated_bundles)
    return Material(
        svid=svid,
        key=key,
        authorities=authorities,
        federated=federated,
        left_out=left_out,
        crls=tuple(dict.fromkeys(crls.values())),
        without_crl=tuple(
            each.subject.rfc4514_string()
            for each in issuers
            if each not in crls and each.not_valid_after_utc.timestamp() > now
        ),
    )


def ends_at(chain: bytes) -> float:
    """When the certificate of a file ends, in Unix seconds; 0 if there is none."""
    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError:
        return 0.0


def pem(ders: Iterable[bytes]) -> bytes:
    """Write certificates as PEM."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


def crl_pem(ders: Iterable[bytes]) -> bytes:
    """Write revocation lists as PEM."""
    return b"".join(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in ders)


def key_pem(key: bytes) -> bytes:
    """Write a PKCS #8 key as PEM."""
    private = load_der_private_key(key, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _federated(
    bundles: Mapping[str, bytes],
) -> tuple[Mapping[str, tuple[bytes, ...]], tuple[str, ...]]:
    """Read the bundles of others, none of which may keep our own SVID from being written."""
    found: dict[str, tuple[bytes, ...]] = {}
    left_out: list[str] = []
    for name, ders in sorted(bundles.items()):
        try:
            domain = SpiffeId.parse(name).trust_domain.name
            if len(domain) > LONGEST_DOMAIN:
                raise _invalid(f"its name is longer than {LONGEST_DOMAIN} characters")
            pem(split_der(ders))
        except Refusal as refusal:
            left_out.append(f"{name}: {refusal.detail}")
        except ValueError as fault:
            left_out.append(f"{name}: {fault}")
        else:
            found[domain] = split_der(ders)
    return found, tuple(left_out)


def _fitting_key(der: bytes, svid: X509Svid) -> bytes:
    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _invalid(f"the key of {svid.id} cannot be read") from None
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    leaf = x509.load_der_x509_certificate(svid.chain[0])
    if key.public_key().public_bytes(*spki) != leaf.public_key().public_bytes(*spki):
        raise _invalid(f"the key of {svid.id} does not fit its certificate {svid.serial}")
    return der


def _in_force(
    issuers: Sequence[x509.Certificate], ders: Iterable[bytes], now: float
) -> Iterator[tuple[x509.Certificate, bytes]]:
    """Yield the latest list of each issuer last; lists of strangers are of no use and left out."""
    lists = sorted((_read_crl(der) for der in ders), key=lambda each: each.last_update_utc)
    instant = dt.datetime.fromtimestamp(now, dt.UTC)
    for crl in lists:
        ends = crl.next_update_utc
        if crl.last_update_utc > instant or (ends is not None and ends <= instant):
            continue
        for issuer in issuers:
            if crl.issuer == issuer.subject and _is_signed(crl, issuer):
                yield issuer, crl.public_bytes(Encoding.DER)


def _is_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # it tells
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _read_crl(der: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(der)
    except ValueError as fault:
        raise _invalid(f"a revocation list cannot be read: {fault}") from None


def _invalid(detail: str) -> Refusal:
    return Refusal(Kind.INVALID, detail)
