"""Settings: a TOML table becomes a frozen value, or everything wrong with it is said at once."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from finial.runtime.duration import Duration, parse_duration, render_duration
from finial.runtime.settings import (
    SettingsError,
    at_least,
    between,
    load,
    read_toml,
    setting,
)


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Limits:
    most: int = setting(4, check=at_least(1))


@dataclass(frozen=True, slots=True)
class Example:
    trust_domain: str
    ttl: Duration = setting(3600.0, check=at_least(10))
    mode: Literal["plain", "fancy"] = "plain"
    colour: Colour = Colour.RED
    names: tuple[str, ...] = ()
    plugins: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    limits: Limits = Limits()
    grace: Duration | None = None
    either: int | str = 0
    ratio: float = setting(0.5, check=between(0, 1))
    enabled: bool = False
    folder: Path = Path()

    def __post_init__(self) -> None:
        if self.mode == "fancy" and not self.names:
            raise ValueError("mode fancy needs names")


def problems(table: Mapping[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(Example, table, "server")
    return caught.value.problems


def test_every_kind_of_value_is_read() -> None:
    """Each type of field takes what its type says, and what is absent keeps its default."""
    table = {
        "trust_domain": "example.org",
        "ttl": "1h30m",
        "mode": "fancy",
        "colour": "green",
        "names": ["a", "b"],
        "plugins": {"x": {"y": 1}},
        "weights": {"a": 1},
        "limits": {"most": 7},
        "grace": 90,
        "either": "text",
        "ratio": 1,
        "enabled": True,
        "folder": "/var/lib",
    }
    assert load(Example, table, "server") == Example(
        trust_domain="example.org",
        ttl=5400.0,
        mode="fancy",
        colour=Colour.GREEN,
        names=("a", "b"),
        plugins={"x": {"y": 1}},
        weights={"a": 1},
        limits=Limits(7),
        grace=90.0,
        either="text",
        ratio=1.0,
        enabled=True,
        folder=Path("/var/lib"),
    )
    assert load(Example, {"trust_domain": "a"}, "") == Example("a")


def test_all_problems_are_said_at_once() -> None:
    """One run tells everything that is wrong, each with its place."""
    assert problems(
        {
            "trust_doman": "example.org",
            "ttl": 5,
            "mode": "plane",
            "colour": "blue",
            "names": ["a", 1],
            "weights": {"a": "b"},
            "limits": {"most": 0, "xyz": 1},
            "grace": True,
            "either": [],
            "ratio": 2.5,
            "enabled": 1,
            "folder": {},
        }
    ) == (
        "server.trust_doman is unknown: did you mean trust_domain?",
        "server.trust_domain is missing",
        "server.ttl is 5, the least is 10",
        "server.mode is 'plane', it must be one of plain, fancy: did you mean plain?",
        "server.colour is 'blue', it must be one of red, green",
        "server.names[1] is 1, it must be a text",
        "server.weights.a is a text, it must be a whole number",
        "server.limits.xyz is unknown: known are most",
        "server.limits.most is 0, the least is 1",
        "server.grace is true, it must be a duration such as 1h30m",
        "server.either is a list, it must be a whole number or is a list, it must be a text",
        "server.ratio is 2.5, it must be 0 to 1",
        "server.enabled is 1, it must be true or false",
        "server.folder is a table, it must be a text",
    )


def test_a_rule_of_several_fields_is_said_with_the_table() -> None:
    """What `__post_init__` refuses is a problem like any other."""
    assert problems({"trust_domain": "a", "mode": "fancy"}) == ("server: mode fancy needs names",)


def test_a_table_without_settings_says_so() -> None:
    """A plugin with nothing to set names no nearest key."""

    @dataclass(frozen=True)
    class Nothing:
        pass

    with pytest.raises(SettingsError, match="x is unknown: there is nothing to set"):
        load(Nothing, {"x": 1}, "")


def test_true_is_not_a_number() -> None:
    """TOML's true is no whole number, though Python takes it for one."""
    assert problems({"trust_domain": "a", "ratio": True})
    assert problems({"trust_domain": "a", "limits": {"most": True}})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "1x", "", "h", "1h 2m", "-1h"])
def test_what_is_no_duration_is_said(value: object) -> None:
    """A duration is a number of seconds that is not negative and has an end, or such a text."""
    assert len(problems({"trust_domain": "a", "ttl": value})) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86_400),
        ("1h30m", 5_400),
        ("90s", 90),
        ("500ms", 0.5),
        ("1d2h", 93_600),
        ("1.5h", 5_400),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """Units d, h, m, s and ms add up."""
    assert parse_duration(text) == seconds


def test_durations_are_written() -> None:
    """A number of seconds is written so that it is read back as the same."""
    assert [render_duration(each) for each in (0, 90, 5_400, 90_061)] == [
        "0s",
        "1m30s",
        "1h30m",
        "1d1h1m1s",
    ]


def test_a_text_at_the_wrong_place_is_not_shown() -> None:
    """A text where a number belongs may be a secret, so it is not repeated."""
    assert "hunter2" not in " ".join(problems({"trust_domain": "a", "ratio": "hunter2"}))


def test_a_field_of_an_unknown_type_is_a_bug() -> None:
    """A setting of a type that no file can have is our mistake, not the operator's."""

    @dataclass(frozen=True)
    class Odd:
        field: complex

    with pytest.raises(TypeError):
        load(Odd, {"field": 1}, "")


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """A missing file and one that is not TOML are problems, not tracebacks."""
    for content in (None, b"a = ", b"\xff"):
        if content is not None:
            (tmp_path / "ca.toml").write_bytes(content)
        with pytest.raises(SettingsError, match=r"ca\.toml"):
            read_toml(tmp_path / "ca.toml")
    (tmp_path / "ca.toml").write_text("[server]\nttl = '1h'\n")
    assert read_toml(tmp_path / "ca.toml") == {"server": {"ttl": "1h"}}
