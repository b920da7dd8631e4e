"""Which selectors there are: those of the installed attestors, and what the settings add.

An attestor's grammar names the forms of its selectors. `spiffe_id` is the server's own: a join
token that names an alias makes an entry with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from finial.explain.hiding import Form, Grammars, Hiding
from finial.spiffe.selector import Selector


@dataclass(frozen=True, slots=True)
class SelectorType:
    """A type and its forms; without forms (None) nobody said what its values are like.

    `patterns` holds for each name what a whole value matches.
    """

    name: str
    forms: tuple[Form, ...] | None = None
    patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, *forms: Form) -> "SelectorType":
        """A type with these forms, of which several may bear one name.

        Raises: re.error when a pattern is none.
        """
        named: dict[str, list[str]] = {}
        for form in forms:
            named.setdefault(form.name, []).append(f"(?:{form.pattern})")
        return cls(name, forms, {each: re.compile("|".join(named[each])) for each in named})

    def has(self, value: str) -> bool:
        """Whether the value has one of the forms, or nobody said which there are."""
        if self.forms is None:
            return True
        pattern = self.patterns.get(value.partition(":")[0])
        return pattern is not None and pattern.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class _SpiffeIdForm:
    name: str = "spiffe"
    pattern: str = r"spiffe://[a-z0-9._-]+/[!-~]+"
    example: str = "spiffe_id:spiffe://example.org/spire/agent/x509pop/0123"
    trusts: str = "the server, which gives it to nobody but the agent of that ID"
    secret: bool = False
    setting: str = ""


SPIFFE_ID: Final = SelectorType.of("spiffe_id", _SpiffeIdForm())


@dataclass(frozen=True)
class Vocabulary:
    """The types that describe workloads, those that describe nodes, and others that are allowed."""

    workload: Mapping[str, SelectorType] = field(default_factory=dict)
    node: Mapping[str, SelectorType] = field(default_factory=dict)
    extra: frozenset[str] = frozenset()

    @cached_property
    def grammars(self) -> Grammars:
        """The forms of every type whose forms are known."""
        types = (*self.node.values(), *self.workload.values())
        return {each.name: each.forms for each in types if each.forms is not None}

    @cached_property
    def hiding(self) -> Hiding:
        """What is kept out of messages."""
        return Hiding(self.grammars)

    def shown(self, selector: Selector) -> str:
        """Write a selector for a message: at most 80 characters, and nothing of a secret value."""
        return self.hiding.shown(selector)[:80]
