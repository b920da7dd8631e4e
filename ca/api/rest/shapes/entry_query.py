"""Which entries a list is asked for."""

from typing import Annotated, Literal

from fastapi import Query

from ca.api.rest.shapes.parsing import parsed, parsed_set
from ca.registry.entry_filter import EntryFilter
from ca.registry.match import Match
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector

MatchName = Literal["exact", "subset", "superset", "any"]
Texts = Annotated[list[str] | None, Query(max_length=64)]


def entry_filter(
    *,
    spiffe_id: str | None = None,
    parent_id: str | None = None,
    selector: Texts = None,
    selector_match: MatchName = "superset",
    federates_with: Texts = None,
    federates_with_match: MatchName = "superset",
    hint: str | None = None,
    downstream: bool | None = None,
) -> EntryFilter:
    """Read the parameters of a query; one that is left out matches every entry.

    Raises: Refusal of kind INVALID.
    """
    return EntryFilter(
        spiffe_id=parsed("spiffe_id", spiffe_id, SpiffeId.parse),
        parent_id=parsed("parent_id", parent_id, SpiffeId.parse),
        selectors=parsed_set("selector", selector, Selector.parse),
        selectors_match=Match[selector_match.upper()],
        federates_with=parsed_set("federates_with", federates_with, TrustDomain.parse),
        federates_with_match=Match[federates_with_match.upper()],
        hint=hint,
        downstream=downstream,
    )
