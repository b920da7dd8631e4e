"""docs/attestors.md, written from the attestors' own descriptions."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from attestors import describe
from attestors.contract import NODE_EVIDENCE, NODE_VERIFIER, WORKLOAD_ATTESTOR, SelectorGrammar
from finial.runtime import plugins

GIVING = [
    (group, name) for group in (NODE_VERIFIER, WORKLOAD_ATTESTOR) for name in plugins.names(group)
]
DOCUMENT = describe.document()


def test_the_document_is_what_the_attestors_say() -> None:
    """docs/attestors.md is current; `python -m attestors.describe` writes it."""
    assert describe.PLACE.read_text(encoding="utf-8") == DOCUMENT


@pytest.mark.parametrize(("group", "name"), GIVING)
def test_every_attestor_has_a_grammar(group: str, name: str) -> None:
    """Whatever gives selectors says which, by its entry point's name."""
    grammar = plugins.load(group, name).GRAMMAR
    assert isinstance(grammar, SelectorGrammar)
    assert grammar.type == name


@pytest.mark.parametrize(("group", "name"), GIVING)
def test_every_selector_is_in_the_document(group: str, name: str) -> None:
    """Each form is shown with its example and with what a match relies on."""
    for form in plugins.load(group, name).GRAMMAR.forms:
        assert f"| `{form.name}`" in DOCUMENT
        assert f"`{form.example}`" in DOCUMENT
        assert form.trusts.replace("|", "\\|") in DOCUMENT


def test_both_halves_of_a_node_attestor_are_there() -> None:
    """An evidence without a verifier proves nothing, nor the other way round."""
    assert plugins.names(NODE_EVIDENCE) == plugins.names(NODE_VERIFIER)


def test_every_setting_is_in_the_document() -> None:
    """Each plugin's settings are listed, with what they mean."""
    for group in (NODE_EVIDENCE, NODE_VERIFIER, WORKLOAD_ATTESTOR):
        for entry in entry_points(group=group):
            settings = plugins.load(group, entry.name).Settings
            for name in settings.__dataclass_fields__:
                assert f"| `{name}` |" in DOCUMENT


def test_no_attestor_is_heavy_to_describe() -> None:
    """Importing all grammars, as a server does, loads neither HTTP nor D-Bus."""
    line = "import sys, attestors.describe as d; d.document(); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert not {"httpx", "jeepney"} & set(done.stdout.split())
