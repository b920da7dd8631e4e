"""The sidecar as a program, at a Workload API that says what the test says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.sidecar.program import Program
from cli.sidecar.settings import Settings, SvidFiles
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import StandingClock
from tests.doubles.entropy import RepeatingEntropy
from tests.doubles.programs import short_folder
from tests.doubles.workload_api import GivenSvids, answer, workload_api

CA = SmallCa()


@pytest.fixture
def api() -> Iterator[GivenSvids]:
    with short_folder() as folder, workload_api(folder / "w.sock") as given:
        yield given


def once(api: GivenSvids, folder: Path, **wanted: Any) -> None:
    settings = Settings((SvidFiles(folder / "f", **wanted),))
    place = Path(api.uri.removeprefix("unix://"))
    asyncio.run(Program(settings, place, StandingClock(), RepeatingEntropy()).write_once())


def test_once_does_as_the_operator_chose_when_the_identity_is_lost(
    api: GivenSvids, tmp_path: Path
) -> None:
    """The files are taken away or kept as in a run that goes on, and the refusal is told."""
    api.give(answer(CA.workload("/web"), authorities=[CA]))
    once(api, tmp_path)
    api.give(None)
    for when_denied, kept in (("keep", True), ("remove", False)):
        with pytest.raises(Refusal, match="no identity issued") as caught:
            once(api, tmp_path, when_denied=when_denied)
        assert caught.value.kind is Kind.DENIED
        assert (tmp_path / "f" / "svid.key").exists() is kept


def test_a_stream_without_an_answer_is_told(api: GivenSvids, tmp_path: Path) -> None:
    """An end without a word is no answer, and no fault of ours."""
    api.end()
    with pytest.raises(Refusal, match="without an answer") as caught:
        once(api, tmp_path)
    assert caught.value.kind is Kind.UNAVAILABLE
