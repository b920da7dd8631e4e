"""SPIFFE IDs and trust domains (SPIFFE-ID)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from finial.spiffe.refusal import Kind, Refusal

MAX_ID_BYTES: Final = 2048
MAX_TRUST_DOMAIN_BYTES: Final = 255

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+", re.ASCII)
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)*", re.ASCII)
_SCHEME = "spiffe://"


@dataclass(frozen=True, slots=True, order=True)
class TrustDomain:
    """The name of a trust domain, such as `example.org`.

    Spec: SPIFFE-ID section 2.1 (ID-02, ID-05 to ID-10, ID-18).
    """

    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a bare trust domain name: 1 to 255 bytes of `a-z 0-9 . - _`.

        Raises: Refusal of kind INVALID.
        """
        if not text:
            raise _invalid(text, "the trust domain name is empty")
        if len(text) > MAX_TRUST_DOMAIN_BYTES:
            raise _invalid(text, "the trust domain name is longer than 255 bytes")
        if not _TRUST_DOMAIN.fullmatch(text):
            raise _invalid(text, "a trust domain name holds only a-z, 0-9, '.', '-' and '_'")
        return cls(text)

    @property
    def id(self) -> "SpiffeId":
        """The SPIFFE ID of the trust domain itself, which has no path."""
        return SpiffeId(self, "")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, order=True)
class SpiffeId:
    """A SPIFFE ID; `path` is empty (the trust domain itself) or begins with a slash.

    Spec: SPIFFE-ID section 2 (ID-01 to ID-19).
    """

    trust_domain: TrustDomain
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a whole `spiffe://...` text of at most 2048 bytes.

        Raises: Refusal of kind INVALID.
        """
        if not text.startswith(_SCHEME):
            raise _invalid(text, "a SPIFFE ID begins with spiffe://")
        name, slash, rest = text[len(_SCHEME) :].partition("/")
        return cls.of(TrustDomain.parse(name), slash + rest)

    @classmethod
    def of(cls, trust_domain: TrustDomain, path: str) -> Self:
        """Join a trust domain and a path, which is empty or begins with a slash.

        Raises: Refusal of kind INVALID.
        """
        if not _PATH.fullmatch(path):
            raise _invalid(path, _path_fault(path))
        found = cls(trust_domain, path)
        if len(str(found)) > MAX_ID_BYTES:
            raise _invalid(path, "the SPIFFE ID is longer than 2048 bytes")
        return found

    def is_under(self, prefix: str) -> bool:
        """Whether the path is `prefix` or lies below it, segment by segment."""
        return self.path == prefix or self.path.startswith(prefix + "/")

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain.name}{self.path}"


def _path_fault(path: str) -> str:
    if not path.startswith("/"):
        return "a path begins with a slash"
    if path.endswith("/"):
        return "a path has no slash at its end"
    segments = path[1:].split("/")
    if "" in segments:
        return "a path has no empty segment"
    if "." in segments or ".." in segments:
        return "a path has no segment '.' or '..'"
    return "a path segment holds only a-z, A-Z, 0-9, '.', '-' and '_'"


def _invalid(text: str, fault: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="spiffe_id", value=text[:80])
