"""The page about policies says what the programs do."""

import json
import re
from pathlib import Path

import cedarpy
import pytest

from finial.policy.admission import Known, faults
from finial.policy.cedar.text import rule_text, schema_text
from finial.policy.document import PolicyText
from finial.policy.grounds import Ground
from finial.policy.path.pattern import PathPattern
from finial.policy.path.reading import read_path
from finial.policy.rule import read_rule
from finial.policy.statement import Form
from finial.spiffe.identity import TrustDomain

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
LEAST = {"name": "p", "from": "spiffe://example.org/a", "to": "spiffe://example.org/b"}
KNOWN = Known(TrustDomain("example.org"), [TrustDomain("partner.org")], ["role", "environment"])


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    """The rows of the table that begins with this heading."""
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    assert lines
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


def test_each_rule_is_the_statement_beside_it() -> None:
    """The two forms that are shown for one policy are one, and may be registered."""
    pairs = list(zip(blocks("json"), blocks("cedar"), strict=True))
    assert len(pairs) == 2
    for rule, cedar in pairs:
        made = cedarpy.policies_to_pst(rule_text(read_rule(rule.encode())))
        assert cedarpy.policies_to_pst(cedar) == made
        name = json.loads(rule)["name"]
        assert not list(faults(PolicyText(name, Form.RULE, rule), KNOWN))
        assert not list(faults(PolicyText(name, Form.CEDAR, cedar), KNOWN))


def test_the_schema_is_the_schema() -> None:
    """What statements in Cedar are judged by is what is shown."""
    (shown,) = blocks("cedarschema")
    assert shown.strip() == schema_text(KNOWN.attributes).strip()


@pytest.mark.parametrize(("policy", "answer"), rows("policy"), ids=range(len(rows("policy"))))
def test_refused_policies_are_refused_so(policy: str, answer: str) -> None:
    """Each refusal is shown in its own words, with its remedy."""
    (text,) = quoted(policy)
    if text.startswith("permit"):
        made = PolicyText("p", Form.CEDAR, text)
    else:
        made = PolicyText("p", Form.RULE, json.dumps({**LEAST, **json.loads(f"{{{text}}}")}))
    assert str(next(faults(made, KNOWN))) == answer


def test_patterns_match_what_is_shown() -> None:
    """Each path beside a pattern matches it, or does not."""
    for pattern, matching, others in rows("pattern"):
        parsed = PathPattern.parse(*quoted(pattern))
        assert all(map(parsed.matches, quoted(matching)))
        assert not any(map(parsed.matches, quoted(others)))


def test_paths_are_read_as_shown() -> None:
    """Each request has the readings, or the reason id, beside it."""
    for request, read in rows("request"):
        found = read_path(*quoted(request))
        shown = quoted(read)
        assert (Ground(*shown) if read.startswith("denied") else tuple(shown)) == found


def test_all_reasons_are_listed() -> None:
    """The table holds every reason id and its sentence."""
    assert [[f"`{each}`", each.sentence] for each in Ground] == rows("reason")
