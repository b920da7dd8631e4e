"""How long something is to last, as people write it: `90s`, `1h30m`, or a number of seconds."""

from typing import Final

import click


class Lifetime(click.ParamType):  # type: ignore[type-arg] # only new ones of click take one
    """Whole seconds, given as text such as `1h30m` or as a number; `shortest` is in seconds."""

    name: Final = "duration"

    def __init__(self, shortest: int = 0) -> None:
        self._shortest = shortest

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Name it in the list of options."""
        return "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it; a fraction of a second is dropped, what is too short is wrong usage."""
        from finial.runtime.duration import parse_duration

        text = str(value)
        try:
            seconds = int(text) if text.isdecimal() else int(parse_duration(text))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)
        if seconds < self._shortest:
            self.fail(f"{text} is shorter than {self._shortest} s", param, ctx)
        return seconds
