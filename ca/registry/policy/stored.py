"""A policy and a callee's mode as they are kept."""

import enum
import json
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
        same = (self.name, self.form, self.enabled) == (text.name, text.form, enabled)
        return same and _meant(self.form, self.text) == _meant(text.form, text.text)

    def replaced_by(self, other: "StoredPolicy") -> "StoredPolicy":
        """The same policy as the other one would have it; itself where that is no change."""
        if self.says(other.told, enabled=other.enabled):
            return self
        return self.changed(
            other.told, enabled=other.enabled, now=other.changed_at, who=other.changed_by
        )

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


def _meant(form: Form, text: str) -> object:
    # The order of a rule's members says nothing.
    return json.loads(text) if form is Form.RULE else text


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
