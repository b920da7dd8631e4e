"""All rules that an agent holds, and the decision about one request.

A decision goes through three steps, of which only the last costs more with more rules, and is asked
of few:

1. the index by callee and caller finds the statements that can be about both: a pair's;
2. the index by path, and the patterns, leave those of the pair that can be about the request;
3. Cedar decides over these: one that forbids wins, and where none permits, the answer is no.

Leaving out a statement that could not match changes no decision of Cedar's, so the indexes only
have to name all that might. Rules tell requests of a pair apart by the method and by the patterns
that match, by nothing else: what Cedar said of one holds for all such, and is remembered. What is
held ready is bounded by weight, whoever calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from finial.policy.cedar.engine import Attributes, ask, context, entities, parse, question
from finial.policy.decision import Decision, Mode, Ruling
from finial.policy.grounds import Ground
from finial.policy.index.prefix import PrefixIndex
from finial.policy.index.recent import Recent
from finial.policy.request import Request
from finial.policy.statement import Form, Statement
from finial.spiffe.identity import SpiffeId

if TYPE_CHECKING:
    import cedarpy

MAX_PARSED: Final = 16384
"""Statements held parsed, in all sets together: about 6 KB each."""

MAX_PAIRS: Final = 65536
"""Weight of the pairs of caller and callee held ready: each statement of one counts, each pair, and
what Cedar is told of both identities, about 3 KB, as much as 16 statements."""

MAX_RULINGS: Final = 16384
"""Answers of Cedar that are remembered, about 0.5 KB each."""

_IDENTITIES_WEIGHT: Final = 16
# Cedar over so few costs less than looking for the ones among them that matter.
_FEW: Final = 4
_NOTHING: Final[Attributes] = {}


@dataclass(frozen=True, slots=True)
class _Pair:
    """The statements for one caller and one callee; `paths` is missing where they are few."""

    numbers: tuple[int, ...]
    paths: PrefixIndex | None
    known: "cedarpy.Entities | None"
    places: bool


_Kind = tuple[SpiffeId, SpiffeId, str, tuple[int, ...]]
_NO_PAIR: Final = _Pair((), None, None, False)


class PolicySet:
    """Rules, the modes of callees and the attributes of identities, of one version.

    `identities` says of each identity which attributes it has; those without may be missing.
    """

    def __init__(
        self,
        version: int,
        statements: Sequence[Statement],
        modes: Mapping[SpiffeId, Mode],
        identities: Mapping[SpiffeId, Attributes],
    ) -> None:
        self.version = version
        self.modes = modes
        self._statements = statements
        self._identities = identities
        self._callers = PrefixIndex()
        self._callees = PrefixIndex()
        for number, each in enumerate(statements):
            self._callers.add(each.callers, number)
            self._callees.add(each.callees, number)
        self._pairs: Recent[tuple[SpiffeId, SpiffeId], _Pair] = Recent(MAX_PAIRS)
        self._parsed: Recent[tuple[int, ...], cedarpy.PolicySet] = Recent(MAX_PARSED)
        self._rulings: Recent[_Kind, Ruling] = Recent(MAX_RULINGS)

    def __len__(self) -> int:
        return len(self._statements)

    def mode_of(self, callee: SpiffeId) -> Mode | None:
        """The callee's mode, or None for one that these rules know nothing of."""
        return self.modes.get(callee)

    def decide(self, request: Request, mode: Mode | None) -> Decision:
        """Decide in a mode; without one the callee is unknown, and nobody may call it."""
        if mode is None:
            return Decision(False, Ground.UNKNOWN_CALLEE)
        if mode is Mode.OPEN:
            return Decision(True, Ground.OPEN)
        ruling = self.judge(request)
        shadow = mode is Mode.SHADOW and not ruling.allowed
        return Decision(ruling.allowed or shadow, ruling.ground, ruling.by, shadow)

    def judge(self, request: Request) -> Ruling:
        """What the rules say; a path has to be allowed as each of its readings."""
        if request.caller is None:
            return Ruling(False, Ground.NO_IDENTITY)
        if request.fault is not None or not request.readings:
            return Ruling(False, request.fault or Ground.PATH_AMBIGUOUS)
        try:
            rulings = [
                self._judge(request.caller, request.callee, request.method, path)
                for path in request.readings
            ]
        except ValueError:
            # Cedar cannot read a statement: judged when registered, but perhaps by another Cedar.
            return Ruling(False, Ground.RULE_ERROR)
        refused = [each for each in rulings if not each.allowed]
        if refused:
            # A reading that a rule forbids says more than one that no rule allows.
            return max(refused, key=lambda each: bool(each.by))
        by = dict.fromkeys(name for each in rulings for name in each.by)
        return Ruling(True, Ground.ALLOWED, tuple(by))

    def about(self, caller: SpiffeId, callee: SpiffeId) -> tuple[Statement, ...]:
        """The statements that can be about this pair, in the order of the policies."""
        return tuple(self._statements[number] for number in self._numbers(caller, callee))

    def _numbers(self, caller: SpiffeId, callee: SpiffeId) -> tuple[int, ...]:
        both = self._callees.find(str(callee)) & self._callers.find(str(caller))
        return tuple(sorted(both))

    def _judge(self, caller: SpiffeId, callee: SpiffeId, method: str, path: str) -> Ruling:
        pair = self._pairs.get((caller, callee)) or self._make_pair(caller, callee)
        if pair.known is None:
            return Ruling(False, Ground.NO_RULE)
        some = pair.numbers if pair.paths is None else sorted(pair.paths.find(path))
        numbers = tuple(each for each in some if self._statements[each].may_match(path))
        if not numbers:
            return Ruling(False, Ground.NO_RULE)
        kind = (caller, callee, method, numbers)
        ruling = self._rulings.get(kind)
        if ruling is None:
            statements = [self._statements[each] for each in numbers]
            asked = question(caller, callee, context(method, path, pair.places))
            ruling = ask(statements, self._parse(numbers, statements), pair.known, asked)
            if all(each.form is Form.RULE for each in statements):
                self._rulings.put(kind, ruling, 1)
        return ruling

    def _parse(
        self, numbers: tuple[int, ...], statements: Sequence[Statement]
    ) -> "cedarpy.PolicySet":
        parsed = self._parsed.get(numbers)
        if parsed is None:
            parsed = self._parsed.put(numbers, parse(statements), len(numbers))
        return parsed

    def _make_pair(self, caller: SpiffeId, callee: SpiffeId) -> _Pair:
        numbers = self._numbers(caller, callee)
        if not numbers:
            # Whoever may not call tries again: finding nothing is remembered as well.
            return self._pairs.put((caller, callee), _NO_PAIR, 1)
        statements = [self._statements[number] for number in numbers]
        names = frozenset().union(*(each.attributes for each in statements))
        prefixes = frozenset().union(*(each.prefixes for each in statements))
        # Most rules name IDs, which the question itself holds: Cedar needs no more of these.
        identified = (caller, callee) if names or prefixes else ()
        pair = _Pair(
            numbers,
            _by_path(numbers, statements) if len(numbers) > _FEW else None,
            entities(
                {each: self._identities.get(each, _NOTHING) for each in identified},
                names,
                prefixes,
            ),
            any(each.places for each in statements),
        )
        weight = 1 + len(numbers) + (_IDENTITIES_WEIGHT if identified else 0)
        return self._pairs.put((caller, callee), pair, weight)


def _by_path(numbers: Sequence[int], statements: Sequence[Statement]) -> PrefixIndex:
    index = PrefixIndex()
    for number, statement in zip(numbers, statements, strict=True):
        if not statement.paths:
            index.add_any(number)
        for path in statement.paths:
            if path.is_exact:
                index.add_exact(path.literal, number)
            else:
                index.add_below(path.literal, number)
    return index
