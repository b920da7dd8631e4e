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
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload.systemd import unit as units
from attestors.workload.systemd.grammar import GRAMMAR, NAME
from attestors.workload.systemd.process_files import Gone, control_groups, namespace_pids
from attestors.workload.systemd.unit import Malformed, ManagerAway, NoUnit, Unit
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.clock import Clock, SystemClock
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

_FORMS: Final = tuple(re.compile(form.pattern) for form in GRAMMAR.forms)
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
            paths = units.manager_paths(control_groups(process.proc))
        except (Gone, ManagerAway, Malformed) as error:
            return Failed(Kind.UNAVAILABLE, str(error))
        except TimeoutError:
            return Failed(Kind.TIMEOUT, "the service manager took too long to answer")
        except NoUnit:
            return NotApplicable("the process runs in no unit")
        if not units.is_name(unit.id):
            return NotApplicable(f"the process is in {unit.id!a} itself, in no service or scope")
        if nested and not self._settings.other_pid_namespaces:
            return NotApplicable(
                f"the process has a PID namespace of its own, as containers have, and is not taken "
                f"for one of {unit.id} (setting other_pid_namespaces)"
            )
        return _judged(unit, paths)

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


def _judged(unit: Unit, paths: Sequence[str]) -> Finding:
    remarks = []
    below = list(units.parts_below(paths, unit.control_group))
    if not units.can_be_compared(paths):
        below = []
        remarks.append("the agent has a cgroup namespace of its own and cannot compare groups")
    elif not below:
        return Failed(
            Kind.UNAVAILABLE,
            f"the service manager says {unit.id}, and the kernel that the process is elsewhere",
        )
    values = [
        f"id:{unit.id}",
        unit.fragment_path and f"fragment_path:{unit.fragment_path}",
        unit.slice and f"slice:{unit.slice}",
        unit.invocation_id and f"invocation_id:{unit.invocation_id}",
    ]
    facts = [("unit", unit.id)]
    if unit.user is not None:
        [name, *others] = {units.user_unit(parts) for parts in below} or {""}
        if others:
            remarks.append(f"the process is in several units of user {unit.user}")
        elif name:
            values.append(f"user_unit:{unit.user}:{name}")
            facts.append((f"unit of user {unit.user}", name))
    selectors = []
    for value in filter(None, values):
        if value.isprintable() and any(form.fullmatch(value) for form in _FORMS):
            selectors.append(Selector(NAME, value))
        else:
            remarks.append(f"{value!a} cannot be written as a selector")
    return Attested(tuple(selectors), tuple(remarks), tuple(facts))


def create(settings: Settings) -> SystemdAttestor:
    """Make the attestor; nothing is connected yet."""
    from attestors.workload.systemd.manager import ServiceManager

    clock = SystemClock()
    return SystemdAttestor(settings, ServiceManager(clock), clock)
