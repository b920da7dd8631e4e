"""SPIFFE IDs and trust domains (SPIFFE-ID)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from finial.spiffe.refusal import Kind, Refusal

MAX_ID_BYTES: Final = 2048
MAX_TRUST_DOMAIN_BYTES: Final = 255

_TOO_LONG: Final = "the SPIFFE ID is longer than 2048 bytes"

_SCHEME: Final = "spiffe://"
_EXAMPLE: Final = "spiffe://example.org/web"
_LONGEST_AUTHORITY: Final = len(_SCHEME) + MAX_TRUST_DOMAIN_BYTES
_NAME: Final = r"[a-z0-9._-]+"
_PATH: Final = r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)*"

# Always with fullmatch: `$` would let a final newline pass.
_whole = re.compile(f"{_SCHEME}({_NAME})({_PATH})", re.ASCII)
_name = re.compile(_NAME, re.ASCII)
_path = re.compile(_PATH, re.ASCII)

_FOREIGN_TO_NAMES: Final = {
    "?": "a SPIFFE ID has no query",
    "#": "a SPIFFE ID has no fragment",
    "@": "a SPIFFE ID has no user",
    "[": "a trust domain name is no IPv6 address",
    ":": "a SPIFFE ID has no port",
    "%": "a trust domain name has no percent-encoding",
}
_FOREIGN_TO_PATHS: Final = {
    "?": "a SPIFFE ID has no query",
    "#": "a SPIFFE ID has no fragment",
    "%": "a path has no percent-encoding",
}


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
        fault = _name_fault(text)
        if fault:
            raise _invalid("trust_domain", text, fault)
        return cls(text)

    @property
    def id(self) -> "SpiffeId":
        """The SPIFFE ID of the trust domain itself, which has no path."""
        return SpiffeId(self, "")

    def __hash__(self) -> int:
        return hash(self.name)

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
        # One match for all rules: this is read for every certificate, token and call.
        found = _whole.fullmatch(text) if len(text) <= MAX_ID_BYTES else None
        if found is None or found.end(1) > _LONGEST_AUTHORITY:
            raise _invalid("spiffe_id", text, _id_fault(text), "write it like " + _EXAMPLE)
        return cls(_trust_domain(found[1]), found[2])

    @classmethod
    def of(cls, trust_domain: TrustDomain, path: str) -> Self:
        """Join a trust domain and a path, which is empty or begins with a slash.

        Raises: Refusal of kind INVALID.
        """
        fault = _path_fault(path)
        if fault:
            raise _invalid("spiffe_id", path, fault)
        if len(_SCHEME) + len(trust_domain.name) + len(path) > MAX_ID_BYTES:
            raise _invalid("spiffe_id", path, _TOO_LONG)
        return cls(trust_domain, path)

    def __hash__(self) -> int:
        # Most IDs of one process are of one trust domain, and they are looked up all the time.
        return hash(self.path)

    def is_under(self, prefix: str) -> bool:
        """Whether the path is `prefix` or lies below it, segment by segment."""
        return self.path == prefix or self.path.startswith(prefix + "/")

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain.name}{self.path}"


@lru_cache(maxsize=1024)
def _trust_domain(judged: str) -> TrustDomain:
    # One value for each name spares the memory of tens of thousands of equal ones.
    return TrustDomain(judged)


def _id_fault(text: str) -> str:
    if not text.startswith(_SCHEME):
        return "a SPIFFE ID begins with spiffe://"
    name, slash, path = text[len(_SCHEME) :].partition("/")
    return _name_fault(name) or _path_fault(slash + path) or _TOO_LONG


def _name_fault(name: str) -> str:
    if not name:
        return "the trust domain name is empty"
    if len(name) > MAX_TRUST_DOMAIN_BYTES:
        return "the trust domain name is longer than 255 bytes"
    if _name.fullmatch(name):
        return ""
    return _foreign(
        name, _FOREIGN_TO_NAMES, "a trust domain name holds only a-z, 0-9, '.', '-', '_'"
    )


def _path_fault(path: str) -> str:
    if _path.fullmatch(path):
        return ""
    if not path.startswith("/"):
        return "a path begins with a slash"
    if path.endswith("/"):
        return "a path has no slash at its end"
    segments = path[1:].split("/")
    if "" in segments:
        return "a path has no empty segment"
    if "." in segments or ".." in segments:
        return "a path has no segment '.' or '..'"
    fault = "a path segment holds only a-z, A-Z, 0-9, '.', '-' and '_'"
    return _foreign(path, _FOREIGN_TO_PATHS, fault)


def _foreign(text: str, faults: Mapping[str, str], otherwise: str) -> str:
    return next((fault for mark, fault in faults.items() if mark in text), otherwise)


def _invalid(field: str, text: str, fault: str, remedy: str = "") -> Refusal:
    # Shown with escapes, since what was refused may hold anything at all.
    return Refusal(Kind.INVALID, fault, field=field, value=ascii(text[:80])[1:-1], remedy=remedy)
