"""The documents name what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
ROOMS = ("agent", "attestors", "benchmarks", "ca", "cli", "docs", "examples", "finial", "tests")
NAMED = re.compile(rf"`((?:{'|'.join(ROOMS)})/[a-z0-9_./-]+)`")
LINKED = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def is_there(name: str) -> bool:
    """A file or folder, or a module named without its ending."""
    return (ROOT / name).exists() or (ROOT / f"{name}.py").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_files_that_exist(document: Path) -> None:
    """Every path in backquotes that begins with a folder of ours leads to something."""
    missing = [name for name in NAMED.findall(document.read_text()) if not is_there(name)]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_to_files_that_exist(document: Path) -> None:
    """Every relative link leads to something."""
    links = LINKED.findall(document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def test_the_readme_shows_what_the_page_of_explanations_shows() -> None:
    """Its example of an explanation is a part of one that is compared with the programs."""
    section = (ROOT / "README.md").read_text().partition("## Why no identity?")[2]
    shown = section.partition("```console\n")[2].partition("```")[0]
    page = (ROOT / "docs" / "explain.md").read_text()
    parts = [part.strip("\n") for part in shown.split("...\n") if part.strip()]
    assert parts
    assert not [part for part in parts if part not in page]
