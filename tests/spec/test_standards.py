"""The list of the standards' rules, the tests that cite them, and the page that shows both."""

import re

import pytest

from tests.spec.standards import LIST, PAGE, ROOT, citations, current_page, read_standards

STANDARDS = read_standards(LIST.read_text("utf-8"))
CITED = citations(ROOT / "tests")


def left_out() -> set[str]:
    found: set[str] = set()
    for ids, _ in STANDARDS.left_out:
        first, to, last = ids.partition(" to ")
        if to:
            name, number = first.split("-")
            found |= {f"{name}-{n:02}" for n in range(int(number), int(last.split("-")[1]) + 1)}
        else:
            found |= set(ids.split(", "))
    return found


def test_every_rule_has_a_test() -> None:
    """A rule of the list that no test cites fails here, unless it is marked as awaited."""
    missing = [
        row.id for row in STANDARDS.requirements() if row.id not in CITED and not row.awaited
    ]
    assert missing == []


def test_every_citation_is_of_a_rule_that_exists() -> None:
    """A test that cites a rule which is not in the list, by a slip of the pen, fails here."""
    known = {row.id for row in STANDARDS.requirements()} | left_out()
    assert {row: tests for row, tests in CITED.items() if row not in known} == {}


def test_no_rule_is_listed_twice() -> None:
    """A rule stands once in the list: in its section or out of scope."""
    ids = [row.id for row in STANDARDS.requirements()]
    assert len(ids) == len(set(ids))
    assert left_out().isdisjoint(ids)


@pytest.mark.parametrize(
    ("prefix", "last"),
    [("SPF", 4), ("STB", 3), ("ID", 30), ("X509", 39), ("JWT", 27), ("TDB", 25), ("WEP", 22),
     ("WAPI", 56), ("WIT", 33), ("FED", 36), ("BEP", 14), ("BAPI", 34)],
)  # fmt: skip
def test_no_rule_is_forgotten(prefix: str, last: int) -> None:
    """Every rule of every standard is either in the list or left out for a reason."""
    known = {row.id for row in STANDARDS.requirements()} | left_out()
    assert {f"{prefix}-{n:02}" for n in range(1, last + 1)} <= known


def test_every_rule_names_where_it_is_kept() -> None:
    """The file that keeps a rule exists."""
    places = {row.place for row in STANDARDS.requirements() if not row.awaited}
    assert [place for place in sorted(places) if not (ROOT / place).is_file()] == []


def test_the_page_is_up_to_date() -> None:
    """docs/standards.md says what the list and the tests say; `python -m tests.spec.standards` writes it."""
    assert PAGE.read_text("utf-8") == current_page()


def test_the_page_names_no_test_that_is_gone() -> None:
    """Every test file that the page links to exists."""
    links = set(re.findall(r"\]\(\.\./(tests/[^)]+)\)", PAGE.read_text("utf-8")))
    assert [link for link in sorted(links) if not (ROOT / link).is_file()] == []


def test_a_malformed_line_of_the_list_is_refused() -> None:
    """A line that is no requirement is an error, not silently a rule less."""
    for line in ("ID-01 | MUST", "ID-01 | MUST | a | X | b", "ID-01 | MUST | a | S | b | soon"):
        with pytest.raises(ValueError, match="no requirement"):
            read_standards(f"[a]\n{line}")
