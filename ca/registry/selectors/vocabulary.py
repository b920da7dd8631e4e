"""Which selectors there are: those of the installed attestors, and what the settings add.

An attestor's grammar names the forms of its selectors. `spiffe_id` is the server's own: a join
token that names an alias makes an entry with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a type's values: all of a value matches `pattern`; `example` is a selector.

    What follows the name in the value of a `secret` form is never told.
    """

    name: str
    pattern: re.Pattern[str]
    example: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class SelectorType:
    """A type and the forms of its values; without forms nobody said what they are like."""

    name: str
    forms: Mapping[str, tuple[Form, ...]] | None = None

    def has(self, value: str) -> bool:
        """Whether the value has one of the forms, or nobody said which there are."""
        if self.forms is None:
            return True
        named = self.forms.get(value.partition(":")[0], ())
        return any(form.pattern.fullmatch(value) for form in named)

    @classmethod
    def of(cls, name: str, *forms: Form) -> "SelectorType":
        """A type with these forms, of which several may bear one name."""
        named: dict[str, tuple[Form, ...]] = {}
        for form in forms:
            named[form.name] = (*named.get(form.name, ()), form)
        return cls(name, named)


SPIFFE_ID: Final = SelectorType.of(
    "spiffe_id",
    Form(
        "spiffe",
        re.compile(r"spiffe://[a-z0-9._-]+/[!-~]+"),
        "spiffe_id:spiffe://example.org/spire/agent/x509pop/0123",
    ),
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The types that describe workloads, those that describe nodes, and others that are allowed."""

    workload: Mapping[str, SelectorType] = field(default_factory=dict)
    node: Mapping[str, SelectorType] = field(default_factory=dict)
    extra: frozenset[str] = frozenset()


def shown(selector: Selector, types: Mapping[str, SelectorType]) -> str:
    """Write a selector for a message: at most 80 characters, and nothing of a secret value."""
    name = selector.value.partition(":")[0]
    known = types.get(selector.type)
    named = known.forms.get(name, ()) if known and known.forms else ()
    if any(form.secret for form in named):
        return f"{selector.type}:{name}:…"[:80]
    return str(selector)[:80]
