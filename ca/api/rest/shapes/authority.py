"""The server's signing keys as documents."""

from typing import Literal, Self

from ca.api.rest.shapes.shape import Answer
from ca.api.rest.shapes.times import Instant, instant
from ca.authority.slot import Slot


class AuthorityDocument(Answer):
    """One signing key, and where it stands."""

    use: Literal["x509", "jwt"]
    phase: Literal["prepared", "active", "old"]
    authority_id: str
    not_before: Instant | None
    not_after: Instant | None
    tainted: bool

    @classmethod
    def of(cls, slot: Slot) -> Self:
        """Write a value as a document."""
        return cls.model_construct(
            use=slot.use.value,
            phase=slot.phase.value,
            authority_id=slot.authority_id,
            not_before=instant(slot.not_before),
            not_after=instant(slot.not_after),
            tainted=slot.tainted,
        )
