"""Whom a rule speaks of: one SPIFFE ID, or all below a prefix."""

from dataclasses import dataclass
from typing import Final, Self

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

_BELOW: Final = "/*"


@dataclass(frozen=True, slots=True, order=True)
class IdPattern:
    """`spiffe://example.org/web`, or with `below` everything below it, but not the ID itself."""

    id: SpiffeId
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a SPIFFE ID, or one followed by `/*`; a star stands nowhere else.

        Raises: Refusal of kind INVALID.
        """
        below = text.endswith(_BELOW)
        id_text = text[: -len(_BELOW)] if below else text
        if "*" in id_text:
            raise Refusal(
                Kind.INVALID,
                "a pattern has one star, as its last segment",
                value=ascii(text[:80])[1:-1],
                remedy="write it like spiffe://example.org/team-a/*",
            )
        return cls(SpiffeId.parse(id_text), below)

    def matches(self, spiffe_id: SpiffeId) -> bool:
        """Whether the rule speaks of this ID."""
        if not self.below:
            return spiffe_id == self.id
        return spiffe_id.trust_domain == self.id.trust_domain and spiffe_id.path.startswith(
            self.id.path + "/"
        )

    def overlaps(self, other: Self) -> bool:
        """Whether there can be an ID that both speak of."""
        if not self.below:
            return other.matches(self.id)
        if self.matches(other.id):
            return True
        return other.below and (other.id == self.id or other.matches(self.id))

    def __str__(self) -> str:
        return f"{self.id}{_BELOW}" if self.below else str(self.id)
