"""`python -m tests.e2e.explained [NAME ...]`: play the situations and write docs/explain.md."""

import sys

from tests.conftest import Requirements
from tests.e2e.explained import page
from tests.e2e.explained.situation import SITUATIONS


def main(names: list[str]) -> None:
    """Play all, or those that are named."""
    blocks: dict[str, str] = {}
    for situation in SITUATIONS:
        if names and situation.name not in names:
            continue
        print(situation.name, flush=True)
        blocks[situation.name] = str(situation.played(Requirements()))
        page.write(blocks)


if __name__ == "__main__":
    main(sys.argv[1:])
