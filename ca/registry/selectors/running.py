"""Whether the agents that get an entry run the attestors that it asks for: warnings."""

from collections.abc import Iterator

from ca.registry.entry import Entry
from ca.registry.index.node_aliases import is_alias
from ca.registry.selectors.judge import Surroundings
from finial.explain.hiding import form_name
from finial.spiffe.selector import Selector


def unattested(entry: Entry, around: Surroundings) -> tuple[str, ...]:
    """Warn of selectors that the entry's agent, or every agent, does not give."""
    if is_alias(entry) or entry.store_svid:
        return ()
    return tuple(dict.fromkeys(_warnings(entry, around)))


def _warnings(entry: Entry, around: Surroundings) -> Iterator[str]:
    own = around.fleet.of(entry.parent_id)
    for selector in entry.selectors:
        if selector.type in around.vocabulary.workload:
            if own is not None:
                yield from _on_its_agent(entry, selector, own.get(selector.type))
            elif len(around.fleet) and not around.fleet.running(selector.type):
                yield (
                    f"none of the {len(around.fleet)} agents that said which attestors they run "
                    f"runs {selector.type}"
                )


def _on_its_agent(entry: Entry, selector: Selector, forms: tuple[str, ...] | None) -> Iterator[str]:
    if forms is None:
        yield f"the agent {entry.parent_id} does not run the attestor {selector.type}"
        return
    name = selector.value.partition(":")[0]
    if name not in forms:
        form = form_name(selector.value)
        yield f"the agent {entry.parent_id} gives no selectors {selector.type}:{form}"
