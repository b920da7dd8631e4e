"""ETags: an entry's revision is its ETag, and a stale `If-Match` changes nothing (RFC 9110)."""

import re

from finial.spiffe.refusal import Kind, Refusal

_TAG = re.compile(r'"([0-9]{1,18})"', re.ASCII)


def etag(revision: int) -> str:
    """Write a revision as an ETag."""
    return f'"{revision}"'


def expected_revision(if_match: str | None) -> int | None:
    """Read `If-Match`: the revision that is expected, or none if any will do.

    Raises: Refusal of kind INVALID for what is no ETag of ours, STALE for a weak one.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip()
    if tag.startswith("W/"):
        raise Refusal(Kind.STALE, "a weak ETag never matches", field="If-Match", value=tag[:80])
    found = _TAG.fullmatch(tag)
    if found is None:
        raise Refusal(
            Kind.INVALID,
            "If-Match is not one ETag of an entry",
            field="If-Match",
            value=tag[:80],
            remedy='send the ETag of the answer to a GET, such as "3"',
        )
    return int(found[1])
