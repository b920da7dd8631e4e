"""Which programs there are to look at: an agent, a server, or both, and where they are."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.place import ADMIN_SOCKET, Place

if TYPE_CHECKING:
    from agent.settings import Agent
    from ca.settings import Server

AGENT_CONFIG: Final = Path("/etc/finial/agent.toml")
SERVER_CONFIG: Final = Path("/etc/finial/ca.toml")
_NOBODYS_DOMAIN: Final = "example.org"


@dataclass(frozen=True, slots=True)
class AgentSide:
    """An agent: its configuration file, if one is known, and its settings as far as they are."""

    socket: Path
    config: Path | None = None
    settings: "Agent | None" = None


@dataclass(frozen=True, slots=True)
class ServerSide:
    """A server: how it is asked, its configuration file, and its settings as far as known."""

    place: Place
    config: Path | None = None
    settings: "Server | None" = None


@dataclass(frozen=True, slots=True)
class Sides:
    """What there is to look at."""

    agent: AgentSide | None = None
    server: ServerSide | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """What the command line names; None where it says nothing."""

    directory: Path | None = None
    agent: Path | None = None
    server: Place | None = None
    agent_config: Path | None = None
    server_config: Path | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all, so that the usual places are looked at."""
        return not any(
            (self.directory, self.agent, self.server, self.agent_config, self.server_config)
        )


def find_sides(named: Named) -> Sides:
    """Find what is named; what is not named is looked for in its usual place."""
    if named.is_empty:
        named = Named(agent_config=_if_there(AGENT_CONFIG), server_config=_if_there(SERVER_CONFIG))
    folder = named.directory
    agent_config = named.agent_config or _below(folder, "private/agent.toml")
    server_config = named.server_config or _below(folder, "private/ca.toml")
    return Sides(
        _agent(named, agent_config)
        if _is_there(folder, _AGENTS, named.agent, agent_config)
        else None,
        _server(named, server_config)
        if _is_there(folder, _SERVERS, named.server, server_config)
        else None,
    )


_AGENTS: Final = ("agent.sock", "workload", "private/agent")
_SERVERS: Final = (str(ADMIN_SOCKET), "private/server-id")


def _agent(named: Named, config: Path | None) -> AgentSide:
    settings = _agent_settings(config, named.directory)
    socket = named.agent or (settings.admin_socket if settings else None)
    if socket is None:
        # The file cannot be used: what it says of sockets is what it would say by default.
        socket = (named.directory or Path("/var/lib/finial/agent")) / "agent.sock"
    return AgentSide(socket, config, settings)


def _server(named: Named, config: Path | None) -> ServerSide:
    settings = _server_settings(config, named.directory)
    if named.server is not None:
        return ServerSide(named.server, config, settings)
    usual = (named.directory or Path("/var/lib/finial/ca")) / ADMIN_SOCKET
    return ServerSide(Place(socket=settings.admin_socket if settings else usual), config, settings)


def _agent_settings(config: Path | None, folder: Path | None) -> "Agent | None":
    from agent.settings import load, read
    from finial.runtime.settings import SettingsError

    if config is not None:
        with contextlib.suppress(SettingsError):
            return load(config).agent
    # What a file says that may not be read is taken for what it would say by default.
    with contextlib.suppress(SettingsError):
        return read({"agent": {"data_dir": str(folder)}}).agent if folder else None
    return None


def _server_settings(config: Path | None, folder: Path | None) -> "Server | None":
    from ca.settings import load, read
    from finial.runtime.settings import SettingsError

    if config is not None:
        with contextlib.suppress(SettingsError):
            return load(config).server
    table = {"trust_domain": _NOBODYS_DOMAIN, "data_dir": str(folder)}
    with contextlib.suppress(SettingsError):
        return read({"server": table}).server if folder else None
    return None


def _is_there(
    folder: Path | None, names: Iterable[str], named: object, config: Path | None
) -> bool:
    """Whether a program is named, or has left traces in the folder."""
    if named or config:
        return True
    return folder is not None and any(_exists(folder / name) for name in names)


def _below(folder: Path | None, name: str) -> Path | None:
    return _if_there(folder / name) if folder else None


def _if_there(path: Path) -> Path | None:
    return path if _exists(path) else None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        # Whoever may not look is told so by whatever looks next.
        return True
