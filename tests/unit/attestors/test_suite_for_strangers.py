"""The published suite fails for an attestor that breaks its promises, and does not hang with it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from attestors.contract import (
    Attested,
    Finding,
    Process,
    SelectorForm,
    SelectorGrammar,
    WorkloadAttestor,
)
from attestors.testing import WorkloadAttestorSuite
from finial.explain.diagnosis import Diagnosis, Health
from finial.spiffe.selector import Selector

GRAMMAR = SelectorGrammar(
    "place", (SelectorForm("name", "name:[a-z]+", "place:name:here", "the map"),)
)


class Careless:
    """An attestor that finds the same for everybody, or never ends."""

    name = "place"
    grammar = GRAMMAR

    def __init__(self, *values: str, hangs: bool = False) -> None:
        self._selectors = tuple(Selector("place", each) for each in values)
        self._hangs = hangs

    async def attest(self, process: Process, deadline: float) -> Finding:
        if self._hangs:
            await asyncio.Event().wait()
        return Attested(self._selectors)

    async def diagnose(self, deadline: float) -> Sequence[Diagnosis]:
        if self._hangs:
            await asyncio.Event().wait()
        return (Diagnosis(check="attestor place", health=Health.FAILED, detail="lost"),)


class Suite(WorkloadAttestorSuite):
    patience = 0.0

    def __init__(self, made: WorkloadAttestor) -> None:
        self._made = made

    def attestor(self) -> WorkloadAttestor:
        return self._made


@pytest.mark.parametrize(
    ("made", "test"),
    [
        (Careless(hangs=True), Suite.test_a_deadline_that_has_passed_is_kept),
        (Careless("name:Here"), Suite.test_selectors_keep_to_the_grammar),
        (Careless("name:here", "name:here"), Suite.test_selectors_keep_to_the_grammar),
        (Careless("name:here"), Suite.test_a_process_that_has_ended_gets_nothing),
        (Careless("name:here"), Suite.test_it_can_say_how_it_is),
    ],
)
def test_a_broken_promise_is_noticed(made: WorkloadAttestor, test: Callable[[Suite], None]) -> None:
    """Each of the suite's tests can fail, the one of the deadline in bounded time."""
    with pytest.raises(AssertionError):
        test(Suite(made))
