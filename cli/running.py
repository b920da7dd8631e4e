"""Runs a program from its configuration file, or only says whether it could."""

import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.printing import print_json
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")


def run_server(config: Path, *, check: bool, output: str) -> None:
    """Run the CA server, or check its configuration."""
    from ca import settings

    found = configured(settings.load, config)
    if check:
        _valid(config, output)
        return
    from ca.assemble import run

    in_loop(run(found, lambda _: None))


def run_agent(config: Path, *, check: bool, join_file: str | None, output: str) -> None:
    """Run an agent, or check its configuration."""
    from agent import settings

    found = configured(settings.load, config)
    if join_file is not None:
        found = configured(lambda _: _joining(found, join_file), config)
    if check:
        _valid(config, output)
        return
    from agent.assemble import run

    in_loop(run(found, lambda _: None))


def configured(load: Callable[[Path], T], config: Path) -> T:
    """Read a configuration.

    Raises: Refusal of kind INVALID with everything that is wrong in it.
    """
    from finial.runtime.settings import SettingsError

    try:
        return load(config)
    except (SettingsError, ValueError) as wrong:
        problems = getattr(wrong, "problems", (str(wrong),))
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise Refusal(Kind.INVALID, f"{config} cannot be used:{listed}") from None


def in_loop(program: Coroutine[Any, Any, None]) -> None:
    """Run a program on the quickest event loop there is."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        asyncio.run(program)
    else:
        uvloop.run(program)


def _joining(found: Any, join_file: str) -> Any:
    place = Path("/dev/stdin" if join_file == "-" else join_file)
    # A join string brings trust, servers and trust domain; what the file says of these steps back.
    own = dataclasses.replace(
        found.agent,
        join_file=place,
        trust_bundle_path=None,
        trust_bundle_sha256="",
        insecure_bootstrap=False,
    )
    return dataclasses.replace(found, agent=own)


def _valid(config: Path, output: str) -> None:
    if output == "json":
        print_json({"file": str(config), "valid": True})
    else:
        click.echo(f"{config} is valid")
