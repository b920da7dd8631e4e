"""A rule: who may, or may not, call whom; the form that people write as JSON."""

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from finial.policy.id_pattern import IdPattern
from finial.policy.path.pattern import PathPattern
from finial.spiffe.json import strict_json
from finial.spiffe.refusal import Kind, Refusal

MAX_TEXT: Final = 64 * 1024
"""Bytes of one policy, in either form."""

MAX_NAME: Final = 128
MAX_LISTED: Final = 64
"""Patterns, methods, attributes or values in one place of a rule."""

_control = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Effect(enum.StrEnum):
    """What a rule says of the requests that match it; one that denies wins over all others."""

    ALLOW = "allow"
    DENY = "deny"


Conditions = tuple[tuple[str, tuple[str, ...]], ...]
"""Attributes by name; each has to have one of the values."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A caller and a callee match one of their patterns each, and all else that is named.

    No methods, or no paths, means all of them. `caller_has` and `callee_has` are conditions on
    attributes.
    """

    name: str
    callers: tuple[IdPattern, ...]
    callees: tuple[IdPattern, ...]
    methods: tuple[str, ...] = ()
    paths: tuple[PathPattern, ...] = ()
    caller_has: Conditions = ()
    callee_has: Conditions = ()
    effect: Effect = Effect.ALLOW

    @property
    def judged_paths(self) -> tuple[PathPattern, ...]:
        """The paths it is about; a denial is about a path with a slash at its end, too.

        Many servers take `/admin/` for `/admin`: an extra slash must not be a way around a rule.
        """
        if self.effect is Effect.ALLOW:
            return self.paths
        return tuple(each for path in self.paths for each in path.with_other_end())


_Texts = str | list[str]


class _When(msgspec.Struct, forbid_unknown_fields=True):
    caller: dict[str, _Texts] = {}
    callee: dict[str, _Texts] = {}


class _Document(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    name: str
    from_: _Texts
    to: _Texts
    methods: list[str] | None = None
    paths: list[str] | None = None
    when: _When = msgspec.field(default_factory=_When)
    effect: Effect = Effect.ALLOW


def read_rule(document: bytes) -> Rule:
    """Read a rule's JSON; `from` and `to` are a pattern or a list of them.

    Raises: Refusal of kind INVALID: a form that is none, an unknown member, an empty list, which
    would match nothing, or more than 64 of anything.
    """
    found = strict_json.loads_object(document, max_bytes=MAX_TEXT)
    try:
        return _rule(msgspec.convert(found, _Document))
    except msgspec.ValidationError as error:
        raise Refusal(
            Kind.INVALID, f"this is no rule: {_spoken(str(error))}", field="rule"
        ) from error


def judge_name(name: str) -> str:
    """Give a policy's name back: 1 to 128 characters without control characters.

    Raises: Refusal of kind INVALID.
    """
    if not name or len(name) > MAX_NAME or _control.search(name):
        fault = f"a policy's name has 1 to {MAX_NAME} characters, none of them a control character"
        raise Refusal(Kind.INVALID, fault, field="name", value=ascii(name[:80])[1:-1])
    return name


def _rule(found: _Document) -> Rule:
    return Rule(
        name=judge_name(found.name),
        callers=_ids("from", found.from_),
        callees=_ids("to", found.to),
        methods=_listed("methods", found.methods) if found.methods is not None else (),
        paths=_paths(found.paths) if found.paths is not None else (),
        caller_has=_has("when.caller", found.when.caller),
        callee_has=_has("when.callee", found.when.callee),
        effect=found.effect,
    )


def _ids(field: str, texts: _Texts) -> tuple[IdPattern, ...]:
    try:
        return tuple(IdPattern.parse(each) for each in _listed(field, texts))
    except Refusal as refusal:
        refusal.field = field
        raise


def _paths(texts: Sequence[str]) -> tuple[PathPattern, ...]:
    return tuple(PathPattern.parse(each) for each in _listed("paths", texts))


def _has(field: str, conditions: Mapping[str, _Texts]) -> Conditions:
    _judge_count(field, len(conditions))
    return tuple(
        (name, _listed(f"{field}.{name}", values)) for name, values in sorted(conditions.items())
    )


def _listed(field: str, texts: _Texts | Sequence[str]) -> tuple[str, ...]:
    listed = (texts,) if isinstance(texts, str) else tuple(texts)
    if not listed:
        fault = "it can never match: the list is empty"
        raise Refusal(Kind.INVALID, fault, field=field, remedy="leave it out, or name one")
    _judge_count(field, len(listed))
    return tuple(dict.fromkeys(listed))


def _judge_count(field: str, count: int) -> None:
    if count > MAX_LISTED:
        fault = f"a rule names at most {MAX_LISTED} of them, not {count}"
        raise Refusal(Kind.INVALID, fault, field=field, remedy="write several rules")


def _spoken(error: str) -> str:
    return error.replace("Object ", "the rule ").replace("`", "'")
