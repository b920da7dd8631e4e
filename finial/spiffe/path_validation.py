"""RFC 5280 path validation to any certificate of a bundle (X509-26)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.x509 import verification

from finial.spiffe.refusal import Kind, Refusal

MAX_DEPTH: Final = 8


def validate_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: float,
) -> tuple[x509.Certificate, ...]:
    """Find a valid path from the leaf to one of the anchors, and return it, leaf first.

    An anchor need not be self-signed (as in SPIRE), but is valid now, a CA, and may sign. No name
    is compared and no extKeyUsage asked for: a SPIFFE ID is the only name an SVID has.

    Raises: Refusal of kind INVALID.
    Spec: X509-SVID section 5.1 (X509-11, X509-14, X509-26).
    """
    if not anchors:
        raise _invalid("the bundle of the trust domain holds no X.509 authority")
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(datetime.fromtimestamp(now, UTC))
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=_AUTHORITIES, ee_policy=_LEAVES)
        .build_client_verifier()
    )
    try:
        path = verifier.verify(leaf, list(intermediates)).chain
    except verification.VerificationError as error:
        raise _invalid(f"no valid path leads to the bundle ({_first_line(error)})") from error
    # The library takes a leaf that is itself in the store for a path of one.
    if len(path) < 2:
        raise _invalid("the leaf certificate is itself in the bundle, signed by no authority")
    return tuple(path)


def _may_sign(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    # A foreign root without keyUsage is let pass (checklist K-08); one that forbids signing is not.
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("the keyUsage of a signing certificate lacks keyCertSign")


def _first_line(error: Exception) -> str:
    # The library adds the certificate's whole name, which is the presenter's text, not ours.
    return str(error).split(" (encountered", 1)[0][:160]


def _invalid(fault: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="x509_svid")


_AGNOSTIC = verification.Criticality.AGNOSTIC
_AUTHORITIES: Final = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, _AGNOSTIC, _may_sign)
)
_LEAVES: Final = verification.ExtensionPolicy.permit_all()
