"""Administrators say who may call whom: policies, all their versions, and what a change would do.

The order of a change: judge against what exists, store (durable), memory, the audit; agents are
told at once by whoever follows memory.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ca.datastore.policies import policy_not_found
from ca.events.access_rules import PolicyCreated, PolicyDeleted, PolicyUpdated
from ca.events.happened import Actor
from ca.operations.administration.administer_modes import is_served
from ca.operations.publish_policies import identities_asked_for
from ca.operations.world import World
from ca.registry.page import Page
from ca.registry.policy.policy_index import UNSET
from ca.registry.policy.stored import PolicyVersion, StoredPolicy
from finial.blocks import Block
from finial.policy.admission import Known, faults
from finial.policy.decision import Decision, Mode
from finial.policy.document import PolicyText, read_policy
from finial.policy.explanation import Change, Compared, changes, explain
from finial.policy.id_pattern import IdPattern
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId
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

    A `block` of the caller or the callee refuses it, whatever the mode and the policies are. The
    caller is `strange` where it is of a trust domain that the callee does not federate with: then
    no policy is asked, but for the mode. A callee that no entry grants is not `served`: no agent is
    asked about it.
    """

    request: Request
    mode: Mode
    decision: Decision
    compared: tuple[Compared, ...]
    block: Block | None = None
    strange: bool = False
    served: bool = True

    @property
    def lets_through(self) -> bool:
        """Whether the request goes on to the callee."""
        if self.block is not None:
            return False
        return self.decision.allowed and not (self.strange and self.mode is Mode.ENFORCE)


def list_policies(world: World, size: int, token: str) -> Page[StoredPolicy]:
    """Return a page of the policies by name; a size of 0 means all."""
    return world.known.policies.page(size, token)


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
    policy = _new(world, actor, text, now=now, enabled=enabled)
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


async def apply_policies(
    world: World, actor: Actor, texts: Sequence[PolicyText]
) -> list[tuple[StoredPolicy | None, StoredPolicy]]:
    """Register policies, or change and enable those that have their names: all or none.

    Returns what each was, None for one that is new, and what it is.

    Raises: Refusal of kind INVALID with the name and the reason; EXHAUSTED.
    """
    named = {each.name for each in texts}
    if len(named) < len(texts):
        raise Refusal(Kind.INVALID, "two policies have the same name", field="name")
    policies = world.known.policies
    for name, fault in await _faults(world, texts):
        fault.detail = f"{name}: {fault.detail}"
        raise fault
    if len(policies) + sum(policies.named(each) is None for each in named) > MAX_POLICIES:
        raise Refusal(Kind.EXHAUSTED, f"at most {MAX_POLICIES} policies are kept")
    now = int(world.clock.now())
    done = await world.datastore.put_policies(
        [_new(world, actor, each, now=now, enabled=True) for each in texts]
    )
    await world.follower.caught_up()
    for before, after in done:
        if before is None:
            world.record(PolicyCreated(actor, after))
        elif after != before:
            world.record(PolicyUpdated(actor, after))
    return done


async def delete_policy(world: World, actor: Actor, policy_id: str) -> None:
    """Delete a policy; the modes of its callees stay, so that nothing is opened by it.

    Raises: Refusal of kind NOT_FOUND.
    """
    now = int(world.clock.now())
    policy = await world.datastore.delete_policy(policy_id, actor.name, now)
    await world.follower.caught_up()
    world.record(PolicyDeleted(actor, policy))


async def try_policies(
    world: World,
    put: Sequence[PolicyText],
    removed: Iterable[str],
    requests: Sequence[Request],
) -> Trial:
    """Say which of these requests would be decided otherwise with these policies, without those.

    Everything is judged as if every callee enforced its rules, and no other request waits for it.

    Raises: Refusal of kind EXHAUSTED for too many requests.
    """
    if len(requests) > MAX_TRIED:
        raise Refusal(
            Kind.EXHAUSTED, f"at most {MAX_TRIED} requests are tried at once", field="requests"
        )
    before = {each.name: each for each in world.known.policies.deciding}
    gone = frozenset(removed)
    missing = tuple(
        (each, policy_not_found(each))
        for each in sorted(gone)
        if world.known.policies.named(each) is None
    )
    wrong = missing + await _faults(world, put)
    if wrong:
        return Trial(wrong, (), 0)
    after = {name: text for name, text in before.items() if name not in gone}
    after.update((each.name, each) for each in put)
    one, other = await asyncio.to_thread(lambda: (_read(before.values()), _read(after.values())))
    identities = world.known.attributes.of(world.known.entries, _asked_for((*one, *other)))
    found = await asyncio.to_thread(
        lambda: changes(
            PolicySet(0, one, {}, identities), PolicySet(0, other, {}, identities), requests
        )
    )
    return Trial((), found, len(requests))


def explain_request(world: World, request: Request) -> Explained:
    """Say what becomes of a request now, and what keeps each policy from matching."""
    policies = world.known.policies
    mode = policies.mode_of(request.callee).mode
    about = policies.about(request.callee)
    decision = _set_of(world, about).decide(request, mode)
    identities = identities_asked_for(world)
    compared = explain(about, request, identities)
    parties = (request.callee, request.caller)
    found = (_block_of(world, each) for each in parties if each is not None)
    block = next((each for each in found if each is not None), None)
    served = is_served(world, IdPattern(request.callee))
    return Explained(request, mode, decision, compared, block, _strange(world, request), served)


def _block_of(world: World, spiffe_id: SpiffeId) -> Block | None:
    """What blocks an identity: itself, or all entries that grant it."""
    known, now = world.known, world.clock.now()
    blocked = [known.blocks.of_entry(each, now) for each in known.entries.granting(spiffe_id)]
    found = blocked[0] if blocked and all(blocked) else None
    return known.blocks.of_id(spiffe_id, now) or found


def _strange(world: World, request: Request) -> bool:
    """Whether the caller is of a trust domain that no entry of the callee federates with."""
    if request.caller is None or request.caller.trust_domain == world.trust_domain:
        return False
    entries = world.known.entries.granting(request.callee)
    return not any(request.caller.trust_domain in each.federates_with for each in entries)


def callees_without_mode(world: World, text: PolicyText) -> tuple[str, ...]:
    """Say which callees a policy names that nobody gave a mode, so that it has no effect there."""
    named = {pattern for each in read_policy(text) for pattern in each.callees}
    policies = world.known.policies
    return tuple(str(each) for each in sorted(named) if policies.mode_for(each) is UNSET)


def _new(world: World, actor: Actor, text: PolicyText, *, now: int, enabled: bool) -> StoredPolicy:
    return StoredPolicy(
        id=world.entropy.uuid(),
        name=text.name,
        form=text.form,
        text=text.text,
        enabled=enabled,
        created_at=now,
        changed_at=now,
        changed_by=actor.name,
    )


async def _faults(world: World, texts: Iterable[PolicyText]) -> tuple[tuple[str, Refusal], ...]:
    """What is wrong with those that are not registered just so, each with its policy's name.

    What was registered may be applied again, though attributes or trust domains have gone since.
    """
    registered = ((each, world.known.policies.named(each.name)) for each in texts)
    others = [
        each for each, policy in registered if policy is None or not policy.says(each, enabled=True)
    ]
    return await asyncio.to_thread(_wrong, others, _known(world))


def _wrong(texts: Iterable[PolicyText], known: Known) -> tuple[tuple[str, Refusal], ...]:
    return tuple((each.name, fault) for each in texts for fault in faults(each, known))


def _read(texts: Iterable[PolicyText]) -> tuple[Statement, ...]:
    return tuple(statement for text in texts for statement in read_policy(text))


def _asked_for(statements: Iterable[Statement]) -> frozenset[str]:
    return frozenset().union(*(each.attributes for each in statements))


def _set_of(world: World, texts: Iterable[PolicyText]) -> PolicySet:
    found = _read(texts)
    identities = world.known.attributes.of(world.known.entries, _asked_for(found))
    return PolicySet(0, found, {}, identities)


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
