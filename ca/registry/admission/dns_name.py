"""Which DNS names an SVID may carry."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from finial.spiffe.refusal import Kind, Refusal

MAX_DNS_NAME_BYTES: Final = 253
MAX_LABEL_BYTES: Final = 63

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)


def judge_dns_name(name: str) -> str:
    """Give the name back when it is fit for a certificate: lower-case ASCII, at most 253 bytes.

    One leading `*.` is allowed, a final dot is not; `xn--` labels are well-formed (BE-04).

    Raises: Refusal of kind INVALID.
    """
    bare = name.removeprefix("*.")
    if not name:
        raise _invalid(name, "a DNS name is not empty")
    if len(name) > MAX_DNS_NAME_BYTES:
        raise _invalid(name, "a DNS name has at most 253 bytes")
    if bare.endswith("."):
        raise _invalid(name, "a DNS name has no dot at its end")
    if "*" in bare:
        raise _invalid(name, "a DNS name has at most one wildcard, as its whole first label")
    for label in bare.split("."):
        fault = _label_fault(label)
        if fault:
            raise _invalid(name, fault)
    return name


def judge_dns_names(names: Iterable[str]) -> tuple[str, ...]:
    """Judge each name and drop repeated ones, keeping the order.

    Raises: Refusal of kind INVALID.
    """
    return tuple(dict.fromkeys(map(judge_dns_name, names)))


def judge_wildcards(names: Iterable[str]) -> None:
    """Refuse a list in which a wildcard covers another of the names.

    Raises: Refusal of kind INVALID.
    """
    present = frozenset(names)
    for name in sorted(present):
        _, dot, parent = name.partition(".")
        if dot and not name.startswith("*.") and f"*.{parent}" in present:
            raise _invalid(name, f"the DNS name is covered by the wildcard *.{parent}")


def _label_fault(label: str) -> str:
    if not label:
        return "a DNS name has no empty label"
    if len(label) > MAX_LABEL_BYTES:
        return "a label of a DNS name has at most 63 bytes"
    if not _LABEL.fullmatch(label):
        return "a label of a DNS name holds only a-z, 0-9 and, inside, '-'"
    if label[2:4] == "--" and not _is_punycode(label):
        return "a label of a DNS name has '--' at its third place only in a well-formed xn-- label"
    return ""


def _is_punycode(label: str) -> bool:
    """Whether an `xn--` label stands for a text that has no other way of being written."""
    encoded = label.removeprefix("xn--")
    try:
        text = encoded.encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return (
        encoded != label
        and not text.isascii()
        and text == unicodedata.normalize("NFKC", text.casefold())
        and text.encode("punycode").decode("ascii") == encoded
        and all(unicodedata.category(each)[0] in "LMN" or each == "-" for each in text)
    )


def _invalid(name: str, fault: str) -> Refusal:
    return Refusal(
        Kind.INVALID,
        fault,
        field="dns_names",
        value=name[:80],
        remedy="write it like web.example.org or *.example.org",
    )
