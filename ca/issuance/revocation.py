"""A certificate revocation list before it is signed (RFC 5280 section 5).

A list is good for as long as its authority is: an agent that is cut off from us for hours goes on
giving the last one, and verifiers that insist on a list go on working. Whatever changes makes a new
list with a higher number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ca.issuance.issuer import Issuer
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.validity import BACKDATE


@dataclass(frozen=True, slots=True)
class Revoked:
    """One certificate that is revoked, and since when, in Unix seconds."""

    serial: int
    since: int


@dataclass(frozen=True, slots=True)
class CrlDraft:
    """Everything that a revocation list will say; `revoked` is sorted by serial number."""

    issuer: Issuer
    number: int
    this_update: int
    next_update: int
    revoked: tuple[Revoked, ...]


def draft_crl(issuer: Issuer, number: int, now: float, revoked: Iterable[Revoked]) -> CrlDraft:
    """Draft an authority's list; `number` is higher than that of any list before it.

    Raises: Refusal of kind PRECONDITION when the authority has expired.
    """
    this_update = max(int(now) - int(BACKDATE), issuer.not_before)
    if issuer.not_after <= this_update:
        raise Refusal(
            Kind.PRECONDITION,
            "an authority that has expired signs no revocation list",
            field="authority_id",
            value=issuer.authority_id,
        )
    # Nothing on a list happened after it was made, whatever the clocks of its makers say.
    rows = {each.serial: min(each.since, this_update) for each in revoked}
    return CrlDraft(
        issuer,
        number,
        this_update,
        issuer.not_after,
        tuple(Revoked(serial, since) for serial, since in sorted(rows.items())),
    )
