"""A report of somebody who got no identity, as something that can be rebuilt."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from tests.conftest import Requirements
from tests.e2e.explained.stage import Stage, stage
from tests.e2e.explained.transcript import Transcript

Play = Callable[[Stage], None]


@dataclass(frozen=True)
class Situation:
    """What was reported where, told in a few sentences, and how it is played."""

    name: str
    reports: tuple[str, ...]
    title: str
    story: str
    play: Play

    def played(self, require: Requirements) -> Transcript:
        """Rebuild it; the play itself checks what the output has to name."""
        with stage(require) as made:
            self.play(made)
            return made.transcript

    @property
    def links(self) -> str:
        """The reports as links, such as `spiffe/spire#1108`."""
        return ", ".join(f"[{each}]({_address(each)})" for each in self.reports)


SITUATIONS: list[Situation] = []


def situation(*reports: str) -> Callable[[Play], Play]:
    """Add a play; its docstring is the title, an empty line, and the story."""

    def add(play: Play) -> Play:
        title, _, story = inspect.cleandoc(play.__doc__ or "").partition("\n\n")
        found = Situation(play.__name__, reports, title.rstrip("."), story.strip(), play)
        SITUATIONS.append(found)
        return play

    return add


def _address(report: str) -> str:
    repository, _, number = report.partition("#")
    return f"https://github.com/{repository}/issues/{number}"
