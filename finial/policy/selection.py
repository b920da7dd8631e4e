"""Which policies an agent gets: those about its callees, with the attributes that they ask for."""

from collections.abc import Mapping, Sequence

from finial.policy.cedar.engine import Attributes
from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, PolicyText
from finial.policy.index.prefix import PrefixIndex
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId


class Selection:
    """All policies that are registered and enabled, found by callee.

    `policies` are in the order in which decisions name them, each with its statements.
    """

    def __init__(self, policies: Sequence[tuple[PolicyText, Sequence[Statement]]]) -> None:
        self._policies = policies
        self._callees = PrefixIndex()
        for number, (_, statements) in enumerate(policies):
            for statement in statements:
                self._callees.add(statement.callees, number)

    def document(
        self,
        version: int,
        modes: Mapping[SpiffeId, Mode],
        identities: Mapping[SpiffeId, Attributes],
    ) -> PolicyDocument:
        """What an agent gets that is entitled to these callees.

        `identities` are all that have attributes. Of these only names that a selected policy asks
        for are told, of the callees and of those who may be callers of such a policy.
        """
        numbers: set[int] = set()
        for callee in modes:
            numbers |= self._callees.find(str(callee))
        chosen = [self._policies[number] for number in sorted(numbers)]
        asking = [each for _, statements in chosen for each in statements if each.attributes]
        return PolicyDocument(
            version=version,
            callees={str(callee): mode for callee, mode in modes.items()},
            policies=tuple(policy for policy, _ in chosen),
            attributes=_told(asking, modes, identities) if asking else {},
        )


def _told(
    asking: Sequence[Statement],
    modes: Mapping[SpiffeId, Mode],
    identities: Mapping[SpiffeId, Attributes],
) -> dict[str, dict[str, list[str]]]:
    names = frozenset().union(*(each.attributes for each in asking))
    callers = PrefixIndex()
    for each in asking:
        callers.add(each.callers, 0)
    told = {}
    for identity, has in identities.items():
        asked = {name: sorted(values) for name, values in has.items() if name in names}
        if asked and (identity in modes or callers.find(str(identity))):
            told[str(identity)] = asked
    return told
