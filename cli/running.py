"""Runs a program from its configuration file, or only says whether it could."""

import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.printing import print_json
from finial.runtime.logging import setup
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")
Ready = Callable[[Any], None]


def _no_one(_: Any) -> None:
    """Nobody waits for the program to be ready."""


def run_server(config: Path, *, check: bool, output: str) -> None:
    """Run the CA server, or check its configuration."""
    from ca.assemble.plugins import judge_plugins
    from ca.settings import load

    found = configured(load, config)
    if check:
        configured(lambda _: judge_plugins(found), config)
        _valid(config, output)
    else:
        server(config)()


def run_agent(config: Path, *, check: bool, join_file: str | None, output: str) -> None:
    """Run an agent, or check its configuration."""
    from agent.assemble.plugins import judge_plugins
    from agent.settings import load

    found = configured(load, config)
    if join_file is not None:
        found = configured(lambda _: _joining(found, join_file), config)
    if check:
        configured(lambda _: judge_plugins(found), config)
        _valid(config, output)
    else:
        agent(config, join_file)()


def server(config: Path, ready: Ready = _no_one) -> Callable[[], None]:
    """Load the server's program; what is returned reads its configuration and runs it.

    Raises (when called): Refusal.
    """
    from ca.assemble import run
    from ca.settings import load

    def start() -> None:
        found = configured(load, config)
        setup(found.server.log_level, found.server.log_format)
        in_loop(lambda: run(found, ready), config)

    return start


def agent(config: Path, join_file: str | None = None, ready: Ready = _no_one) -> Callable[[], None]:
    """Load the agent's program; what is returned reads its configuration and runs it.

    Raises (when called): Refusal.
    """
    from agent.assemble import run
    from agent.settings import load

    def start() -> None:
        found = configured(load, config)
        if join_file is not None:
            found = configured(lambda _: _joining(found, join_file), config)
        setup(found.agent.log_level, found.agent.log_format)
        in_loop(lambda: run(found, ready), config)

    return start


def configured(load: Callable[[Path], T], config: Path) -> T:
    """Read a configuration.

    Raises: Refusal of kind INVALID with everything that is wrong in it.
    """
    from finial.runtime.settings import SettingsError

    try:
        return load(config)
    except (SettingsError, ValueError) as wrong:
        raise _unusable(config, getattr(wrong, "problems", (str(wrong),))) from None


def in_loop(program: Callable[[], Coroutine[Any, Any, None]], config: Path) -> None:
    """Run a program on the quickest event loop there is.

    Raises: Refusal.
    """
    import asyncio

    from finial.runtime.settings import SettingsError

    try:
        import uvloop
    except ImportError:
        runner: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    else:
        runner = uvloop.run
    try:
        runner(program())
    except SettingsError as wrong:
        raise _unusable(config, wrong.problems) from None
    except OSError as fault:
        raise Refusal(Kind.PRECONDITION, f"cannot start: {fault}") from fault


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


def _unusable(config: Path, problems: Sequence[str]) -> Refusal:
    listed = "".join(f"\n  - {problem}" for problem in problems)
    return Refusal(Kind.INVALID, f"{config} cannot be used:{listed}")


def _valid(config: Path, output: str) -> None:
    if output == "json":
        print_json({"file": str(config), "valid": True})
    else:
        click.echo(f"{config} is valid")
