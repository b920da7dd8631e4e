"""What the author of an entry may not have meant: warnings, never refusals."""

from typing import Final

from ca.registry.entry import Entry

_WEAK_TYPES: Final = {"path", "sha256"}
_LIFETIMES_OF_A_CA: Final = 6


def advise(entry: Entry, ca_ttl: float) -> tuple[str, ...]:
    """Warn about an entry; `ca_ttl` is the lifetime of our authorities in seconds (SC-10)."""
    found = (_by_path_alone(entry), _as_root(entry), _too_long(entry, ca_ttl), _by_group(entry))
    return tuple(warning for warning in found if warning)


def _names(entry: Entry) -> set[str]:
    return {selector.value.partition(":")[0] for selector in entry.selectors}


def _is_unix(entry: Entry) -> bool:
    return all(selector.type == "unix" for selector in entry.selectors)


def _by_path_alone(entry: Entry) -> str:
    if not _is_unix(entry) or not _names(entry) <= _WEAK_TYPES:
        return ""
    return (
        "told apart only by the program's file: every user who can run it gets this identity; "
        "add unix:uid:N"
    )


def _as_root(entry: Entry) -> str:
    only_root = {str(selector) for selector in entry.selectors} <= {"unix:uid:0", "unix:gid:0"}
    return "every process of root on the node gets this identity" if only_root else ""


def _by_group(entry: Entry) -> str:
    if not _is_unix(entry) or not _names(entry) <= {"gid", "group"}:
        return ""
    return "every process of the group gets this identity; add unix:uid:N"


def _too_long(entry: Entry, ca_ttl: float) -> str:
    if entry.x509_svid_ttl <= ca_ttl / _LIFETIMES_OF_A_CA:
        return ""
    return (
        f"x509_svid_ttl of {entry.x509_svid_ttl} s is longer than a sixth of the authorities' "
        f"lifetime ({ca_ttl:g} s): SVIDs will often be cut short"
    )
