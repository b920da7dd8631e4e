"""The page of policies says what an agent says."""

from pathlib import Path

from agent.access.reasons import Obstacle

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"


def test_the_page_names_every_reason() -> None:
    """With the very sentence that the operator is told."""
    page = PAGE.read_text()
    assert not [each for each in Obstacle if f"| `{each.value}` | {each.sentence} |" not in page]
