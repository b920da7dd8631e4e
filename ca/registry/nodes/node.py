"""A node whose agent has attested."""

from dataclasses import dataclass

from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of one agent; serial numbers are decimal text, times Unix seconds.

    After a renewal both `serial_number` and `new_serial_number` are good until the new one is
    used, which makes it the only one (SPIRE BR-03).
    """

    id: SpiffeId
    attestation_type: str
    serial_number: str
    expires_at: int
    selectors: tuple[Selector, ...] = ()
    new_serial_number: str = ""
    new_expires_at: int = 0
    can_reattest: bool = False
    banned: bool = False
    agent_version: str = ""
    attested_at: int = 0

    @property
    def good_until(self) -> int:
        """When the last SVID ends that it may use, in Unix seconds."""
        return max(self.expires_at, self.new_expires_at)
