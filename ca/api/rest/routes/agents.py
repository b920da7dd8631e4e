"""Agents: `/v1/agents`, each below the path that follows /spire/agent/ in its SPIFFE ID."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.shapes.agent import AgentDocument, node_filter
from ca.api.rest.shapes.explanation import ExplanationDocument
from ca.api.rest.shapes.paging import DEFAULT_SIZE, Size, Token
from ca.api.rest.shapes.shape import Count, Page
from ca.operations.administration.administer_agents import (
    ban_agent,
    count_agents,
    evict_agent,
    find_agent,
    list_agents,
)
from ca.operations.explain_process import Subject, explain_process
from ca.operations.world import World
from ca.registry.api_token import Scope
from ca.registry.nodes.node_filter import NodeFilter
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import agent_id

router = APIRouter(prefix="/v1", tags=["agents"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.AGENTS_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.AGENTS_WRITE])]
Explainer = Annotated[
    Administrator, Security(authorized, scopes=[Scope.AGENTS_READ, Scope.ENTRIES_READ])
]
Pid = Annotated[int | None, Query(ge=1, le=2**22)]
Filter = Annotated[NodeFilter, Depends(node_filter)]


@router.get("/agents")
async def get_agents(
    request: Request, caller: Reader, wanted: Filter, size: Size = DEFAULT_SIZE, token: Token = ""
) -> Page[AgentDocument]:
    """List the agents that have attested."""
    page = list_agents(world_of(request), wanted, size, token)
    return Page[AgentDocument].model_construct(
        items=[AgentDocument.of(node) for node in page.items], next_page_token=page.next_token
    )


@router.get("/agents:count")
async def get_count(request: Request, caller: Reader, wanted: Filter) -> Count:
    """Count agents."""
    return Count(count=count_agents(world_of(request), wanted))


@router.post("/agents/{path:path}:ban", status_code=204)
async def ban(request: Request, caller: Writer, path: str) -> None:
    """Take an agent's identity away; it cannot attest again until it is evicted."""
    world = world_of(request)
    await ban_agent(world, caller.actor, _id(world, path))


@router.get(
    "/agents/{path:path}/explain",
    response_class=Response,
    responses={200: {"model": ExplanationDocument}},
)
async def explain(
    *,
    request: Request,
    caller: Explainer,
    path: str,
    pid: Pid = None,
    refusal: str | None = None,
    simulate_pid: Pid = None,
) -> Response:
    """Ask an agent why a process got what it got, or what it would get; add other agents' entries.

    Exactly one of `pid`, `refusal` and `simulate_pid` says what to explain.
    """
    world = world_of(request)
    subject = Subject(pid, refusal, simulate_pid)
    explanation = await explain_process(world, _id(world, path), subject)
    return Response(explanation.encoded(), media_type="application/json")


@router.get("/agents/{path:path}")
async def get_agent(request: Request, caller: Reader, path: str) -> AgentDocument:
    """Show one agent."""
    world = world_of(request)
    return AgentDocument.of(find_agent(world, _id(world, path)))


@router.delete("/agents/{path:path}", status_code=204)
async def evict(request: Request, caller: Writer, path: str) -> None:
    """Forget an agent; it may attest again where its attestor allows that."""
    world = world_of(request)
    await evict_agent(world, caller.actor, _id(world, path))


def _id(world: World, path: str) -> SpiffeId:
    return agent_id(world.trust_domain, "/" + path)
