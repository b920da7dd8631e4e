"""Every report of docs/explain.md, rebuilt: the output names cause and fix, and the page has it."""

import pytest

from tests.conftest import Requirements
from tests.e2e.explained import page
from tests.e2e.explained.situation import SITUATIONS, Situation

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_the_output_names_the_cause(situation: Situation, require: Requirements) -> None:
    """Whoever reads it finds what kept the workload from its identity, and what to do."""
    require.root()
    stale = page.is_stale(situation, situation.played(require))
    assert not stale, f"{stale}\nwrite it anew: python -m tests.e2e.explained {situation.name}"


def test_the_page_has_every_report() -> None:
    """At least a dozen reports are on the page, each with its output."""
    assert list(page.sections()) == [each.name for each in page.in_order()]
    assert len(page.in_order()) == len(SITUATIONS)
    assert len({report for each in SITUATIONS for report in each.reports}) >= 12
