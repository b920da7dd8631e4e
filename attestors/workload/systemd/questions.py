"""What is asked of the service manager (org.freedesktop.systemd1), on one connection.

Where it takes one (systemd 253), a process is named by a descriptor that can mean no other process;
elsewhere by its PID, which means the same while the caller is known to live.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from jeepney import DBusAddress

from attestors.workload.systemd.connection import CallFailed, Connection, ConnectionLost
from attestors.workload.systemd.unit import NoUnit, Unit

T = TypeVar("T")

SYSTEMD: Final = "org.freedesktop.systemd1"
_MANAGER: Final = "/org/freedesktop/systemd1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_NO_UNIT: Final = (f"{SYSTEMD}.NoUnitForPID", f"{SYSTEMD}.NoSuchUnit")
_NO_METHOD: Final = (
    "org.freedesktop.DBus.Error.UnknownMethod",
    # The bus's rules came with a manager that did not have the method yet.
    "org.freedesktop.DBus.Error.AccessDenied",
)


class Questions:
    """Asks on a connection, which is the manager's own or a bus."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._by_descriptor = connection.passes_descriptors

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended."""
        return self._connection.is_closed

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    async def version(self) -> str:
        """Return the manager's version. Raises: CallFailed, ConnectionLost."""
        return await self._property(_MANAGER, f"{SYSTEMD}.Manager", "Version", str)

    async def unit_of(self, pid: int) -> Unit:
        """Return the unit that a process runs in. Raises: NoUnit, CallFailed, ConnectionLost."""
        try:
            path = await self._path(pid)
        except CallFailed as error:
            if error.name in _NO_UNIT:
                raise NoUnit(str(error)) from error
            raise
        of_unit = f"{SYSTEMD}.Unit"
        # Slice and group are properties of the kind of unit, such as a service; the path ends so.
        of_kind = f"{SYSTEMD}.{path.rpartition('_2e')[2].capitalize()}"
        unit_id, fragment, invocation, its_slice, group = await asyncio.gather(
            self._property(path, of_unit, "Id", str),
            self._property(path, of_unit, "FragmentPath", str),
            self._property(path, of_unit, "InvocationID", bytes),
            self._property(path, of_kind, "Slice", str),
            self._property(path, of_kind, "ControlGroup", str),
        )
        return Unit(unit_id, fragment, its_slice, invocation.hex(), group)

    async def _path(self, pid: int) -> str:
        if self._by_descriptor:
            try:
                return await self._path_by_descriptor(pid)
            except CallFailed as error:
                if error.name not in _NO_METHOD:
                    raise
                self._by_descriptor = False
        return _first(await self._ask_manager("GetUnitByPID", "u", pid), str)

    async def _path_by_descriptor(self, pid: int) -> str:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError as error:
            raise NoUnit(f"process {pid} has ended") from error
        try:
            return _first(await self._ask_manager("GetUnitByPIDFD", "h", pidfd), str)
        finally:
            os.close(pidfd)

    async def _ask_manager(self, method: str, signature: str, value: int) -> Sequence[Any]:
        manager = DBusAddress(_MANAGER, SYSTEMD, f"{SYSTEMD}.Manager")
        return await self._connection.call(manager, method, signature, (value,))

    async def _property(self, path: str, interface: str, name: str, kind: type[T]) -> T:
        to = DBusAddress(path, SYSTEMD, _PROPERTIES)
        answer = await self._connection.call(to, "Get", "ss", (interface, name))
        return _first(_first(answer, tuple)[1:], kind)


def _first(answer: Sequence[Any], kind: type[T]) -> T:
    if answer and isinstance(answer[0], kind):
        return answer[0]
    raise ConnectionLost("the service manager gives an answer that makes no sense")
