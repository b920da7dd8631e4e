"""Whether a registration entry may be stored, and in what form (spire-features 7.6)."""

import re
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from ca.registry.admission.attributes import judge_attributes, judge_text
from ca.registry.admission.dns_name import judge_dns_names
from ca.registry.entry import Entry
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import (
    SERVER_PATH,
    is_agent,
    is_reserved,
    judge_member,
    judge_workload_id,
)

MAX_HINT_BYTES: Final = 1024
MAX_SELECTORS: Final = 512
MAX_SELECTOR_BYTES: Final = 8192
MAX_DNS_NAMES: Final = 256
MAX_TTL_SECONDS: Final = 2**31 - 1
MAX_UNIX_SECONDS: Final = 253402300799  # the last second of the year 9999, as in certificates

_ENTRY_ID = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)


def judge_entry(
    entry: Entry, trust_domain: TrustDomain, known_bundles: Collection[TrustDomain]
) -> Entry:
    """Give the entry back in the form in which it is stored: sorted, without duplicates.

    Its ID has been chosen before. `known_bundles` are the trust domains with a stored bundle.

    Raises: Refusal of kind INVALID, naming field, value and remedy.
    Spec: spire-features 7.6, BE-01 to BE-10; X509-SVID section 3.1 (X509-05).
    """
    judge_entry_id(entry.id)
    judge_workload_id(entry.spiffe_id, trust_domain)
    _judge_parent(entry.parent_id, trust_domain)
    selectors = judge_selectors(entry.selectors)
    _judge_lifetimes(entry)
    _judge_storing(entry, selectors)
    return msgspec.structs.replace(
        entry,
        selectors=selectors,
        federates_with=_judge_federation(entry.federates_with, trust_domain, known_bundles),
        dns_names=_judge_names(entry.dns_names),
        hint=judge_text(entry.hint, "hint", MAX_HINT_BYTES),
        attributes=judge_attributes(entry.attributes),
    )


def judge_entry_id(entry_id: str) -> str:
    """Give the entry ID back when it is 1 to 255 of letters, digits, '.', '_' and '-' (BE-06).

    Raises: Refusal of kind INVALID.
    """
    if not _ENTRY_ID.fullmatch(entry_id):
        raise _invalid(
            "id",
            entry_id,
            "an entry ID has 1 to 255 letters, digits, '.', '_' and '-'",
            "leave it out to have one made",
        )
    return entry_id


def judge_selectors(selectors: Iterable[Selector]) -> tuple[Selector, ...]:
    """Sort the selectors and drop repeated ones: 1 to 512, each of at most 8192 bytes (BE-03).

    Raises: Refusal of kind INVALID.
    """
    judged = tuple(sorted({Selector.of(each.type, each.value) for each in selectors}))
    if not judged:
        raise _invalid(
            "selectors",
            "",
            "an entry has at least one selector",
            "say whom it is for, such as unix:uid:1000",
        )
    if len(judged) > MAX_SELECTORS:
        raise _invalid(
            "selectors", str(len(judged)), "an entry has at most 512 selectors", "leave some out"
        )
    for selector in judged:
        judge_text(str(selector), "selectors", MAX_SELECTOR_BYTES)
    return judged


def _judge_parent(parent: SpiffeId, trust_domain: TrustDomain) -> None:
    judge_member(parent, trust_domain, "parent_id")
    if is_reserved(parent) and not is_agent(parent) and parent.path != SERVER_PATH:
        raise _invalid(
            "parent_id",
            str(parent),
            "a parent under /spire is an agent or the server",
            "give the ID of an agent, of /spire/server, or of another entry",
        )


def _judge_lifetimes(entry: Entry) -> None:
    for field in ("x509_svid_ttl", "jwt_svid_ttl"):
        _judge_number(field, getattr(entry, field), MAX_TTL_SECONDS, "0 for the server's default")
    _judge_number("expires_at", entry.expires_at, MAX_UNIX_SECONDS, "0 for never")


def _judge_number(field: str, value: int, greatest: int, zero: str) -> None:
    if not 0 <= value <= greatest:
        raise _invalid(field, str(value), f"{field} is 0 to {greatest} seconds", f"give {zero}")


def _judge_storing(entry: Entry, selectors: tuple[Selector, ...]) -> None:
    if not entry.store_svid:
        return
    types = sorted({selector.type for selector in selectors})
    if len(types) > 1:
        raise _invalid(
            "selectors",
            ", ".join(types)[:80],
            "an entry with store_svid has selectors of one type",
            "make one entry for each store",
        )
    if entry.disable_x509_svid_prefetch:
        raise _invalid(
            "disable_x509_svid_prefetch",
            "true",
            "an SVID that is stored has to be fetched ahead",
            "choose store_svid or disable_x509_svid_prefetch",
        )


def _judge_federation(
    federates_with: Iterable[TrustDomain],
    own: TrustDomain,
    known_bundles: Collection[TrustDomain],
) -> tuple[TrustDomain, ...]:
    judged = tuple(sorted(set(federates_with)))
    for domain in judged:
        if domain == own:
            fault, remedy = "an entry federates with other trust domains only", "leave it out"
        elif domain not in known_bundles:
            fault, remedy = "no bundle of this trust domain is known", "set its bundle first"
        else:
            continue
        raise _invalid("federates_with", domain.name, fault, remedy)
    return judged


def _judge_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > MAX_DNS_NAMES:
        raise _invalid(
            "dns_names", str(len(names)), "an entry has at most 256 DNS names", "leave some out"
        )
    return judge_dns_names(names)


def _invalid(field: str, value: str, fault: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field=field, value=value[:80], remedy=remedy)
