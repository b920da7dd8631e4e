"""Runs a program from its configuration file, or only says whether it could."""

import dataclasses
import errno
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cli.printing import print_json
from finial.runtime.reporting.logging import setup
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    from agent.settings import Settings

T = TypeVar("T")
Ready = Callable[[Any], None]
DEFAULT_AGENT: Final = Path("/etc/finial/agent.toml")
_ADDRESS_REMEDIES: Final = {
    errno.EADDRINUSE: "stop the program that listens there, or choose another address",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
}


@dataclass(frozen=True, slots=True)
class AgentWishes:
    """What the command line says of an agent; `join_file` `-` is standard input."""

    config: Path | None = None
    join_file: str | None = None
    data_dir: Path | None = None

    @property
    def file(self) -> Path:
        """The configuration file to read, or to name."""
        return self.config or DEFAULT_AGENT


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


def run_agent(wishes: AgentWishes, *, check: bool, output: str) -> None:
    """Run an agent, or check its configuration."""
    from agent.assemble.plugins import judge_plugins

    if check:
        found = agent_settings(wishes)
        configured(lambda _: judge_plugins(found), wishes.file)
        _valid(wishes.file, output)
    else:
        agent(wishes)()


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


def agent(wishes: AgentWishes, ready: Ready = _no_one) -> Callable[[], None]:
    """Load the agent's program; what is returned reads its configuration and runs it.

    Raises (when called): Refusal.
    """
    from agent.assemble import run

    def start() -> None:
        found = agent_settings(wishes)
        setup(found.agent.log_level, found.agent.log_format)
        in_loop(lambda: run(found, ready), wishes.file)

    return start


def agent_settings(wishes: AgentWishes) -> "Settings":
    """Read an agent's configuration, and let the command line have the last word.

    Raises: Refusal of kind INVALID.
    """
    from agent.settings import load, read

    if wishes.config is None and wishes.join_file is None and not DEFAULT_AGENT.exists():
        raise click.UsageError(
            "what shall it join? Give --join-file FILE, what `finial token create` printed on the "
            f"server, or --config FILE; there is no {DEFAULT_AGENT}"
        )
    # A join string names everything that an agent needs, so that no file has to exist.
    needs_file = wishes.config is not None or wishes.join_file is None or DEFAULT_AGENT.exists()
    found = configured(load if needs_file else lambda _: read({"agent": {}}), wishes.file)
    return configured(lambda _: _overruled(found, wishes), wishes.file)


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
        remedy = _ADDRESS_REMEDIES.get(fault.errno or 0, "")
        raise Refusal(Kind.PRECONDITION, f"cannot start: {fault}", remedy=remedy) from fault


def _overruled(found: "Settings", wishes: AgentWishes) -> "Settings":
    changes: dict[str, Any] = {}
    if wishes.data_dir is not None:
        changes["data_dir"] = wishes.data_dir
    if wishes.join_file is not None:
        # A join string brings trust, servers and trust domain; the file's word on trust steps back.
        changes |= {
            "join_file": Path("/dev/stdin" if wishes.join_file == "-" else wishes.join_file),
            "trust_bundle_path": None,
            "trust_bundle_sha256": "",
            "insecure_bootstrap": False,
        }
    return dataclasses.replace(found, agent=dataclasses.replace(found.agent, **changes))


def _unusable(config: Path, problems: Sequence[str]) -> Refusal:
    listed = "".join(f"\n  - {problem}" for problem in problems)
    return Refusal(Kind.INVALID, f"{config} cannot be used:{listed}")


def _valid(config: Path, output: str) -> None:
    if output == "json":
        print_json({"file": str(config), "valid": True})
    else:
        click.echo(f"{config} is valid")
