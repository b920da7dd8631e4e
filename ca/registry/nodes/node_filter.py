"""Which nodes a list or a count asks for."""

from dataclasses import dataclass

from ca.registry.match import Match, judge_asked
from ca.registry.nodes.node import Node
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFilter:
    """What all has to be true of a node; None leaves that question out.

    `expires_before` is in Unix seconds.

    Raises: Refusal of kind INVALID when it is made with an empty set.
    """

    attestation_type: str | None = None
    selectors: frozenset[Selector] | None = None
    selectors_match: Match = Match.EXACT
    banned: bool | None = None
    can_reattest: bool | None = None
    expires_before: int | None = None

    def __post_init__(self) -> None:
        judge_asked(self.selectors, "selectors")

    def matches(self, node: Node) -> bool:
        """Whether the node is asked for."""
        return (
            (self.attestation_type is None or node.attestation_type == self.attestation_type)
            and (self.banned is None or node.banned == self.banned)
            and (self.can_reattest is None or node.can_reattest == self.can_reattest)
            and (self.expires_before is None or node.expires_at < self.expires_before)
            and (
                self.selectors is None
                or self.selectors_match.accepts(node.selectors, self.selectors)
            )
        )
