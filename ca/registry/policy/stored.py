"""A policy and a callee's mode as they are kept."""

import enum
from dataclasses import dataclass, replace
from typing import Self

from finial.policy.decision import Mode
from finial.policy.document import PolicyText
from finial.policy.id_pattern import IdPattern
from finial.policy.statement import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """One policy; `text` is a rule's JSON or Cedar. Names are unique, times Unix seconds.

    One that is not `enabled` is kept, and decides nothing.
    """

    id: str
    name: str
    form: Form
    text: str
    enabled: bool = True
    revision: int = 0
    created_at: int = 0
    changed_at: int = 0
    changed_by: str = ""

    @property
    def told(self) -> PolicyText:
        """The part that decides."""
        return PolicyText(self.name, self.form, self.text)

    def says(self, text: PolicyText, *, enabled: bool) -> bool:
        """Whether it would be no other after a change to these."""
        return self.told == text and self.enabled == enabled

    def changed(self, text: PolicyText, *, enabled: bool, now: int, who: str) -> Self:
        """The same policy with another text, one revision later."""
        return replace(
            self,
            name=text.name,
            form=text.form,
            text=text.text,
            enabled=enabled,
            revision=self.revision + 1,
            changed_at=now,
            changed_by=who,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """What a policy was at one revision; `deleted` when that ended it."""

    policy_id: str
    revision: int
    name: str
    form: Form
    text: str
    enabled: bool
    deleted: bool
    at: int
    who: str


class AuditLevel(enum.StrEnum):
    """Which decisions about a callee are audited."""

    DENIALS = "denials"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeMode:
    """How much a callee, or all below a prefix, lets rules decide: set, never derived."""

    callee: IdPattern
    mode: Mode
    audit: AuditLevel = AuditLevel.DENIALS
    revision: int = 0
    changed_at: int = 0
    changed_by: str = ""
