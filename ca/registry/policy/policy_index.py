"""All policies and modes in memory, and which of them an agent needs for its callees."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ca.registry.policy.stored import AuditLevel, CalleeMode, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyText, read_policy
from finial.policy.id_pattern import IdPattern
from finial.policy.rule import Effect
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal

UNSET: Final = CalleeMode(callee=IdPattern(TrustDomain("unset").id), mode=Mode.OPEN)
"""What holds for a callee that nobody gave a mode: nothing is asked, and nothing is cut."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What one agent needs: policies by name, each callee's mode, and whose attributes.

    `attributes` are the names that the policies ask for, `asking` the callers of those that do,
    None for anybody. `audited` are the callees of which every decision is audited.
    """

    policies: tuple[PolicyText, ...]
    modes: Mapping[SpiffeId, Mode]
    attributes: frozenset[str] = frozenset()
    asking: frozenset[IdPattern] | None = frozenset()
    audited: frozenset[SpiffeId] = frozenset()

    def asks_of(self, spiffe_id: SpiffeId) -> bool:
        """Whether the attributes of that identity may matter."""
        if self.asking is None or spiffe_id in self.modes:
            return True
        return any(each.matches(spiffe_id) for each in self.asking)


class _ByCallee:
    """Numbers of policies by the callees that they can be about."""

    def __init__(self) -> None:
        self.any: set[int] = set()
        self._exact: dict[SpiffeId, set[int]] = {}
        self._below: dict[SpiffeId, set[int]] = {}

    def add(self, statement: Statement, number: int) -> None:
        if not statement.callees:
            self.any.add(number)
        for pattern in statement.callees:
            place = self._below if pattern.below else self._exact
            place.setdefault(pattern.id, set()).add(number)

    def about(self, callee: SpiffeId) -> set[int]:
        found = set(self._exact.get(callee, ()))
        for above in above_of(callee) if self._below else ():
            found |= self._below.get(above, set())
        return found


class PolicyIndex:
    """The policies and modes of the trust domain; belongs to one thread."""

    def __init__(self) -> None:
        self._policies: dict[str, StoredPolicy] = {}
        self._names: dict[str, StoredPolicy] = {}
        self._modes: dict[IdPattern, CalleeMode] = {}
        self._read: dict[PolicyText, tuple[Statement, ...]] = {}
        self._deciding: list[PolicyText] = []
        self._by_callee = _ByCallee()

    def __len__(self) -> int:
        return len(self._policies)

    def __iter__(self) -> Iterator[StoredPolicy]:
        """By name."""
        return (self._names[name] for name in sorted(self._names))

    @property
    def modes(self) -> tuple[CalleeMode, ...]:
        """The modes that were set, by callee."""
        return tuple(self._modes[each] for each in sorted(self._modes))

    @property
    def deciding(self) -> tuple[PolicyText, ...]:
        """What of the policies decides, by name."""
        return tuple(self._deciding)

    @property
    def size(self) -> int:
        """How many bytes of text decide, at most."""
        return sum(len(each.text) * 4 for each in self._deciding)

    def replace(self, policies: Iterable[StoredPolicy], modes: Iterable[CalleeMode]) -> None:
        """Take in all policies and modes there are, instead of those that were."""
        self._policies = {each.id: each for each in policies}
        self._names = {each.name: each for each in self._policies.values()}
        self._modes = {each.callee: each for each in modes}
        self._deciding = [each.told for each in self if each.enabled]
        self._read = {each: self._read.get(each) or _read(each) for each in self._deciding}
        self._by_callee = _ByCallee()
        for number, text in enumerate(self._deciding):
            for statement in self._read[text]:
                self._by_callee.add(statement, number)

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
        own = self._modes.get(IdPattern(callee))
        if own is not None:
            return own
        found = (self._modes.get(IdPattern(above, below=True)) for above in above_of(callee))
        return next((each for each in found if each is not None), UNSET)

    def is_unset(self, callee: SpiffeId) -> bool:
        """Whether nobody gave it a mode, neither itself nor by a prefix above it."""
        return self.mode_of(callee) is UNSET

    def about(self, callee: SpiffeId) -> tuple[PolicyText, ...]:
        """The policies that can be about a callee, by name."""
        numbers = self._by_callee.about(callee) | self._by_callee.any
        return tuple(self._deciding[number] for number in sorted(numbers))

    def needed(self, callees: Collection[SpiffeId]) -> Needed:
        """Say what whoever decides about these callees has to know.

        A callee that is open asks no rule, so that its rules are not needed.
        """
        modes = {callee: self.mode_of(callee) for callee in sorted(callees)}
        asked = [callee for callee, found in modes.items() if found.mode is not Mode.OPEN]
        numbers = set(self._by_callee.any) if asked else set()
        for callee in asked:
            numbers |= self._by_callee.about(callee)
        policies = tuple(self._deciding[number] for number in sorted(numbers))
        every = (statement for text in policies for statement in self._read[text])
        asking = [each for each in every if each.attributes]
        return Needed(
            policies,
            {callee: found.mode for callee, found in modes.items()},
            frozenset().union(*(each.attributes for each in asking)),
            None if any(not each.callers for each in asking) else _callers(asking),
            frozenset(each for each, found in modes.items() if found.audit is AuditLevel.ALL),
        )

    def attributes(self, policies: Iterable[PolicyText]) -> frozenset[str]:
        """The names of the attributes that some of the policies ask for."""
        every = (statement for text in policies for statement in self._read[text])
        return frozenset().union(*(each.attributes for each in every))


def _callers(statements: Iterable[Statement]) -> frozenset[IdPattern]:
    return frozenset(pattern for each in statements for pattern in each.callers)


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
        # an agent that cannot read it denies rather than decides without it.
        return (Statement(text.name, Effect.DENY, "", (), ()),)
