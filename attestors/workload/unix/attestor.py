"""The unix attestor: reads a process while its pidfd holds it, and gives selectors.

1. uid and gid are those that the kernel recorded at connecting. If the process has others now, it
   has executed a set-uid program (or given up its rights) since: it is denied, because whoever
   connected and whoever runs now may be two people. They are read after the program, so that
   no program's name is given to someone who began to run it with its owner's rights meanwhile.
2. Names are looked up in the user database; a user or group without a name has no such selector,
   which is remarked.
3. The program is named by its path only if the path is the running file (see `executable`), and by
   the SHA-256 of that file.
4. The control group counts as far as only root can have named it (see `control_group`).
5. What needs a thread is waited for until the deadline; what is not found by then is left out, with
   a remark. Fewer selectors never give more identities.

All of it belongs to the caller only if the process still lives afterwards; the agent checks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from attestors.contract import Attested, Failed, Finding, Process
from attestors.workload.unix.account_names import AccountNames, group_name, user_name
from attestors.workload.unix.control_group import ControlGroups, mounts_here
from attestors.workload.unix.credentials import Credentials, Unreadable
from attestors.workload.unix.executable import TooLarge
from attestors.workload.unix.grammar import GRAMMAR, NAME
from attestors.workload.unix.programs import Found, Programs
from attestors.workload.unix.recent_mounts import RecentMounts
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.clock import Clock, SystemClock
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

Names = Mapping[int, str | None]
_OFF: Final = "the setting discover_workload_path is off"
_NOT_ASKED: Final = Found(remarks=(f"no unix:path: {_OFF}", f"no unix:sha256: {_OFF}"))


@dataclass(frozen=True, slots=True)
class Settings:
    """What is found out, named as in SPIRE.

    `discover_workload_path` gives `unix:path` and `unix:sha256`; it is on here and off in SPIRE.
    `workload_size_limit` is in bytes: a larger program is not attested at all; 0 is no limit, and
    below 0 nothing is hashed; a program that cannot be read within 10 seconds has no hash either.
    `discover_cgroup` gives `unix:cgroup`, which SPIRE has not.
    """

    discover_workload_path: bool = True
    workload_size_limit: int = 0
    discover_cgroup: bool = False


class UnixAttestor:
    """Gives `unix:uid`, `user`, `gid`, `group`, `supplementary_*`, `path`, `sha256`, `cgroup`."""

    name = NAME
    grammar = GRAMMAR

    def __init__(
        self,
        clock: Clock,
        users: AccountNames,
        groups: AccountNames,
        programs: Programs | None,
        control_groups: ControlGroups | None = None,
    ) -> None:
        self._clock = clock
        self._users = users
        self._groups = groups
        self._programs = programs
        self._control_groups = control_groups

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Look at a process until `deadline` (monotonic seconds)."""
        try:
            program = await self._programs.find(process, deadline) if self._programs else _NOT_ASKED
            # After the program: one that runs set-uid since connecting is seen to do so now.
            found = Credentials.read(process.proc)
        except TooLarge as error:
            return Failed(Kind.PRECONDITION, str(error))
        except Unreadable as error:
            return Failed(Kind.UNAVAILABLE, str(error))
        if (found.uid, found.gid) != (process.uid, process.gid):
            return Failed(
                Kind.DENIED,
                f"the process connected with uid {process.uid} and gid {process.gid}, "
                f"and now has uid {found.uid} and gid {found.gid}",
            )
        accounts = await self._accounts(found, deadline)
        group = self._control_groups.find(process.proc) if self._control_groups else Found()
        values = accounts.values + program.values + group.values
        remarks = accounts.remarks + program.remarks + group.remarks
        return Attested(_selectors(values), remarks)

    async def diagnose(self, deadline: float) -> tuple[Diagnosis, ...]:
        """Say that nothing but the kernel is needed."""
        return (Diagnosis(check="attestor unix", health=Health.OK, detail="the kernel answers"),)

    async def _accounts(self, found: Credentials, deadline: float) -> Found:
        users = await self._names(self._users, (found.uid,), deadline)
        groups = await self._names(self._groups, (found.gid, *found.groups), deadline)
        values = [f"uid:{found.uid}", f"gid:{found.gid}"]
        if user := users.get(found.uid):
            values.append(f"user:{user}")
        if group := groups.get(found.gid):
            values.append(f"group:{group}")
        for gid in found.groups:
            values.append(f"supplementary_gid:{gid}")
            if group := groups.get(gid):
                values.append(f"supplementary_group:{group}")
        asked = {found.gid, *found.groups}
        late = len(users) < 1 or len(groups) < len(asked)
        remarks = ["it took too long to look up all names of users and groups"] if late else []
        if users.get(found.uid, "") is None:
            remarks.append(_nameless("uid", found.uid, "user"))
        if groups.get(found.gid, "") is None:
            remarks.append(_nameless("gid", found.gid, "group"))
        return Found(tuple(values), tuple(remarks))

    async def _names(self, names: AccountNames, numbers: Iterable[int], deadline: float) -> Names:
        numbers = tuple(numbers)
        known = names.known(numbers)
        if known is not None:
            return known
        return await names.find(numbers, deadline - self._clock.monotonic())


@lru_cache(maxsize=1024)
def _nameless(what: str, number: int, form: str) -> str:
    return f"{what} {number} has no name on this machine, so there is no unix:{form}"


@lru_cache(maxsize=1024)
def _selectors(values: tuple[str, ...]) -> tuple[Selector, ...]:
    """The selectors of equal processes are one tuple, made once."""
    return tuple(Selector(NAME, value) for value in values)


def create(settings: Settings) -> UnixAttestor:
    """Make the attestor."""
    clock = SystemClock()
    programs = Programs(settings.workload_size_limit, clock)
    return UnixAttestor(
        clock,
        AccountNames(user_name, clock),
        AccountNames(group_name, clock),
        programs if settings.discover_workload_path else None,
        ControlGroups(RecentMounts(mounts_here, clock)) if settings.discover_cgroup else None,
    )
