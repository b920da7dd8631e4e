"""Inspecting certificates that follow one another."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from finial.spiffe.lint.certificate import lint_certificate
from finial.spiffe.lint.inspection import DocumentKind, Finding, Inspection, error, note


def lint_chain(certificates: Sequence[x509.Certificate], now: float | None) -> Inspection:
    """Inspect one certificate, a chain with its leaf first, or a collection of authorities."""
    if len(certificates) == 1:
        return lint_certificate(certificates[0], now)
    parts = tuple(
        lint_certificate(certificate, now, f"certificate {number}")
        for number, certificate in enumerate(certificates, 1)
    )
    fields = (("certificates", str(len(parts))),)
    if all(part.kind is DocumentKind.AUTHORITY for part in parts):
        # PEM bundles hold roots that have nothing to do with one another.
        return Inspection(DocumentKind.CHAIN, fields, parts=parts)
    findings = (*_judge_order(parts), *_judge_links(certificates))
    return Inspection(DocumentKind.CHAIN, fields, findings, parts)


def _judge_order(parts: Sequence[Inspection]) -> Iterator[Finding]:
    if parts[0].kind is not DocumentKind.LEAF:
        yield error("The leaf does not come first.", "Workload API section 5.1 (WAPI-21)")
    if any(part.kind is DocumentKind.LEAF for part in parts[1:]):
        yield error("A leaf stands where a CA has to.", "X509-SVID section 4.1 (X509-13)")


def _judge_links(certificates: Sequence[x509.Certificate]) -> Iterator[Finding]:
    for number, (lower, upper) in enumerate(pairwise(certificates), 1):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            yield error(
                f"Certificate {number} was not signed by the one after it.",
                "X509-SVID section 5.1 (X509-26)",
            )
    last = certificates[-1]
    if last.issuer == last.subject:
        yield note(
            "The root is in the chain, where nobody needs it.", "Workload API section 5.1 (WAPI-21)"
        )
