"""Who called whom: `/v1/traffic`."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.paging import DEFAULT_SIZE, Size
from ca.api.rest.shapes.times import Instant
from ca.api.rest.shapes.traffic import Ids, LongToken, TrafficPage, traffic_filter
from ca.operations.collect_traffic import traffic
from ca.registry.api_token import Scope
from ca.registry.traffic.flow import By
from finial.traffic import Means, Outcome

router = APIRouter(prefix="/v1", tags=["traffic"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.TRAFFIC_READ])]
Age = Annotated[
    float, Query(ge=0, le=3600, description="How many seconds old what is told may be.")
]


@router.get("/traffic")
async def get_traffic(
    *,
    request: Request,
    reader: Reader,
    by: By = By.PAIRS,
    caller: Ids = None,
    callee: Ids = None,
    outcome: Annotated[list[Outcome] | None, Query()] = None,
    means: Annotated[list[Means] | None, Query()] = None,
    agent: Ids = None,
    since: Annotated[Instant | None, Query(description="Seen since then.")] = None,
    max_age: Age = 1.0,
    size: Size = DEFAULT_SIZE,
    token: LongToken = "",
) -> TrafficPage:
    """Say who called whom, how often, since when, and what came of it.

    Pairs of caller and callee, or kinds of requests; IDs may be prefixes such as
    `spiffe://example.org/team-a/*`, and the caller `-` for those without an identity. This server
    remembers what agents told it since it started, of bounded size.
    """
    world = world_of(request)
    wanted = traffic_filter(
        world.trust_domain,
        caller=caller,
        callee=callee,
        outcomes=frozenset(outcome) if outcome else None,
        means=frozenset(means) if means else None,
        agent=agent,
        since=since,
    )
    return TrafficPage.of(await traffic(world, wanted, by, size, token, max_age=max_age))
