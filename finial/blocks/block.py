"""A block: who or what is locked out, since when, and why."""

import enum

import msgspec


class SubjectKind(enum.StrEnum):
    """What a block names.

    An identity is blocked whoever holds it; an entry with all that it gave; an agent with all that
    it obtained; a selector wherever a workload or a node shows it; a serial number and a JWT id
    alone.
    """

    SPIFFE_ID = "spiffe_id"
    ENTRY = "entry"
    AGENT = "agent"
    SELECTOR = "selector"
    SERIAL = "serial"
    JTI = "jti"


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One block; times are Unix seconds, an `until` of 0 means until it is unblocked.

    `subject` is a SPIFFE ID, an entry's id, a selector as text, a serial number in decimal or a
    `jti`. `who` blocked it; agents are not told.
    """

    id: str
    kind: SubjectKind
    subject: str
    reason: str
    since: int
    until: int = 0
    who: str = ""

    def holds(self, now: float) -> bool:
        """Whether it is in force."""
        return not self.until or now < self.until

    def outlasts(self, other: "Block") -> bool:
        """Whether it ends later than another one."""
        return bool(other.until) and (not self.until or self.until > other.until)

    @property
    def sentence(self) -> str:
        """What is said to whoever meets it, after the name of what is blocked."""
        return f"is blocked: {self.reason}"
