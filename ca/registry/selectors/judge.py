"""Whether something gives the selectors that an entry asks for.

An entry whose parent is the server describes nodes, so its selectors are those of node attestors;
all others describe workloads. Entries for SVID stores have selectors of the stores, which are not
known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ca.registry.entry import Entry
from ca.registry.index.node_aliases import is_alias
from ca.registry.selectors.fleet import Fleet
from ca.registry.selectors.spelling import nearest
from ca.registry.selectors.vocabulary import SPIFFE_ID, SelectorType, Vocabulary
from finial.explain.hiding import form_name
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

INSIST: Final = "to insist, add ?force=true (--force)"


@dataclass(frozen=True, slots=True)
class Objection:
    """A selector that nothing gives: what is wrong with it, and what may have been meant."""

    selector: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.selector}: {self.fault}"

    def refusal(self) -> Refusal:
        """Refuse the entry for it."""
        return Refusal(
            Kind.INVALID,
            self.fault,
            field="selectors",
            value=self.selector,
            remedy=f"{self.remedy}; {INSIST}",
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a judgement rests on.

    `held` gives the types of selectors that known nodes have; `is_whole` says whether every agent
    said which attestors it runs.
    """

    vocabulary: Vocabulary
    fleet: Fleet
    held: Callable[[], frozenset[str]]
    is_whole: Callable[[], bool]


def judge_selectors(
    entry: Entry, around: Surroundings, settled: tuple[Selector, ...] = ()
) -> tuple[Objection, ...]:
    """Object to the selectors that nothing gives, leaving out those that are `settled`."""
    if entry.store_svid:
        return ()
    judge = _judge_node if is_alias(entry) else _judge_workload
    found = (judge(each, around) for each in entry.selectors if each not in settled)
    return tuple(objection for objection in found if objection)


def unchanged(before: Entry, after: Entry) -> tuple[Selector, ...]:
    """The selectors that a change leaves as they are, describing the same kind of thing."""
    return before.selectors if is_alias(before) == is_alias(after) else ()


def _judge_workload(selector: Selector, around: Surroundings) -> Objection | None:
    words, fleet = around.vocabulary, around.fleet
    known = words.workload.get(selector.type)
    if known is not None and known.has(selector.value):
        return _judge_running(selector, around)
    if selector.type in words.extra or _is_spiffe_id(selector):
        return None
    name = selector.value.partition(":")[0]
    if fleet.gives(selector.type, name) and not _is_named(known, selector):
        # An attestor, or a version of one, that agents have and this server has not.
        return None
    if known is None and fleet.running(selector.type):
        form = _cut(form_name(selector.value))
        fault = f"no agent's attestor {selector.type} gives a selector {selector.type}:{form}"
        return _objection(selector, {}, words, fault, "see the attestor's own description")
    if known is None and selector.type in words.node:
        return _objection(
            selector,
            words.workload,
            words,
            f"selectors of the type {_cut(selector.type)} describe nodes, and the entry's parent "
            "is not the server",
            f"describe a workload: {_examples(words.workload)}",
        )
    return _unknown(selector, words.workload, words)


def _judge_running(selector: Selector, around: Surroundings) -> Objection | None:
    """Refuse what is installed here and runs nowhere, if every agent said what it runs."""
    if around.fleet.running(selector.type) or not around.is_whole():
        return None
    count = len(around.fleet)
    return _objection(
        selector,
        {},
        around.vocabulary,
        f"no agent runs the attestor {selector.type} ({count} said which they run)",
        f"add [plugins.workload_attestor.{selector.type}] to the agent's configuration first",
    )


def _judge_node(selector: Selector, around: Surroundings) -> Objection | None:
    words = around.vocabulary
    known = words.node.get(selector.type)
    if known is not None and known.has(selector.value):
        return None
    if selector.type in words.extra or _is_spiffe_id(selector):
        return None
    if known is None and selector.type in around.held():
        return None
    if known is None and selector.type in words.workload:
        return _objection(
            selector,
            words.node,
            words,
            f"selectors of the type {selector.type} describe workloads, and an entry whose parent "
            "is the server describes nodes",
            "give the agent's SPIFFE ID as the parent",
        )
    return _unknown(selector, words.node, words)


def _unknown(selector: Selector, types: Mapping[str, SelectorType], words: Vocabulary) -> Objection:
    """Say which part of a selector is the wrong one."""
    known = types.get(selector.type)
    name = form_name(selector.value)
    if known is None:
        fault = f"no attestor gives selectors of the type {_cut(selector.type)}"
        remedy = (
            f"there are {', '.join(types) or 'none'}; extra_selector_types in [server] adds others"
        )
    elif not known.forms:
        fault, remedy = f"the attestor {known.name} gives no selectors", "choose another attestor's"
    elif name in known.patterns:
        fault = f"no {known.name}:{name} selector has such a value"
        example = next(form.example for form in known.forms if form.name == name)
        remedy = f"write it like {example}"
    else:
        fault = f"the attestor {known.name} gives no selector {known.name}:{_cut(name)}"
        remedy = f"it gives {', '.join(known.patterns)}"
    return _objection(selector, types, words, fault, remedy)


def _objection(
    selector: Selector,
    types: Mapping[str, SelectorType],
    words: Vocabulary,
    fault: str,
    remedy: str,
) -> Objection:
    near = nearest(selector, types)
    if near is not None:
        remedy = f"did you mean {words.shown(near)}? If not: {remedy}"
    return Objection(words.shown(selector), fault, remedy)


def _is_named(known: SelectorType | None, selector: Selector) -> bool:
    """Whether the type has a form of that name, whose values are known here."""
    return known is not None and selector.value.partition(":")[0] in known.patterns


def _is_spiffe_id(selector: Selector) -> bool:
    return selector.type == SPIFFE_ID.name and SPIFFE_ID.has(selector.value)


def _examples(types: Mapping[str, SelectorType]) -> str:
    found = (form.example for known in types.values() for form in known.forms or ())
    return f"such as {next(found, 'unix:uid:1000')}"


def _cut(text: str) -> str:
    return repr(text[:40])[1:-1]
