"""The system's service manager: one connection to it, made anew when it has ended."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from jeepney import DBusAddress

from attestors.workload.systemd import listener
from attestors.workload.systemd.connection import CallFailed, Connection, ConnectionLost
from attestors.workload.systemd.listener import PRIVATE, SYSTEM_BUS, Address
from attestors.workload.systemd.questions import Questions
from attestors.workload.systemd.unit import ManagerAway, Unit

T = TypeVar("T")

_BUS: Final = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")


class ServiceManager:
    """Asks at one of the addresses, the first at which our own manager answers.

    By default these are the manager's own socket, which is for root alone, and the system bus.
    """

    def __init__(self, addresses: Sequence[Address] | None = None) -> None:
        self._addresses = addresses
        self._questions: Questions | None = None
        self._connecting = asyncio.Lock()

    async def unit_of(self, pid: int) -> Unit:
        """Return the unit that a process runs in. Raises: NoUnit, ManagerAway."""
        return await self._twice(lambda questions: questions.unit_of(pid))

    async def version(self) -> str:
        """Return the manager's version. Raises: ManagerAway."""
        return await self._twice(lambda questions: questions.version())

    def close(self) -> None:
        """Give the connection back."""
        if self._questions is not None:
            self._questions.close()

    async def _twice(self, ask: Callable[[Questions], Coroutine[Any, Any, T]]) -> T:
        """Ask, and once more on a new connection if the one that was kept has ended."""
        kept = self._questions
        try:
            asked = await self._connected()
            try:
                return await ask(asked)
            except ConnectionLost:
                if asked is not kept:
                    raise
                asked.close()
            return await ask(await self._connected())
        except ConnectionLost as error:
            raise ManagerAway(str(error)) from error
        except CallFailed as error:
            raise ManagerAway(f"the service manager refuses: {error}"[:300]) from error

    async def _connected(self) -> Questions:
        async with self._connecting:
            if self._questions is None or self._questions.is_over:
                self._questions = await self._connect()
            return self._questions

    async def _connect(self) -> Questions:
        addresses = self._addresses
        if addresses is None:
            addresses = (PRIVATE, SYSTEM_BUS) if os.geteuid() == 0 else (SYSTEM_BUS,)
        faults = []
        for address in addresses:
            try:
                return await _open(address)
            except (ManagerAway, ConnectionLost) as error:
                faults.append(str(error))
        raise ManagerAway("; ".join(faults))


async def _open(address: Address) -> Questions:
    connection = Connection(listener.connect(address))
    try:
        await connection.open()
        if address.is_bus:
            await connection.call(_BUS, "Hello")
    except BaseException:
        connection.close()
        raise
    return Questions(connection, address.is_bus)
