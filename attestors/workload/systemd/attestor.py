"""The systemd attestor: asks the system's service manager which unit a process runs in.

1. The manager must be process 1 of our own PID namespace, or its PIDs are not ours and its answer
   is about somebody else, without any error. The kernel says who listens at its sockets.
2. A process in a PID namespace below ours is a container's: unless the settings say otherwise it is
   not taken for its unit, because that may be the engine that started it.
3. The kernel has to agree: the process's control group lies in the unit's. Where the agent lives in
   a cgroup namespace of its own and cannot compare, the manager's word stands alone.
4. `systemd:id` is what the system's manager says. Below `user@<uid>.service` users name their units
   as they like: these are `systemd:user_unit` with the uid, never `systemd:id`.

All of it belongs to the caller only if the process still lives afterwards; the agent checks. Only
root moves a living process from one unit to another.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from attestors.container import cgroup
from attestors.container.cgroup import Malformed
from attestors.contract import Failed, Finding, NotApplicable, Process
from attestors.workload.systemd.grammar import GRAMMAR, NAME
from attestors.workload.systemd.judgement import judge
from attestors.workload.systemd.namespaces import Gone, namespace_pids
from attestors.workload.systemd.unit import ManagerAway, NoUnit, Unit, is_name, manager_paths
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.clock import Clock, SystemClock
from finial.spiffe.refusal import Kind

_REMEDY: Final = (
    "run the agent where process 1 is systemd, in the machine's PID namespace, "
    "and let it reach /run/dbus/system_bus_socket"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What counts as a process of a unit.

    With `other_pid_namespaces` a process in a PID namespace of its own, such as a container's, is
    taken for one of the unit that it runs in; SPIRE does so always.
    """

    other_pid_namespaces: bool = False


class Manager(Protocol):
    """The system's service manager."""

    async def unit_of(self, pid: int) -> Unit:
        """Return the unit that a process runs in. Raises: NoUnit, ManagerAway."""
        ...

    async def version(self) -> str:
        """Return the manager's version. Raises: ManagerAway."""
        ...


class SystemdAttestor:
    """Gives `systemd:id`, `fragment_path`, `slice`, `invocation_id` and `user_unit`."""

    name = NAME
    grammar = GRAMMAR

    def __init__(self, settings: Settings, manager: Manager, clock: Clock) -> None:
        self._settings = settings
        self._manager = manager
        self._clock = clock

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Look at a process until `deadline` (monotonic seconds)."""
        try:
            nested = len(namespace_pids(process.proc, process.pid)) > 1
            unit = await self._asked(process.pid, deadline)
            paths = manager_paths(cgroup.parse(cgroup.read(process.proc)))
        except TimeoutError:
            return Failed(Kind.TIMEOUT, "the service manager took too long to answer")
        except (Gone, ManagerAway, Malformed, OSError) as error:
            return Failed(Kind.UNAVAILABLE, str(error))
        except NoUnit:
            return NotApplicable("the process runs in no unit")
        if nested and not self._settings.other_pid_namespaces and is_name(unit.id):
            return NotApplicable(
                f"the process has a PID namespace of its own, as containers have, and is not taken "
                f"for one of {unit.id} (setting other_pid_namespaces)"
            )
        return judge(unit, paths)

    async def diagnose(self, deadline: float) -> tuple[Diagnosis, ...]:
        """Ask the manager for its version."""
        check = f"attestor {NAME}"
        try:
            async with asyncio.timeout(deadline - self._clock.monotonic()):
                version = await self._manager.version()
        except ManagerAway as error:
            health, detail, remedy = Health.FAILED, str(error), _REMEDY
        except TimeoutError:
            health, detail = Health.FAILED, "the service manager took too long to answer"
            remedy = "see what process 1 and the system bus are doing"
        else:
            health, detail, remedy = Health.OK, f"systemd {version} answers", ""
        return (Diagnosis(check=check, health=health, detail=detail, remedy=remedy),)

    async def _asked(self, pid: int, deadline: float) -> Unit:
        # A manager that is asked for process 0 answers for the one that asks.
        if pid <= 0:
            raise Gone(f"there is no process {pid}")
        async with asyncio.timeout(deadline - self._clock.monotonic()):
            return await self._manager.unit_of(pid)


def create(settings: Settings) -> SystemdAttestor:
    """Make the attestor; nothing is connected yet."""
    from attestors.workload.systemd.manager import ServiceManager

    clock = SystemClock()
    return SystemdAttestor(settings, ServiceManager(clock), clock)
