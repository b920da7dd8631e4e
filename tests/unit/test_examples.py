"""The configurations that are shown name everything that can be set, and can be used."""

import dataclasses
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agent.settings
import ca.settings

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = [("agent.toml", agent.settings), ("ca.toml", ca.settings)]
KEY = re.compile(r"# (\w+ = .*|\[[\w.]+\])")


def keys(table: type, prefix: str = "") -> Iterator[str]:
    """The keys below a table of settings; plugins have tables of their own."""
    hints = typing.get_type_hints(table)
    for each in dataclasses.fields(table):
        inner = [one for one in typing.get_args(hints[each.name]) if dataclasses.is_dataclass(one)]
        if dataclasses.is_dataclass(hints[each.name]):
            inner = [hints[each.name]]
        if inner:
            yield from keys(inner[0], f"{prefix}{each.name}.")
        elif each.name != "plugins":
            yield prefix + each.name


def named(document: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of a file, those in tables with the names of these."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from named(value, f"{prefix}{key}.")
        else:
            yield prefix + key


@pytest.mark.parametrize(("file", "program"), PROGRAMS, ids=["agent", "ca"])
def test_an_example_names_every_key(file: str, program: Any) -> None:
    """Every key stands in its table, as it is written, whether or not it is commented out."""
    lines = (EXAMPLES / file).read_text().splitlines()
    shown = tomllib.loads("\n".join(KEY.sub(r"\1", line) for line in lines))
    settings = {one for one in named(shown) if not one.startswith("plugins.")}
    assert settings == set(keys(program.Settings))


@pytest.mark.parametrize(("file", "program"), PROGRAMS, ids=["agent", "ca"])
def test_an_example_can_be_used_as_it_is(file: str, program: Any) -> None:
    """Nobody begins with a file that is refused."""
    assert program.load(EXAMPLES / file) is not None
