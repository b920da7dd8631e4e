"""What the doctor found, for people and for programs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import click

from cli.printing import plain, print_json
from finial.explain.checkup import many, worst
from finial.explain.diagnosis import Diagnosis, Health

Found = Mapping[str, Sequence[Diagnosis]]
"""What was found, by side."""

_COLOURS: Final = {Health.OK: "green", Health.WARNING: "yellow", Health.FAILED: "red"}
_WIDTH: Final = 7


def print_found(found: Found, output: str) -> None:
    """Print everything that was found."""
    everything = [each for diagnoses in found.values() for each in diagnoses]
    if output == "json":
        print_json(
            {
                "health": worst(everything).value,
                "checks": [
                    _document(side, each) for side, diagnoses in found.items() for each in diagnoses
                ],
            }
        )
        return
    width = max((len(plain(each.check)) for each in everything), default=0)
    for side, diagnoses in found.items():
        click.echo(click.style(side, bold=True))
        for each in diagnoses:
            _print_one(each, width)
    click.echo(_sum(everything))


def _print_one(diagnosis: Diagnosis, width: int) -> None:
    word = click.style(f"{diagnosis.health.value:<{_WIDTH}}", fg=_COLOURS[diagnosis.health])
    click.echo(f"  {word}  {plain(diagnosis.check):<{width}}  {plain(diagnosis.detail)}")
    if diagnosis.remedy:
        click.echo(f"  {'':<{_WIDTH}}  {'':<{width}}  try: {plain(diagnosis.remedy)}")


def _sum(everything: Sequence[Diagnosis]) -> str:
    counted = Counter(each.health for each in everything)
    words = {Health.FAILED: "failed", Health.WARNING: "with a warning", Health.OK: "ok"}
    parts = [f"{counted[health]} {word}" for health, word in words.items() if counted[health]]
    return f"{many(len(everything), 'check')}: {', '.join(parts)}"


def _document(side: str, diagnosis: Diagnosis) -> dict[str, str]:
    said = {
        "side": side,
        "check": diagnosis.check,
        "health": diagnosis.health.value,
        "detail": diagnosis.detail,
        "remedy": diagnosis.remedy,
    }
    return {name: value for name, value in said.items() if value}
