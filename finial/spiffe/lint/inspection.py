"""What an inspection finds, as values that a command can print."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

MAX_SHOWN: Final = 2200
"""Characters; the longest SPIFFE ID is shown whole."""


class DocumentKind(enum.StrEnum):
    """What a document turned out to be."""

    LEAF = "X509-SVID certificate"
    AUTHORITY = "X.509 signing certificate"
    CHAIN = "X.509 certificate chain"
    SPIFFE_BUNDLE = "SPIFFE bundle"
    BUNDLE_MAP = "SPIFFE bundle map"
    JWKS = "JWK Set"
    KEY = "JSON Web Key"
    TOKEN = "JWT-SVID"  # noqa: S105 - a name, not a secret


class Severity(enum.StrEnum):
    """How bad a finding is: a MUST broken, a SHOULD broken, or something good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation, with the clause it rests on, such as `X509-SVID section 4.3 (X509-20)`."""

    severity: Severity
    sentence: str
    clause: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """A document or a part of it: its fields in reading order, its findings, and its parts.

    `name` says which part this is, such as `certificate 1`; it is empty for the whole document.
    """

    kind: DocumentKind
    fields: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    parts: tuple["Inspection", ...] = ()
    name: str = ""

    def all_findings(self) -> Iterator[tuple[str, Finding]]:
        """Every finding with the name of its part, those of the whole document first."""
        for finding in self.findings:
            yield self.name, finding
        for part in self.parts:
            for name, finding in part.all_findings():
                yield f"{self.name}: {name}" if self.name else name, finding

    @property
    def flawless(self) -> bool:
        """Whether no MUST is broken anywhere."""
        return all(found.severity is not Severity.ERROR for _, found in self.all_findings())


def error(sentence: str, clause: str) -> Finding:
    """A broken MUST."""
    return Finding(Severity.ERROR, sentence, clause)


def warning(sentence: str, clause: str) -> Finding:
    """A broken SHOULD, or what some software will not take."""
    return Finding(Severity.WARNING, sentence, clause)


def note(sentence: str, clause: str) -> Finding:
    """Something good to know."""
    return Finding(Severity.NOTE, sentence, clause)


def utc(seconds: float) -> str:
    """Write an instant in Unix seconds as people read it, or as a number beyond the year 9999."""
    if not 0 <= seconds < 253402300800:
        return str(seconds)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(text: str) -> str:
    """Make a stranger's text fit to print: no control characters, and not without end."""
    cut = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in cut)
