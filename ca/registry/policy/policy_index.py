"""All policies and modes in memory, and which of them an agent needs for its callees."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from ca.registry.page import Page, cut
from ca.registry.policy.stored import AuditLevel, CalleeMode, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, PolicyText, read_policy
from finial.policy.id_pattern import IdPattern
from finial.policy.rule import Effect
from finial.policy.selection import Selection
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal

UNSET: Final = CalleeMode(callee=IdPattern(TrustDomain("unset").id), mode=Mode.OPEN)
"""What holds for a callee that nobody gave a mode: nothing is asked, and nothing is cut."""

Identities = Mapping[SpiffeId, Mapping[str, list[str]]]


class PolicyIndex:
    """The policies and modes of the trust domain; belongs to one thread.

    `attributes` are the names of those that any policy asks for.
    """

    def __init__(self) -> None:
        self._policies: dict[str, StoredPolicy] = {}
        self._names: dict[str, StoredPolicy] = {}
        self._modes: dict[IdPattern, CalleeMode] = {}
        self._read: dict[PolicyText, tuple[Statement, ...]] = {}
        self._selection = Selection(())
        self.attributes: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._policies)

    def __iter__(self) -> Iterator[StoredPolicy]:
        """By name."""
        return (self._names[name] for name in sorted(self._names))

    def page(self, size: int, token: str = "") -> Page[StoredPolicy]:
        """Some of them by name; the token is the name of the last one before.

        Raises: Refusal of kind INVALID for a negative size.
        """
        items, is_more = cut((each for each in self if each.name > token), size)
        return Page(items, items[-1].name if is_more else "")

    @property
    def modes(self) -> tuple[CalleeMode, ...]:
        """The modes that were set, by callee."""
        return tuple(self._modes[each] for each in sorted(self._modes))

    @property
    def deciding(self) -> tuple[PolicyText, ...]:
        """What of the policies decides, by name."""
        return tuple(self._read)

    def replace(self, policies: Iterable[StoredPolicy], modes: Iterable[CalleeMode]) -> None:
        """Take in all policies and modes there are, instead of those that were."""
        self._policies = {each.id: each for each in policies}
        self._names = {each.name: each for each in self._policies.values()}
        self._modes = {each.callee: each for each in modes}
        deciding = [each.told for each in self if each.enabled]
        self._read = {each: self._read.get(each) or _read(each) for each in deciding}
        self._selection = Selection(tuple(self._read.items()))
        every = (statement for found in self._read.values() for statement in found)
        self.attributes = frozenset().union(*(each.attributes for each in every))

    def get(self, policy_id: str) -> StoredPolicy | None:
        """Find a policy by its id."""
        return self._policies.get(policy_id)

    def named(self, name: str) -> StoredPolicy | None:
        """Find a policy by its name."""
        return self._names.get(name)

    def mode(self, callee: IdPattern) -> CalleeMode | None:
        """Find the mode that was set for exactly this."""
        return self._modes.get(callee)

    def mode_of(self, callee: SpiffeId) -> CalleeMode:
        """The mode that holds for a callee: its own, or that of the longest prefix above it."""
        return self._modes.get(IdPattern(callee)) or self._above(above_of(callee))

    def mode_for(self, callees: IdPattern) -> CalleeMode:
        """The mode that holds for a callee, or for those below a prefix that have none nearer."""
        if not callees.below:
            return self.mode_of(callees.id)
        return self._above((callees.id, *above_of(callees.id)))

    def about(self, callee: SpiffeId) -> tuple[PolicyText, ...]:
        """The policies that can be about a callee, by name."""
        return self._selection.document(0, {callee: Mode.ENFORCE}, {}).policies

    def count_about(self, callees: IdPattern) -> int:
        """How many policies can be about a callee, or about anybody below a prefix."""
        if not callees.below:
            return len(self.about(callees.id))
        return sum(
            any(each.may_concern_any(callees) for each in statements)
            for statements in self._read.values()
        )

    def _above(self, prefixes: Iterable[SpiffeId]) -> CalleeMode:
        found = (self._modes.get(IdPattern(each, below=True)) for each in prefixes)
        return next((each for each in found if each is not None), UNSET)

    def document(self, callees: Collection[SpiffeId], identities: Identities) -> PolicyDocument:
        """What an agent is told that serves these callees, without a version.

        A callee that is open asks no rule, so that its rules are not told. `identities` are all
        that have attributes which some rule asks for.
        """
        found = {callee: self.mode_of(callee) for callee in sorted(callees)}
        asked = {each: has.mode for each, has in found.items() if has.mode is not Mode.OPEN}
        return msgspec.structs.replace(
            self._selection.document(0, asked, identities),
            callees={str(callee): has.mode for callee, has in found.items()},
            audit_all=tuple(
                str(each) for each, has in found.items() if has.audit is AuditLevel.ALL
            ),
        )


def above_of(spiffe_id: SpiffeId) -> Iterator[SpiffeId]:
    """The IDs that an ID lies below, the nearest first, down to the trust domain itself."""
    path = spiffe_id.path
    while path:
        path = path.rpartition("/")[0]
        yield SpiffeId(spiffe_id.trust_domain, path)


def _read(text: PolicyText) -> tuple[Statement, ...]:
    try:
        return read_policy(text)
    except Refusal:
        # It was judged when it was stored, perhaps by an older program. It is told all the same:
        # an agent that cannot read it keeps to what it has rather than decide without it.
        return (Statement(text.name, Effect.DENY, "", (), ()),)
