"""The system's service manager: one connection to it, made anew when it has ended."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from jeepney import DBusAddress

from attestors.workload.systemd import listener
from attestors.workload.systemd.connection import CallFailed, Connection, ConnectionLost
from attestors.workload.systemd.listener import PRIVATE, SYSTEM_BUS, Address
from attestors.workload.systemd.questions import Questions
from attestors.workload.systemd.unit import ManagerAway, Unit
from finial.runtime.clock import Clock

T = TypeVar("T")

PAUSES: Final = (0.0, 0.1, 0.4)
"""Seconds between attempts."""

_BUS: Final = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
_ERROR: Final = "org.freedesktop.DBus.Error"
_BEING_REPLACED: Final = (
    f"{_ERROR}.NoReply",
    f"{_ERROR}.ServiceUnknown",
    f"{_ERROR}.NameHasNoOwner",
    f"{_ERROR}.Spawn",
)


class ServiceManager:
    """Asks at one of the addresses, the first at which our own manager answers.

    By default these are the manager's own socket, which is for root alone, and the system bus.
    """

    def __init__(
        self,
        clock: Clock,
        addresses: Sequence[Address] | None = None,
        connect: Callable[[Address], socket.socket] = listener.connect,
    ) -> None:
        self._clock = clock
        self._connect_to = connect
        self._addresses = addresses
        self._questions: Questions | None = None
        self._connecting = asyncio.Lock()

    async def unit_of(self, pid: int) -> Unit:
        """Return the unit that a process runs in. Raises: NoUnit, ManagerAway."""
        return await self._asked(lambda questions: questions.unit_of(pid))

    async def version(self) -> str:
        """Return the manager's version. Raises: ManagerAway."""
        return await self._asked(lambda questions: questions.version())

    def close(self) -> None:
        """Give the connection back."""
        if self._questions is not None:
            self._questions.close()

    async def _asked(self, ask: Callable[[Questions], Coroutine[Any, Any, T]]) -> T:
        """Ask, and again while the manager, or the bus, is being replaced by another version."""
        for pause in (*PAUSES, None):
            try:
                return await ask(await self._connected())
            except ConnectionLost as error:
                fault = str(error)
            except CallFailed as error:
                fault = f"the service manager refuses: {error}"[:300]
                if not error.name.startswith(_BEING_REPLACED):
                    raise ManagerAway(fault) from error
            if pause is not None:
                await self._clock.sleep(pause)
        raise ManagerAway(fault)

    async def _connected(self) -> Questions:
        async with self._connecting:
            if self._questions is None or self._questions.is_over:
                self._questions = await self._connect()
            return self._questions

    async def _connect(self) -> Questions:
        addresses = self._addresses
        if addresses is None:
            addresses = (PRIVATE, SYSTEM_BUS) if os.geteuid() == 0 else (SYSTEM_BUS,)
        faults: list[Exception] = []
        for address in addresses:
            try:
                return await _open(self._connect_to(address), address)
            except (ManagerAway, ConnectionLost, CallFailed) as error:
                faults.append(error)
        lost = any(isinstance(fault, ConnectionLost) for fault in faults)
        said = "; ".join(map(str, faults))
        raise ConnectionLost(said) if lost else ManagerAway(said)


async def _open(sock: socket.socket, address: Address) -> Questions:
    connection = Connection(sock)
    try:
        await connection.open()
        if address.is_bus:
            await connection.call(_BUS, "Hello")
    except BaseException:
        connection.close()
        raise
    return Questions(connection)
