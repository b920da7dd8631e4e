"""What is shown of secret selectors."""

import pytest

from finial.explain.hiding import BY_NAME_ALONE, Hiding, is_hidden
from finial.spiffe.selector import Selector
from tests.doubles.evidence import GRAMMARS


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        ("docker:env:TOKEN=s3cret=x", "docker:env:TOKEN=(hidden)"),
        ("docker:env:TOKEN:s3cret=x", "docker:env:TOKEN:(hidden)"),
        ("docker:env:s3cret", "docker:env:(hidden)"),
        ("docker:evn:TOKEN=s3cret", "docker:evn:TOKEN=(hidden)"),
        ("docker:ENV:TOKEN=s3cret", "docker:ENV:TOKEN=(hidden)"),
        ("stranger:env:TOKEN=s3cret", "stranger:env:TOKEN=(hidden)"),
        ("stranger:label:app:web", "stranger:label:app:web"),
        ("docker:env=TOKEN=s3cret", "docker:env=TOKEN=(hidden)"),
        ("unix:env:TOKEN=s3cret", "unix:env:TOKEN=(hidden)"),
        ("docker:environment:TOKEN=s3cret", "docker:environment:TOKEN=(hidden)"),
        ("docker:enviroment:TOKEN=s3cret", "docker:enviroment:TOKEN=(hidden)"),
        ("docker:container_env:TOKEN=s3cret", "docker:container_env:TOKEN=(hidden)"),
        ("env:TOKEN=s3cret", "env:TOKEN=(hidden)"),
        ("docker.env:TOKEN=s3cret", "docker.env:TOKEN=(hidden)"),
        ("docker:label:env:test", "docker:label:env:test"),
        ("docker:env", "docker:env"),
        ("docker:label:app:web", "docker:label:app:web"),
        ("docker:lable:app:web", "docker:lable:app:web"),
        ("unix:uid:1000", "unix:uid:1000"),
    ],
)
def test_a_secret_value_is_cut_off_after_its_name(selector: str, shown: str) -> None:
    """Values of secret forms, misspelled ones and unknown environments are never shown."""
    hiding = Hiding(GRAMMARS)
    found = hiding.shown(Selector.parse(selector))
    assert found == shown
    assert is_hidden(found) is (found != selector)
    assert hiding.shown(Selector.parse(found)) == found


def test_text_is_shown_like_the_selector_that_it_is() -> None:
    """Without a grammar what is named like an environment is hidden; what is no selector stays."""
    assert BY_NAME_ALONE.shown_text("docker:env:TOKEN=s3cret") == "docker:env:TOKEN=(hidden)"
    assert BY_NAME_ALONE.shown_text("docker:label:app:web") == "docker:label:app:web"
    assert BY_NAME_ALONE.shown_text("web") == "web"
