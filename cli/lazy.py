"""Command groups that import a command only when it runs, so that help answers at once."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Later:
    """Where a command is found, and what the list of commands says of it."""

    module: str
    name: str
    short_help: str


class Listing(click.Group):
    """A group whose list of commands says each sentence to its end."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list; what is longer than a line goes on below."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(_LONGEST)) for name, each in named if each]
            )


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for by name."""

    def __init__(self, *, later: Mapping[str, Later], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type] # passed on as they came
        self._later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they were given."""
        return list(self._later)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        place = self._later.get(cmd_name)
        if place is None:
            return None
        command = getattr(importlib.import_module(place.module), place.name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.short_help) for name, place in self._later.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        if args and args[0] not in self._later and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self._later, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)
