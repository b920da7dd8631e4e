"""`docs/explain.md`: a head that is written by hand, then every situation with its output."""

import difflib
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from tests.doubles.programs import ROOT
from tests.e2e.explained import (
    callers,
    changes,
    containers,
    places,
    pods,
    processes,
    registration,
    units,
)
from tests.e2e.explained.situation import SITUATIONS, Situation
from tests.e2e.explained.transcript import Transcript, wording

PAGE = ROOT / "docs" / "explain.md"
BEGIN = "<!-- what follows is written by `python -m tests.e2e.explained` -->"
CHAPTERS = {
    processes: "Which process it was",
    registration: "What never could match",
    containers: "Containers",
    pods: "Pods",
    units: "Units of systemd",
    places: "Another node's, or nobody's",
    changes: "Not yet, or no longer",
    callers: "Who calls, and from where",
}


def sections(page: Path = PAGE) -> dict[str, str]:
    """The blocks of output on the page as it is, by the situation's name."""
    text = page.read_text() if page.exists() else ""
    found = re.findall(r'<a id="(\w+)"></a>.*?```console\n(.*?)```', text, re.DOTALL)
    return {name.replace("-", "_"): block for name, block in found}


def is_stale(situation: Situation, played: Transcript, page: Path = PAGE) -> str:
    """What the page says differently from the play; empty if it says the same."""
    told = wording(sections(page).get(situation.name, "")).splitlines()
    said = wording(str(played)).splitlines()
    return "\n".join(difflib.unified_diff(told, said, page.name, "the programs", lineterm="", n=1))


def write(blocks: Mapping[str, str], page: Path = PAGE) -> None:
    """Write the page anew below its head; a situation that was not played keeps its block."""
    text = page.read_text() if page.exists() else f"# Why no identity?\n\n{BEGIN}\n"
    head, begin, _ = text.partition(BEGIN)
    kept = {**sections(page), **blocks}
    parts = [f"{head}{begin}\n\n| what was seen | reported in |\n|---|---|\n"]
    parts += [f"| [{each.title}](#{each.name}) | {each.links} |\n" for each in in_order()]
    for module, chapter in CHAPTERS.items():
        parts.append(f"\n## {chapter}\n")
        parts += [_section(each, kept.get(each.name, "")) for each in _of(module)]
    page.write_text("".join(parts))


def in_order() -> list[Situation]:
    """The situations as the page has them."""
    return [each for module in CHAPTERS for each in _of(module)]


def _of(module: ModuleType) -> list[Situation]:
    return [each for each in SITUATIONS if each.play.__module__ == module.__name__]


def _section(situation: Situation, block: str) -> str:
    paragraphs = situation.story.split("\n\n")
    story = "\n\n".join(textwrap.fill(" ".join(each.split()), 108) for each in paragraphs)
    return (
        f'\n<a id="{situation.name}"></a>\n### {situation.title}\n\n'
        f"{story}\nReported in {situation.links}.\n\n```console\n{block}```\n"
    )
