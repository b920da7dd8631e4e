"""Who may call whom: `/v1/policies`, and how much each callee lets rules decide: `/v1/callees`."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response, Security

from ca.api.rest.access import Administrator, authorized, world_of
from ca.api.rest.preconditions import etag, expected_revision
from ca.api.rest.shapes.ids import whole_id
from ca.api.rest.shapes.paging import DEFAULT_SIZE, Size, Token
from ca.api.rest.shapes.parsing import required
from ca.api.rest.shapes.policy import (
    AppliedDocument,
    ApplyWish,
    CalleeDocument,
    ExplainedDocument,
    ModeDocument,
    ModeWish,
    PolicyDocument,
    PolicyWish,
    RequestShape,
    TrialDocument,
    TrialWish,
    VersionDocument,
)
from ca.api.rest.shapes.shape import Page
from ca.operations.administration.administer_modes import (
    callee_standing,
    list_modes,
    set_mode,
    unset_mode,
)
from ca.operations.administration.administer_policies import (
    apply_policies,
    callees_without_mode,
    create_policy,
    delete_policy,
    explain_request,
    find_policy,
    list_policies,
    policy_versions,
    try_policies,
    update_policy,
)
from ca.operations.world import World
from ca.registry.api_token import Scope
from ca.registry.policy.stored import StoredPolicy
from finial.policy.id_pattern import IdPattern
from finial.spiffe.refusal import Kind, Refusal

router = APIRouter(prefix="/v1", tags=["policies"])

Reader = Annotated[Administrator, Security(authorized, scopes=[Scope.POLICIES_READ])]
Writer = Annotated[Administrator, Security(authorized, scopes=[Scope.POLICIES_WRITE])]
IfMatch = Annotated[str | None, Header()]


@router.post("/policies", status_code=201)
async def make_policy(
    request: Request, response: Response, caller: Writer, body: PolicyWish
) -> PolicyDocument:
    """Register a policy; one that can never match, or names what is not known, is refused."""
    world = world_of(request)
    policy = await create_policy(world, caller.actor, body.text, enabled=body.enabled)
    return _shown(world, response, policy)


@router.get("/policies")
async def get_policies(
    request: Request, caller: Reader, size: Size = DEFAULT_SIZE, token: Token = ""
) -> Page[PolicyDocument]:
    """List policies by name."""
    page = list_policies(world_of(request), size, token)
    items = [PolicyDocument.of(each) for each in page.items]
    return Page(items=items, next_page_token=page.next_token)


@router.post("/policies:apply")
async def apply(request: Request, caller: Writer, body: ApplyWish) -> Page[AppliedDocument]:
    """Register policies, or change and enable those that have their names: all or none of them."""
    world = world_of(request)
    if not all(each.enabled for each in body.put):
        raise Refusal(Kind.INVALID, "what is applied is enabled", field="enabled")
    done = await apply_policies(world, caller.actor, [each.text for each in body.put])
    items = [
        AppliedDocument.of(before, after, callees_without_mode(world, after.told))
        for before, after in done
    ]
    return Page(items=items, next_page_token="")


@router.post("/policies:try")
async def try_change(request: Request, caller: Reader, body: TrialWish) -> TrialDocument:
    """Say which of these requests a change would have decided otherwise; nothing is changed."""
    world = world_of(request)
    put = [each.text for each in body.put]
    requests = [each.request for each in body.requests]
    return TrialDocument.of(await try_policies(world, put, body.remove, requests))


@router.post("/policies:explain")
async def explain(request: Request, caller: Reader, body: RequestShape) -> ExplainedDocument:
    """Say what becomes of a request, by which policies, and what keeps the others from matching."""
    return ExplainedDocument.of(explain_request(world_of(request), body.request))


@router.get("/policies/{policy_id}")
async def get_policy(
    request: Request, response: Response, caller: Reader, policy_id: str
) -> PolicyDocument:
    """Show one policy."""
    world = world_of(request)
    return _shown(world, response, find_policy(world, policy_id))


@router.get("/policies/{policy_id}/versions")
async def get_versions(request: Request, caller: Reader, policy_id: str) -> Page[VersionDocument]:
    """List what a policy was, the latest first, also after its deletion."""
    found = await policy_versions(world_of(request), policy_id)
    return Page(items=[VersionDocument.of(each) for each in found], next_page_token="")


@router.put("/policies/{policy_id}")
async def replace_policy(
    *,
    request: Request,
    response: Response,
    caller: Writer,
    policy_id: str,
    body: PolicyWish,
    if_match: IfMatch = None,
) -> PolicyDocument:
    """Give a policy another text or name; with `If-Match`, only at that revision."""
    world = world_of(request)
    policy = await update_policy(
        world,
        caller.actor,
        policy_id,
        body.text,
        enabled=body.enabled,
        expected_revision=expected_revision(if_match),
    )
    return _shown(world, response, policy)


@router.delete("/policies/{policy_id}", status_code=204)
async def remove_policy(request: Request, caller: Writer, policy_id: str) -> None:
    """Delete a policy; modes stay as they are."""
    await delete_policy(world_of(request), caller.actor, policy_id)


@router.get("/callees")
async def get_modes(request: Request, caller: Reader) -> Page[ModeDocument]:
    """List the modes that were set, by callee."""
    found = list_modes(world_of(request))
    return Page(items=[ModeDocument.of(each) for each in found], next_page_token="")


@router.get("/callees/{callee:path}")
async def get_callee(request: Request, caller: Reader, callee: str) -> CalleeDocument:
    """Say what holds for a callee, given by its SPIFFE ID or its path alone."""
    world = world_of(request)
    return CalleeDocument.of(callee_standing(world, _pattern(world, callee)))


@router.put("/callees/{callee:path}")
async def put_mode(
    *,
    request: Request,
    caller: Writer,
    callee: str,
    body: ModeWish,
    if_match: IfMatch = None,
) -> CalleeDocument:
    """Set how much a callee, or all below a prefix such as `team-a/*`, lets rules decide."""
    world = world_of(request)
    found = await set_mode(
        world,
        caller.actor,
        _pattern(world, callee),
        body.mode,
        body.audit,
        expected_revision=expected_revision(if_match),
    )
    return CalleeDocument.of(found)


@router.delete("/callees/{callee:path}", status_code=204)
async def delete_mode(request: Request, caller: Writer, callee: str) -> None:
    """Forget a callee's own mode; what was set above it holds again, and otherwise it is open."""
    world = world_of(request)
    await unset_mode(world, caller.actor, _pattern(world, callee))


def _shown(world: World, response: Response, policy: StoredPolicy) -> PolicyDocument:
    response.headers["ETag"] = etag(policy.revision)
    without = callees_without_mode(world, policy.told) if policy.enabled else ()
    return PolicyDocument.of(policy, without)


def _pattern(world: World, text: str) -> IdPattern:
    return required("callee", whole_id(world.trust_domain, text), IdPattern.parse)
