"""Offline inspection of SPIFFE documents: what they are, and which rules they break."""

from finial.spiffe.lint.inspection import DocumentKind, Finding, Inspection, Severity
from finial.spiffe.lint.recognise import lint

__all__ = ["DocumentKind", "Finding", "Inspection", "Severity", "lint"]
