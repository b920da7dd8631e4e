"""How an identity stands, as a document."""

import hashlib
from typing import Literal, Self

from pydantic import Field

from ca.api.rest.shapes.block import SHOWN, BlockDocument, HitEntry, HolderDocument
from ca.api.rest.shapes.shape import Answer
from ca.api.rest.shapes.svid import IssuedDocument
from ca.api.rest.shapes.times import Instant, instant
from ca.operations.identity_standing import IdentityStanding


class IdentityDocument(Answer):
    """What is known of one identity."""

    id: str
    standing: Literal["blocked", "partly blocked", "good", "unregistered"] = Field(
        description="Partly blocked: some of its entries, SVIDs or agents are, others go on."
    )
    blocks: list[BlockDocument]
    entries: list[HitEntry]
    svid_count: int
    svids: list[IssuedDocument] = Field(description=f"Live SVIDs, the first {SHOWN} to end last.")
    more: bool
    agents: list[HolderDocument] = Field(description="Agents that obtained live SVIDs of it.")
    last_seen: Instant | None = Field(description="When something was last issued for it.")

    @classmethod
    def of(cls, found: IdentityStanding) -> Self:
        """Write a value as a document."""
        return cls(
            id=str(found.id),
            standing=_standing(found),
            blocks=[BlockDocument.of(each) for each in found.blocks],
            entries=[HitEntry.of(each) for each in found.entries[:SHOWN]],
            svid_count=len(found.svids),
            svids=[IssuedDocument.of(each) for each in found.svids[:SHOWN]],
            more=found.more,
            agents=[HolderDocument.of(each) for each in found.holders],
            last_seen=instant(found.last_seen),
        )

    @property
    def etag(self) -> str:
        """What changes when anything of it does."""
        return f'"{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]}"'


def _standing(
    found: IdentityStanding,
) -> Literal["blocked", "partly blocked", "good", "unregistered"]:
    if found.is_blocked:
        return "blocked"
    if found.blocks:
        return "partly blocked"
    return "good" if found.entries or found.node else "unregistered"
