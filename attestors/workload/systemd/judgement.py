"""From a unit, and where the kernel says that the process is, to selectors."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from attestors.contract import Attested, Failed, Finding, NotApplicable
from attestors.workload.systemd.grammar import GRAMMAR, NAME
from attestors.workload.systemd.unit import (
    Unit,
    can_be_compared,
    is_name,
    parts_below,
    user_unit,
)
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

_FORMS: Final = tuple(re.compile(form.pattern) for form in GRAMMAR.forms)


def judge(unit: Unit, paths: Sequence[str]) -> Finding:
    """Say what a process has that the manager found in `unit` and the kernel at `paths`."""
    if not is_name(unit.id):
        return NotApplicable(f"the process is in {unit.id!a} itself, in no service or scope")
    below = list(parts_below(paths, unit.control_group))
    comparable = can_be_compared(paths)
    if comparable and not below:
        return Failed(
            Kind.UNAVAILABLE,
            f"the service manager says {unit.id}, and the kernel that the process is elsewhere",
        )
    values = [
        f"id:{unit.id}",
        unit.fragment_path and f"fragment_path:{unit.fragment_path}",
        unit.slice and f"slice:{unit.slice}",
        unit.invocation_id and f"invocation_id:{unit.invocation_id}",
    ]
    remarks, facts = [], [("unit", unit.id)]
    if not comparable:
        remarks.append("the agent has a cgroup namespace of its own and cannot compare groups")
    elif unit.user is not None:
        [name, *others] = {user_unit(parts) for parts in below}
        if others:
            remarks.append(f"the process is in several units of user {unit.user}")
        elif name:
            values.append(f"user_unit:{unit.user}:{name}")
            facts.append((f"unit of user {unit.user}", name))
            remarks.append(f"user {unit.user} named {name}: it is systemd:user_unit, no systemd:id")
    return _attested(filter(None, values), remarks, facts)


def _attested(
    values: Iterable[str], remarks: Sequence[str], facts: Sequence[tuple[str, str]]
) -> Attested:
    selectors, unwritable = [], []
    for value in values:
        if value.isprintable() and any(form.fullmatch(value) for form in _FORMS):
            selectors.append(Selector(NAME, value))
        else:
            unwritable.append(f"{value!a} cannot be written as a selector")
    return Attested(tuple(selectors), (*remarks, *unwritable), tuple(facts))
