"""Administrators say who may call whom: policies, all their versions, and what a change would do.

The order of a change: judge against what exists, store (durable), memory, the audit; agents are
told at once by whoever follows memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ca.datastore.policies import policy_not_found
from ca.events.access_rules import PolicyCreated, PolicyDeleted, PolicyUpdated
from ca.events.happened import Actor
from ca.operations.publish_policies import identities_asked_for
from ca.operations.world import World
from ca.registry.policy.stored import PolicyVersion, StoredPolicy
from finial.blocks import Block
from finial.policy.admission import Known, faults
from finial.policy.decision import Decision, Mode
from finial.policy.document import PolicyText, read_policy
from finial.policy.explanation import Change, Compared, changes, explain
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.spiffe.refusal import Kind, Refusal

MAX_POLICIES: Final = 50_000
MAX_TRIED: Final = 10_000
MOST_FAULTS: Final = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change of policies would do to some requests, of which `asked` were looked at."""

    faults: tuple[tuple[str, Refusal], ...]
    changes: tuple[Change, ...]
    asked: int


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of a request now, in the callee's mode, and what each policy says of it.

    A `block` of the caller or the callee refuses it, whatever the mode and the policies are.
    """

    request: Request
    mode: Mode
    decision: Decision
    compared: tuple[Compared, ...]
    block: Block | None = None


def list_policies(world: World) -> tuple[StoredPolicy, ...]:
    """Return all policies by name."""
    return tuple(world.known.policies)


def find_policy(world: World, policy_id: str) -> StoredPolicy:
    """Return one policy.

    Raises: Refusal of kind NOT_FOUND.
    """
    policy = world.known.policies.get(policy_id)
    if policy is None:
        raise policy_not_found(policy_id)
    return policy


async def policy_versions(world: World, policy_id: str) -> list[PolicyVersion]:
    """Return what a policy was, the latest first, also when it was deleted.

    Raises: Refusal of kind NOT_FOUND.
    """
    found = await world.datastore.policy_versions(policy_id)
    if not found:
        raise policy_not_found(policy_id)
    return found


async def create_policy(
    world: World, actor: Actor, text: PolicyText, *, enabled: bool = True
) -> StoredPolicy:
    """Register a policy.

    Raises: Refusal of kind INVALID with the reason; EXISTS when the name is taken; EXHAUSTED.
    """
    _judge(world, text)
    if len(world.known.policies) >= MAX_POLICIES:
        raise Refusal(Kind.EXHAUSTED, f"there are {MAX_POLICIES} policies, and no more are kept")
    now = int(world.clock.now())
    policy = StoredPolicy(
        id=world.entropy.uuid(),
        name=text.name,
        form=text.form,
        text=text.text,
        enabled=enabled,
        created_at=now,
        changed_at=now,
        changed_by=actor.name,
    )
    await world.datastore.create_policy(policy)
    await world.follower.caught_up()
    world.record(PolicyCreated(actor, policy))
    return policy


async def update_policy(
    world: World,
    actor: Actor,
    policy_id: str,
    text: PolicyText,
    *,
    enabled: bool = True,
    expected_revision: int | None = None,
) -> StoredPolicy:
    """Give a policy another text; the same again changes nothing.

    Raises: Refusal of kind INVALID with the reason; NOT_FOUND; STALE; EXISTS.
    """
    _judge(world, text)
    now = int(world.clock.now())

    def change(policy: StoredPolicy) -> StoredPolicy:
        if policy.says(text, enabled=enabled):
            return policy
        return policy.changed(text, enabled=enabled, now=now, who=actor.name)

    before = find_policy(world, policy_id)
    policy = await world.datastore.update_policy(
        policy_id, change, expected_revision=expected_revision
    )
    await world.follower.caught_up()
    if policy.revision != before.revision:
        world.record(PolicyUpdated(actor, policy))
    return policy


async def delete_policy(world: World, actor: Actor, policy_id: str) -> None:
    """Delete a policy; the modes of its callees stay, so that nothing is opened by it.

    Raises: Refusal of kind NOT_FOUND.
    """
    now = int(world.clock.now())
    policy = await world.datastore.delete_policy(policy_id, actor.name, now)
    await world.follower.caught_up()
    world.record(PolicyDeleted(actor, policy))


def try_policies(
    world: World,
    put: Sequence[PolicyText],
    removed: Iterable[str],
    requests: Sequence[Request],
) -> Trial:
    """Say which of these requests would be decided otherwise with these policies, without those.

    Everything is judged as if every callee enforced its rules.

    Raises: Refusal of kind EXHAUSTED for too many requests.
    """
    if len(requests) > MAX_TRIED:
        raise Refusal(
            Kind.EXHAUSTED, f"at most {MAX_TRIED} requests are tried at once", field="requests"
        )
    before = {each.name: each for each in world.known.policies.deciding}
    known = _known(world)
    wrong = tuple((each.name, fault) for each in put for fault in faults(each, known))
    if wrong:
        return Trial(wrong, (), 0)
    gone = frozenset(removed)
    after = {name: text for name, text in before.items() if name not in gone}
    after.update((each.name, each) for each in put)
    found = changes(_set_of(world, before.values()), _set_of(world, after.values()), requests)
    return Trial((), found, len(requests))


def explain_request(world: World, request: Request) -> Explained:
    """Say what becomes of a request now, and what keeps each policy from matching."""
    policies = world.known.policies
    mode = policies.mode_of(request.callee).mode
    about = policies.about(request.callee)
    decision = _set_of(world, about).decide(request, mode)
    identities = identities_asked_for(world)
    compared = explain(about, request, identities)
    blocks, now = world.known.blocks, world.clock.now()
    block = blocks.of_id(request.callee, now)
    if request.caller is not None:
        block = blocks.of_id(request.caller, now) or block
    return Explained(request, mode, decision, compared, block)


def callees_without_mode(world: World, text: PolicyText) -> tuple[str, ...]:
    """Say which callees a policy names that nobody gave a mode, so that it has no effect there."""
    named = {pattern for each in read_policy(text) for pattern in each.callees}
    policies = world.known.policies
    return tuple(
        str(each)
        for each in sorted(named)
        if policies.mode(each) is None and policies.is_unset(each.id)
    )


def _set_of(world: World, texts: Iterable[PolicyText]) -> PolicySet:
    statements = [statement for text in texts for statement in read_policy(text)]
    names: frozenset[str] = frozenset().union(*(each.attributes for each in statements))
    return PolicySet(0, statements, {}, world.known.attributes.of(world.known.entries, names))


def _judge(world: World, text: PolicyText) -> None:
    """Refuse a policy with all that is wrong with it, the first of it by field and value."""
    found = list(faults(text, _known(world)))
    if not found:
        return
    others = [f"{each.field} {each.value}: {each.detail}" for each in found[1:MOST_FAULTS]]
    raise Refusal(
        Kind.INVALID,
        "; ".join((found[0].detail, *others)),
        field=found[0].field,
        value=found[0].value,
        remedy=found[0].remedy,
    )


def _known(world: World) -> Known:
    names = {name for entry in world.known.entries for name, _ in entry.attributes}
    return Known(world.trust_domain, frozenset(world.known.federated.value), names)
