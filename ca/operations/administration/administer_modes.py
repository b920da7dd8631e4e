"""Administrators say how much a callee lets rules decide: openly, audited, never by accident."""

from dataclasses import dataclass

from ca.events.access_rules import CalleeModeSet, CalleeModeUnset
from ca.events.happened import Actor
from ca.operations.world import World
from ca.registry.policy.policy_index import UNSET
from ca.registry.policy.stored import AuditLevel, CalleeMode
from finial.policy.decision import Mode
from finial.policy.id_pattern import IdPattern
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import is_reserved


@dataclass(frozen=True, slots=True)
class CalleeStanding:
    """What holds for a callee: its mode, by whom it was set, and how many policies may be about it.

    `own` tells a mode that was set for exactly this from one of a prefix above it, or of none.
    """

    callee: IdPattern
    holds: CalleeMode
    own: bool
    is_set: bool
    policies: int


def list_modes(world: World) -> tuple[CalleeMode, ...]:
    """Return the modes that were set, by callee."""
    return world.known.policies.modes


def callee_standing(world: World, callee: IdPattern) -> CalleeStanding:
    """Say what holds for a callee, or for those below a prefix that have no mode of their own."""
    policies = world.known.policies
    own, holds = policies.mode(callee), policies.mode_for(callee)
    return CalleeStanding(
        callee, holds, own is not None, holds is not UNSET, policies.count_about(callee)
    )


async def set_mode(
    world: World,
    actor: Actor,
    callee: IdPattern,
    mode: Mode,
    audit: AuditLevel = AuditLevel.DENIALS,
    *,
    expected_revision: int | None = None,
) -> CalleeStanding:
    """Set a callee's mode, or that of all below a prefix which have none of their own.

    Raises: Refusal of kind INVALID for an ID that no workload of ours can have; STALE.
    """
    _judge(world, callee)
    wanted = CalleeMode(
        callee=callee,
        mode=mode,
        audit=audit,
        changed_at=int(world.clock.now()),
        changed_by=actor.name,
    )
    before, after = await world.datastore.set_mode(wanted, expected_revision=expected_revision)
    await world.follower.caught_up()
    world.record(CalleeModeSet(actor, after, before.mode.value if before else ""))
    return callee_standing(world, callee)


async def unset_mode(world: World, actor: Actor, callee: IdPattern) -> None:
    """Forget a callee's own mode; what is above it holds again, and otherwise it is open.

    Raises: Refusal of kind NOT_FOUND.
    """
    before = await world.datastore.unset_mode(callee)
    await world.follower.caught_up()
    world.record(CalleeModeUnset(actor, before))


def _judge(world: World, callee: IdPattern) -> None:
    if callee.id.trust_domain != world.trust_domain:
        fault = "callees of another trust domain are not decided about here"
    elif is_reserved(callee.id):
        fault = "IDs at and below /spire are no workloads'"
    elif not callee.id.path and not callee.below:
        fault = "this is the trust domain itself, and no workload"
    else:
        return
    raise Refusal(Kind.INVALID, fault, field="callee", value=str(callee)[:80])
