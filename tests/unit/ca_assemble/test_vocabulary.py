"""The server knows the selectors of every attestor that is installed beside it."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestors.contract import NODE_VERIFIER, WORKLOAD_ATTESTOR, SelectorForm, SelectorGrammar
from ca import settings
from ca.assemble import plugins as assembling
from ca.assemble.plugins import load_vocabulary
from ca.registry.selectors.judge import judge_selectors
from ca.registry.selectors.spelling import nearest
from finial.runtime import plugins
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import SERVER_PATH
from tests.doubles.entries import entry, selectors, sid
from tests.doubles.vocabulary import around

SETTINGS = settings.read(
    {
        "server": {"trust_domain": "example.org", "extra_selector_types": ["gcp_iit"]},
        "plugins": {"node_attestor": {name: {} for name in plugins.names(NODE_VERIFIER)}},
    }
)
WORDS = load_vocabulary(SETTINGS)
EXAMPLES = [
    form.example for type_ in WORDS.workload.values() for form in type_.forms or () if form.example
]
NODE_EXAMPLES = [
    form.example for type_ in WORDS.node.values() for form in type_.forms or () if form.example
]


def test_every_installed_attestor_has_a_grammar() -> None:
    """Those of the house say which selectors they give; their types are their names."""
    assert set(WORDS.workload) == set(plugins.names(WORKLOAD_ATTESTOR))
    assert set(WORDS.node) == set(plugins.names(NODE_VERIFIER))
    assert [each.name for each in WORDS.workload.values() if each.forms is None] == []
    assert WORDS.extra == {"gcp_iit"}
    assert {"unix", "docker", "systemd", "k8s"} <= set(WORDS.grammars)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_may_be_registered(example: str) -> None:
    """What an attestor's grammar shows is good for an entry below an agent."""
    assert judge_selectors(entry(selectors=selectors(example)), around(words=WORDS)) == ()


@pytest.mark.parametrize("example", NODE_EXAMPLES)
def test_every_example_of_a_node_may_be_in_an_alias(example: str) -> None:
    """What a node attestor's grammar shows is good for an entry below the server."""
    alias = entry(parent_id=sid(SERVER_PATH), selectors=selectors(example))
    assert judge_selectors(alias, around(words=WORDS)) == ()


@given(st.sampled_from(EXAMPLES), st.integers(0, 40), st.integers(0, 3), st.text(max_size=3))
def test_whatever_is_mistyped_the_suggestion_exists(
    example: str, place: int, cut: int, added: str
) -> None:
    """A few characters changed anywhere: it is good, or refused with something that is good."""
    text = example[:place] + added + example[place + cut :]
    type_, _, value = text.partition(":")
    if not type_ or not value:
        return
    wrong = Selector(type_, value)
    found = judge_selectors(entry(selectors=(wrong,)), around(words=WORDS))
    near = nearest(wrong, WORDS.workload)
    for objection in found:
        assert objection.fault
        assert near is None or WORDS.shown(near) in objection.remedy
    if near is not None:
        assert judge_selectors(entry(selectors=(near,)), around(words=WORDS)) == ()


@pytest.mark.parametrize("edit", range(1, 3))
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_letter_too_few_in_the_name_is_met(example: str, edit: int) -> None:
    """`docker:labl:app:web` is answered with a selector of the same attestor."""
    type_, name, *_ = example.split(":")
    if len(name) < 5:
        return
    wrong = name[:edit] + name[edit + 1 :]
    selector = Selector.parse(example.replace(f"{type_}:{name}", f"{type_}:{wrong}", 1))
    near = nearest(selector, WORDS.workload)
    assert near is not None
    assert near.type == type_


@pytest.mark.parametrize(
    "module",
    [
        SimpleNamespace(),
        SimpleNamespace(GRAMMAR="none"),
        SimpleNamespace(
            GRAMMAR=SelectorGrammar("odd", (SelectorForm("a", "a:(", "odd:a:b", "nothing"),))
        ),
    ],
)
def test_an_attestor_without_a_good_grammar_is_known_by_its_name(module: object) -> None:
    """No grammar, none that is one, a pattern that is none: anything is let through."""
    found = assembling.read_grammar("odd", module)
    assert (found.name, found.forms) == ("odd", None)
    assert found.has("whatever")
