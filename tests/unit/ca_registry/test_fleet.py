"""What agents say they run is bounded, counted, and forgotten with them."""

import json

import pytest

from ca.registry.selectors.fleet import (
    MAX_ATTESTORS,
    MAX_FORMS,
    MAX_REPORT_BYTES,
    Fleet,
    read_report,
)
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import NOW
from tests.doubles.entries import agent, node

UNIX = read_report(b'{"attestors": {"unix": ["uid", "user", "uid"]}}')


def test_a_report_is_sorted_and_without_repetition() -> None:
    """Equal reports are equal values."""
    assert UNIX == (("unix", ("uid", "user")),)
    assert read_report(b'{"attestors": {}}') == ()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 8000,
        b'{"attestors": []}',
        b'{"attestors": {"unix": "uid"}}',
        b'{"attestors": {"unix": [7]}}',
        b'{"attestors": {"unix": ["u:id"]}}',
        b'{"attestors": {"": []}}',
        b'{"attestors": {"\\u001b[31m": []}}',
        b" " * (MAX_REPORT_BYTES + 1),
        json.dumps({"attestors": {f"a{n}": [] for n in range(MAX_ATTESTORS + 1)}}).encode(),
        json.dumps({"attestors": {"a": [f"f{n}" for n in range(MAX_FORMS + 1)]}}).encode(),
    ],
)
def test_what_is_no_report_is_refused(document: bytes) -> None:
    """An agent's word is bounded in size and alphabet."""
    with pytest.raises(Refusal) as caught:
        read_report(document)
    assert caught.value.kind is Kind.INVALID


def test_a_fleet_counts_what_runs() -> None:
    """A later report takes the place of an earlier one; who is gone counts no more."""
    fleet = Fleet()
    fleet.note(agent("a"), UNIX)
    fleet.note(agent("b"), (("docker", ("label",)), *UNIX))
    assert (fleet.running("unix"), fleet.running("docker"), len(fleet)) == (2, 1, 2)
    assert fleet.types() == ("docker", "unix")
    assert fleet.gives("docker", "label")
    assert fleet.of(agent("b")) == {"docker": ("label",), "unix": ("uid", "user")}
    fleet.note(agent("b"), UNIX)
    assert (fleet.running("docker"), fleet.gives("docker", "label")) == (0, False)
    fleet.forget(agent("a"))
    fleet.forget(agent("a"))
    assert (fleet.of(agent("a")), fleet.running("unix"), len(fleet)) == (None, 1, 1)


def test_a_fleet_is_whole_when_every_living_agent_spoke() -> None:
    """Banned and expired agents need not; without agents, or while one is away, it is not known."""
    fleet = Fleet()
    nodes = [node("a"), node("b", banned=True), node("c", expires_at=int(NOW) - 1)]
    assert not fleet.is_whole((), NOW)
    assert not fleet.is_whole(nodes, NOW)
    fleet.note(agent("a"), UNIX)
    assert fleet.is_whole(nodes, NOW)
    fleet.doubt(agent("a"))
    assert not fleet.is_whole(nodes, NOW)
    assert fleet.running("unix") == 1
