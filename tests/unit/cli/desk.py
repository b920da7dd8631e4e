"""The command beside a whole server in this process, which it reaches by its socket."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ca.api.rest.routes.watching import Vitals
from ca.api.rest.start import start
from ca.operations.server_identity import renew_server_identity
from cli.__main__ import root
from cli.outcome import run
from tests.doubles.house import House, house
from tests.doubles.programs import short_folder


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs commands of `finial` against one server."""

    house: House
    socket: Path

    async def finial(self, *line: str) -> Said:
        """Run one command line."""
        return await asyncio.to_thread(self._run, line)

    def _run(self, line: tuple[str, ...]) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(root, [*line, "--server", f"unix://{self.socket}"])
        return Said(status, out.getvalue(), err.getvalue())


def at_desk(folder: Path, act: Callable[[Desk], Awaitable[None]]) -> None:
    """Play one scene."""

    async def scene(socket: Path) -> None:
        async with house(folder, rest={"admin_socket": str(socket)}) as built:
            identity = (await renew_server_identity(built.world, ("localhost",))).tls
            api = await start(built.world, Vitals(lambda: b"", tuple), lambda: identity)
            try:
                await act(Desk(built, socket))
            finally:
                await api.close(1.0)

    with short_folder() as short:
        asyncio.run(scene(short / "admin.sock"))
