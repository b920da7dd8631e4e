"""Writes docs/attestors.md from the attestors' own words: `python -m attestors.describe`.

Each grammar has the selectors and what they rely on; each class of settings its fields, and in its
docstring what they mean.
"""

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from attestors.contract import NODE_EVIDENCE, NODE_VERIFIER, WORKLOAD_ATTESTOR, SelectorForm
from finial.runtime import plugins
from finial.runtime.duration import IsDuration

PLACE: Final = Path(__file__).parents[1] / "docs" / "attestors.md"
_OURS: Final = "attestors."
# Names of checklists, such as (QW-01, BW-01), are for the tests.
_ROWS: Final = re.compile(r" \([A-Z]{2}-\d\d(?:, [A-Z]{2}-\d\d)*\)")
_NAMES: Final = {str: "text", int: "number", float: "number", bool: "true or false", Any: "any"}

_BEGINNING: Final = """\
# Attestors

What proves a workload or a node, and what each selector is worth. Written by
`python -m attestors.describe` from the attestors' own descriptions; a test compares.

An entry's selectors must all be among those of the process. *Relies on* says who can make a process
have the selector; *does not prove* what one might think it says. A secret value is never shown in
explanations or logs. A selector with a setting is given only where that setting asks for it.

Node attestors make a node's selectors for node aliases; workload attestors, on the agent, make
those of its workloads. `attestors/testing.py` has the promises of both as tests, and
`examples/write_an_attestor/` is a plugin from outside with its test.
"""
_WORKLOADS: Final = """\
## Workload attestors

Configured on the agent as `[plugins.workload_attestor.NAME]`; without any there is `unix` alone.
All that are configured look at a caller side by side. One that fails costs its own selectors, and
with `required_workload_attestors` the whole answer; one that sees that the caller is not who
connected ends the matter.
"""
_NODES: Final = """\
## Node attestors

Each has two halves: on the agent `[plugins.node_attestor.NAME]`, on the server the same with its
own settings. The agent names one, the server as many as it accepts.
"""


def document() -> str:
    """Return the whole document."""
    parts = [_BEGINNING, *_index(), _WORKLOADS]
    for name, module in _loaded(WORKLOAD_ATTESTOR):
        parts += [f"### {name}\n", f"{_says(module)}\n", *_selectors(module), *_settings(module)]
    parts.append(_NODES)
    evidence = dict(_loaded(NODE_EVIDENCE))
    for name, verifier in _loaded(NODE_VERIFIER):
        parts += [f"### {name}\n", f"{_says(evidence[name])} {_says(verifier)}\n"]
        parts += [*_selectors(verifier)]
        parts += [*_settings(evidence[name], "the agent's"), *_settings(verifier, "the server's")]
    return "\n".join(parts)


def _index() -> Iterator[str]:
    rows = []
    for group, what in ((WORKLOAD_ATTESTOR, "workloads"), (NODE_VERIFIER, "nodes")):
        for name, module in _loaded(group):
            forms = ", ".join(f"`{form.name}`" for form in _forms(module)) or "none"
            rows.append((f"[{name}](#{name})", what, forms))
    yield _table(("attestor", "proves", "selectors"), rows)


def _loaded(group: str) -> Iterator[tuple[str, ModuleType]]:
    for name in plugins.names(group):
        module = plugins.load(group, name)
        if module.__name__.startswith(_OURS):
            yield name, module


def _says(module: ModuleType) -> str:
    """The first sentence of a module's description."""
    return _ROWS.sub("", (module.__doc__ or "").split("\n\n")[0]).replace("\n", " ").strip()


def _forms(module: ModuleType) -> Sequence[SelectorForm]:
    forms: Sequence[SelectorForm] = module.GRAMMAR.forms
    return forms


def _selectors(module: ModuleType) -> Iterator[str]:
    rows = [
        (
            f"`{form.name}`" + (", secret" if form.secret else ""),
            f"`{form.example}`",
            form.trusts,
            form.unproven,
            form.setting and f"`{form.setting}`",
        )
        for form in _forms(module)
    ]
    if not rows:
        yield "It gives no selectors.\n"
        return
    yield _table(("selector", "example", "relies on", "does not prove", "setting"), rows)


def _settings(module: ModuleType, whose: str = "") -> Iterator[str]:
    yield f"**{whose.capitalize() + ' settings' if whose else 'Settings'}.** " + (
        f"{_meaning(module.Settings)}\n"
    )
    rows = list(_fields(module.Settings))
    if rows:
        yield _table(("setting", "takes", "default"), rows)


def _meaning(settings: type) -> str:
    told = [inspect.getdoc(settings) or ""]
    told += [inspect.getdoc(each) or "" for each in _nested(settings)]
    return "\n\n".join(told)


def _nested(settings: type) -> Iterator[type]:
    """The dataclasses in tables of tables."""
    for hint in typing.get_type_hints(settings).values():
        for each in typing.get_args(hint):
            if dataclasses.is_dataclass(each) and isinstance(each, type):
                yield each


def _fields(settings: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    hints = typing.get_type_hints(settings, include_extras=True)
    for field in dataclasses.fields(settings):
        yield f"`{prefix}{field.name}`", _takes(hints[field.name]), _default(field)
    for field in dataclasses.fields(settings):
        for each in typing.get_args(hints[field.name]):
            if dataclasses.is_dataclass(each) and isinstance(each, type):
                yield from _fields(each, f"{prefix}{field.name}.NAME.")


def _takes(hint: Any) -> str:
    arguments = typing.get_args(hint)
    match typing.get_origin(hint) or hint:
        case typing.Annotated:
            said = "duration" if IsDuration in arguments else _takes(arguments[0])
        case typing.Union | types.UnionType:
            said = " or ".join(_takes(each) for each in arguments if each is not types.NoneType)
        case typing.Literal:
            said = " or ".join(f"`{json.dumps(each)}`" for each in arguments)
        case each if each is tuple:
            said = f"list of {_takes(arguments[0])}"
        case type() as each if issubclass(each, Mapping):
            said = "table"
        case each:
            said = _NAMES.get(each, "text")
    return said


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "none"
    if field.default is dataclasses.MISSING:
        return "has to be given"
    value = field.default
    if value is None or value in ((), ""):
        return "none"
    return f"`{json.dumps(value, default=str)}`"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table, without the columns that are empty."""
    kept = [at for at in range(len(heads)) if any(row[at] for row in rows)]
    lines = [[heads[at] for at in kept], ["---"] * len(kept)]
    lines += [[row[at].replace("|", "\\|") for at in kept] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PLACE.write_text(document(), encoding="utf-8")
