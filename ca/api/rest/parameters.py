"""A query's parameters: one that a route does not know is refused.

A misspelt filter would be passed over otherwise, and the answer taken for the filtered one.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from finial.spiffe.refusal import Kind, Refusal

PAGES: Final = frozenset({"page_size", "page_token"})
"""What every list takes, also one that always has a single page."""


async def judge_parameters(request: Request) -> None:
    """Refuse a request that names a parameter which its route has not.

    Raises: Refusal of kind INVALID.
    """
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = PAGES.union(_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise Refusal(
                Kind.INVALID,
                "there is no such parameter",
                field=name[:80],
                remedy=f"did you mean {near[0]}?" if near else "see /openapi.json",
            )


def _names(dependant: Dependant) -> Iterator[str]:
    for each in dependant.query_params:
        yield each.alias
    for below in dependant.dependencies:
        yield from _names(below)
