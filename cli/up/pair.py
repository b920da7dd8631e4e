"""A server and an agent that is told where the server is."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Final

from cli.up.children import Child, Ready
from cli.up.configuration import Wishes, write_agent, write_server
from cli.up.layout import Layout
from finial.runtime.clock import SystemClock
from finial.runtime.entropy import SystemEntropy

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Pair:
    """Both programs of one folder, from the first start to the orderly end."""

    def __init__(self, layout: Layout, wishes: Wishes, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._wishes = wishes
        clock = SystemClock()
        self._server = Child("server", layout.server_config, clock, say)
        self._agent = Child("agent", layout.agent_config, clock, say)

    async def run(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """Start both, tell what was made once both are ready, and keep them until a signal.

        Raises: Refusal of kind UNAVAILABLE when one of them never became ready.
        """
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stopping.set)
        starting = asyncio.create_task(self._start())
        stopped = asyncio.create_task(stopping.wait())
        keepers: list[asyncio.Task[None]] = []
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                tell(starting.result())
                keepers = [asyncio.create_task(self._server.keep())]
                keepers.append(asyncio.create_task(self._agent.keep()))
                await stopping.wait()
        finally:
            starting.cancel()
            stopped.cancel()
            # The agent first: while it ends it may still talk to its server.
            await self._agent.stop()
            await self._server.stop()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(starting, stopped, *keepers, return_exceptions=True)

    async def _start(self) -> dict[str, Any]:
        # What they read is written while they load their programs.
        await self._server.load()
        await self._agent.load()
        from cli.up.node_certificate import prepare

        prepare(self._layout.node, SystemEntropy())
        write_server(self._layout, self._wishes, self._wishes.port, self._wishes.rest_port)
        server = await self._server.run()
        port, rest_port = server["grpc_address"][1], server["rest_address"][1]
        # A server that is started again has to come back where its agent looks for it.
        write_server(self._layout, self._wishes, port, rest_port)
        write_agent(self._layout, self._wishes, port)
        agent = await self._agent.run()
        return self._made(server, agent)

    def _made(self, server: Ready, agent: Ready) -> dict[str, Any]:
        layout = self._layout
        return {
            "server_pid": server["pid"],
            "agent_pid": agent["pid"],
            "agent_id": agent["agent_id"],
            "grpc_address": "{}:{}".format(*server["grpc_address"]),
            "rest_address": f"https://localhost:{server['rest_address'][1]}",
            "workload_socket": str(layout.workload_socket),
            "agent_socket": str(layout.agent_socket),
            "admin_socket": str(layout.admin_socket),
            "server_socket": str(layout.server_socket),
            "bundle_path": str(layout.bundle),
        }
