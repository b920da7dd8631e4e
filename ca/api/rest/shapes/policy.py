"""Policies, modes of callees, and what a change would do, as documents."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ca.api.rest.shapes.block import BlockDocument
from ca.api.rest.shapes.parsing import parsed, required
from ca.api.rest.shapes.shape import Answer, Shape
from ca.api.rest.shapes.times import Instant, instant
from ca.operations.administration.administer_modes import CalleeStanding
from ca.operations.administration.administer_policies import Explained, Trial
from ca.registry.policy.stored import AuditLevel, CalleeMode, PolicyVersion, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyText
from finial.policy.explanation import Change, Compared
from finial.policy.request import Request
from finial.policy.rule import MAX_TEXT
from finial.policy.statement import Form
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

_Rule = Annotated[
    dict[str, Any] | None,
    Field(
        description="A rule; instead of `cedar`.",
        examples=[
            {
                "name": "orders may charge",
                "from": "spiffe://example.org/orders",
                "to": "spiffe://example.org/payment",
                "methods": ["POST"],
                "paths": ["/transaction/*"],
            }
        ],
    ),
]


class PolicyWish(Shape):
    """A policy: a rule, or Cedar with a name."""

    rule: _Rule = None
    cedar: str | None = Field(None, max_length=MAX_TEXT, description="Cedar; instead of `rule`.")
    name: str = Field("", description="Needed with `cedar`; a rule has its own.")
    enabled: bool = True

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.rule is None) == (self.cedar is None):
            raise ValueError("give one of rule and cedar")
        return self

    @property
    def text(self) -> PolicyText:
        """The same as a value.

        Raises: Refusal of kind INVALID.
        """
        if self.rule is None:
            return PolicyText(self.name, Form.CEDAR, self.cedar or "")
        name = str(self.rule.get("name", ""))
        if self.name not in ("", name):
            raise Refusal(
                Kind.INVALID, "the rule has another name", field="name", value=self.name[:80]
            )
        text = json.dumps(self.rule, separators=(",", ":"), ensure_ascii=False)
        return PolicyText(name, Form.RULE, text)


class PolicyDocument(Answer):
    """One policy."""

    id: str
    name: str
    form: Form
    rule: dict[str, Any] | None
    cedar: str | None
    enabled: bool
    revision: int
    created_at: Instant | None
    changed_at: Instant | None
    changed_by: str
    callees_without_mode: list[str] = Field(
        [], description="Callees that it names and that have no mode, where it has no effect yet."
    )

    @classmethod
    def of(cls, policy: StoredPolicy, without_mode: tuple[str, ...] = ()) -> Self:
        """Write a value as a document."""
        return cls(
            id=policy.id,
            name=policy.name,
            form=policy.form,
            **_text(policy.form, policy.text),
            enabled=policy.enabled,
            revision=policy.revision,
            created_at=instant(policy.created_at),
            changed_at=instant(policy.changed_at),
            changed_by=policy.changed_by,
            callees_without_mode=list(without_mode),
        )


class VersionDocument(Answer):
    """What a policy was at one revision."""

    revision: int
    name: str
    form: Form
    rule: dict[str, Any] | None
    cedar: str | None
    enabled: bool
    deleted: bool
    at: Instant | None
    who: str

    @classmethod
    def of(cls, version: PolicyVersion) -> Self:
        """Write a value as a document."""
        return cls(
            revision=version.revision,
            name=version.name,
            form=version.form,
            **_text(version.form, version.text),
            enabled=version.enabled,
            deleted=version.deleted,
            at=instant(version.at),
            who=version.who,
        )


class ApplyWish(Shape):
    """Policies that are to be there, all or none."""

    put: list[PolicyWish] = Field(description="Found by name; one that is not there is made.")


class AppliedDocument(Answer):
    """What became of one of them."""

    outcome: Literal["created", "changed", "unchanged"]
    policy: PolicyDocument

    @classmethod
    def of(
        cls, before: StoredPolicy | None, after: StoredPolicy, without_mode: tuple[str, ...]
    ) -> Self:
        """Write a value as a document."""
        outcome: Literal["created", "changed", "unchanged"] = "created"
        if before is not None:
            outcome = "unchanged" if before == after else "changed"
        return cls(outcome=outcome, policy=PolicyDocument.of(after, without_mode))


class ModeWish(Shape):
    """How much a callee lets rules decide, and which decisions are audited."""

    mode: Annotated[Mode, Field(strict=False)]
    audit: Annotated[AuditLevel, Field(strict=False)] = AuditLevel.DENIALS


class ModeDocument(Answer):
    """A mode that was set, for a callee or for all below a prefix."""

    callee: str
    mode: Mode
    audit: AuditLevel
    revision: int
    changed_at: Instant | None
    changed_by: str

    @classmethod
    def of(cls, mode: CalleeMode) -> Self:
        """Write a value as a document."""
        return cls(
            callee=str(mode.callee),
            mode=mode.mode,
            audit=mode.audit,
            revision=mode.revision,
            changed_at=instant(mode.changed_at),
            changed_by=mode.changed_by,
        )


class CalleeDocument(Answer):
    """What holds for a callee."""

    callee: str
    mode: Mode
    audit: AuditLevel
    set_for: str | None = Field(description="The callee or prefix that was given this mode.")
    policies: int = Field(description="How many policies can be about it.")
    revision: int
    changed_at: Instant | None
    changed_by: str

    @classmethod
    def of(cls, found: CalleeStanding) -> Self:
        """Write a value as a document."""
        holds = found.holds
        return cls(
            callee=str(found.callee),
            mode=holds.mode,
            audit=holds.audit,
            set_for=str(holds.callee) if found.is_set else None,
            policies=found.policies,
            revision=holds.revision if found.own else 0,
            changed_at=instant(holds.changed_at),
            changed_by=holds.changed_by,
        )


class RequestShape(Shape):
    """A request that somebody made, or might make."""

    caller: str | None = Field(None, examples=["spiffe://example.org/orders"])
    callee: str = Field(examples=["spiffe://example.org/payment"])
    method: str = "GET"
    path: str = Field("/", max_length=65536, description="As it is sent, perhaps with a query.")

    @property
    def request(self) -> Request:
        """The same as a value.

        Raises: Refusal of kind INVALID.
        """
        return Request.read(
            parsed("caller", self.caller, SpiffeId.parse),
            required("callee", self.callee, SpiffeId.parse),
            self.method,
            self.path,
        )


class TrialWish(Shape):
    """A change that is not made, and requests to try it on."""

    put: list[PolicyWish] = Field([], description="Policies as they would be, found by name.")
    remove: list[str] = Field([], description="Names of policies that would be deleted.")
    requests: list[RequestShape] = []


class FaultDocument(Answer):
    """Why a policy would be refused."""

    policy: str
    detail: str
    field: str
    value: str
    remedy: str

    @classmethod
    def of(cls, policy: str, refusal: Refusal) -> Self:
        """Write a value as a document."""
        return cls(
            policy=policy,
            detail=refusal.detail,
            field=refusal.field,
            value=refusal.value,
            remedy=refusal.remedy,
        )


class ChangeDocument(Answer):
    """A request that would be decided otherwise."""

    caller: str | None
    callee: str
    method: str
    paths: list[str] = Field(description="The readings of its path.")
    allowed: bool = Field(description="Whether it would be allowed after the change.")
    before: str
    after: str
    by: list[str]

    @classmethod
    def of(cls, change: Change) -> Self:
        """Write a value as a document."""
        request = change.request
        return cls(
            caller=None if request.caller is None else str(request.caller),
            callee=str(request.callee),
            method=request.method,
            paths=list(request.readings),
            allowed=change.after.value == "allowed",
            before=change.before.value,
            after=change.after.value,
            by=list(change.by),
        )


class TrialDocument(Answer):
    """What a change would do to the requests it was tried on, were all callees enforced."""

    faults: list[FaultDocument]
    changes: list[ChangeDocument]
    asked: int

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Write a value as a document."""
        return cls(
            faults=[FaultDocument.of(name, refusal) for name, refusal in trial.faults],
            changes=[ChangeDocument.of(each) for each in trial.changes],
            asked=trial.asked,
        )


class ComparedDocument(Answer):
    """One policy and a request."""

    policy: str
    effect: str
    matches: bool
    gaps: list[str] = Field(description="What keeps it from matching.")

    @classmethod
    def of(cls, compared: Compared) -> Self:
        """Write a value as a document."""
        return cls(
            policy=compared.name,
            effect=compared.effect.value,
            matches=compared.matches,
            gaps=list(compared.gaps),
        )


class ExplainedDocument(Answer):
    """What becomes of a request, and why."""

    allowed: bool
    mode: Mode
    blocked: BlockDocument | None = Field(
        description="What blocks the caller or the callee, whatever the policies say."
    )
    strange: bool = Field(
        description="The callee does not federate with the caller's trust domain, which is denied "
        "unless the mode lets it pass."
    )
    shadow: bool = Field(description="Let through although the rules say no.")
    rules_allow: bool = Field(description="Whether mode and policies alone would let it through.")
    ground: str
    sentence: str
    by: list[str]
    paths: list[str] = Field(description="The readings of its path.")
    policies: list[ComparedDocument]

    @classmethod
    def of(cls, found: Explained) -> Self:
        """Write a value as a document."""
        decision = found.decision
        return cls(
            allowed=found.lets_through,
            blocked=None if found.block is None else BlockDocument.of(found.block),
            mode=found.mode,
            strange=found.strange,
            shadow=decision.shadow,
            rules_allow=decision.allowed,
            ground=decision.ground.value,
            sentence=decision.ground.sentence,
            by=list(decision.by),
            paths=list(found.request.readings),
            policies=[ComparedDocument.of(each) for each in found.compared],
        )


def _text(form: Form, text: str) -> dict[str, Any]:
    if form is Form.RULE:
        return {"rule": json.loads(text), "cedar": None}
    return {"rule": None, "cedar": text}
