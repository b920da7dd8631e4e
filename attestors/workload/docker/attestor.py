"""The docker attestor: cgroups name a container, its engine tells of it, the kernel bears it out.

1. A process whose cgroups name no container is none of ours, unless mounts that only root can have
   made name one; no engine is asked.
2. Root's engine is asked first: Podman's if the name is one of Podman's, else Docker's. Only if it
   answers that it knows no such container, or that the process is not in it, and the kernel says
   that the process lives in a user's namespaces, that user's own engine is asked, if the operator
   named its socket.
3. An engine's answer counts only if the process is in the container's cgroup and PID namespace, or,
   where it has no cgroup, in its namespaces (see `proof`).
4. A path may name several containers, one inside the other: the innermost that is borne out.
5. An engine that does not answer is a failure that passes, never a reason to ask a user's instead.
   Mounts do not say which of root's engines made them: both are asked, and one may be away.

All of it belongs to the caller only if the process still lives afterwards; the agent checks.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attestors.container import cgroup, locate, mounts, namespaces
from attestors.container.cgroup import Malformed, Membership
from attestors.container.locate import Container, Contradiction, NoContainer
from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload.docker import proof, telling
from attestors.workload.docker.diagnosing import diagnose
from attestors.workload.docker.documents import ContainerDocument, EngineAway
from attestors.workload.docker.grammar import GRAMMAR, NAME
from attestors.workload.docker.memory import Key, Memory
from attestors.workload.docker.proof import Disproved, NotYet
from attestors.workload.docker.settings import Settings, socket_path
from attestors.workload.docker.telling import Choice
from finial.explain.diagnosis import Diagnosis
from finial.runtime.clock import Clock, SystemClock
from finial.spiffe.refusal import Kind

if TYPE_CHECKING:
    from attestors.workload.docker.engine import Engine

MAX_NESTED: Final = 8
MAX_REMEMBERED: Final = 4096
# A container that is being started is known in a moment.
_PAUSE: Final = 0.1
_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True)
class Lead:
    """What names a process's containers, innermost first, and how an engine's answer is borne out.

    `judge` takes the engine, the pid of the container's first process and the container's ID.
    `user` is whose namespaces the process is in, if not ours.
    """

    ids: tuple[str, ...]
    where: str
    engines: "tuple[Engine, ...]"
    judge: "Callable[[Engine, int, str], Disproved | None]"
    user: int | None = None

    def unknown(self) -> str:
        """Say that nobody knows any of them."""
        asked = " nor ".join(f"{each.name} at {each.path}" for each in self.engines)
        known = f"and {asked} knows none" if asked else "and no engine is configured for it"
        if self.user and not any(each.uid == self.user for each in self.engines):
            known += (
                f"; the process is in namespaces of uid {self.user}, "
                "for whom podman_sockets names no engine"
            )
        return f"{self.where} names the container {self.ids[0][:12]}, {known}"


class DockerAttestor:
    """Gives labels, image, name and, if asked for, environment of a process's container.

    `docker` and `podman` are root's engines, `users` those of users by uid.
    """

    name = NAME
    grammar = GRAMMAR

    def __init__(
        self,
        docker: "Engine | None",
        podman: "Engine | None",
        users: Mapping[int, "Engine"],
        choice: Choice,
        clock: Clock,
    ) -> None:
        self._docker = docker
        self._podman = podman
        self._users = dict(users)
        self._choice = choice
        self._clock = clock
        self._memory = Memory()

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Look at a process until `deadline` (monotonic seconds)."""
        try:
            return await self._look(process, deadline)
        except (Contradiction, Malformed) as fault:
            return Failed(Kind.PRECONDITION, str(fault))
        except (EngineAway, NotYet) as early:
            return Failed(Kind.UNAVAILABLE, str(early))
        except (OSError, ValueError) as error:
            return Failed(Kind.UNAVAILABLE, f"the process cannot be looked at: {error}")

    async def diagnose(self, deadline: float) -> Sequence[Diagnosis]:
        """Say of each engine whether it answers."""
        engines = (self._docker, self._podman, *self._users.values())
        return await diagnose([each for each in engines if each], deadline)

    async def _look(self, process: Process, deadline: float) -> Finding:
        content = cgroup.read(process.proc)
        memberships, located = _judged(content)
        mounted = "" if isinstance(located, Container) else self._mounted(process)
        if isinstance(located, NoContainer) and not mounted:
            return NotApplicable(located.why)
        key = Key.of(process, content)
        known = self._memory.find(key)
        if known and self._memory.is_fresh(key, self._clock.monotonic()):
            return known
        if isinstance(located, Container):
            lead = self._by_cgroup(process, memberships, located)
        else:
            lead = self._by_mounts(process, mounted)
        try:
            finding = await self._follow(lead, deadline)
        except EngineAway:
            if known:
                return known
            raise
        if isinstance(finding, Attested):
            container = dict(finding.facts)["container"]
            return self._memory.keep(key, container, finding, self._clock.monotonic())
        return finding

    def _by_cgroup(
        self, process: Process, memberships: Sequence[Membership], located: Container
    ) -> "Lead":
        if len(located.chain) > MAX_NESTED:
            raise Contradiction(f"the process's cgroup names {len(located.chain)} containers")
        user = self._foreign_user(process, located)
        engines = self._engines(located, user)
        proc_root = os.path.dirname(process.proc)

        def judge(engine: "Engine", first_pid: int, id_: str) -> Disproved | None:
            return (
                proof.judge(memberships, first_pid, id_, proc_root)
                or proof.judge_pids(process.proc, first_pid, id_, proc_root)
                or (None if engine.uid else proof.judge_roots(memberships, id_))
            )

        ids = tuple(reversed(located.chain))
        return Lead(ids, f"its cgroup {located.root}", engines, judge, user)

    def _mounted(self, process: Process) -> str:
        """The container that a process's mounts name, if it is in no cgroup of one."""
        if not self._docker and not self._podman:
            return ""
        try:
            return mounts.named(process.proc)
        except PermissionError:
            return ""

    def _by_mounts(self, process: Process, id_: str) -> "Lead":
        """For a container whose processes are in no cgroup of its own; root's engines alone."""
        engines = tuple(each for each in (self._docker, self._podman) if each)
        proc_root = os.path.dirname(process.proc)

        def judge(_: "Engine", first_pid: int, id_: str) -> Disproved | None:
            return proof.judge_namespaces(process.proc, first_pid, id_, proc_root)

        return Lead((id_,), "its mounts", engines, judge)

    def _foreign_user(self, process: Process, located: Container) -> int | None:
        try:
            return namespaces.foreign_user(process.proc)
        except PermissionError:
            # An agent without root's rights asks root's engines alone.
            if self._users or located.user is not None:
                raise
            return None

    def _engines(self, located: Container, user: int | None) -> "tuple[Engine, ...]":
        """Whom to ask, in this order."""
        own = self._users.get(user) if user else None
        if user and located.user == user:
            # In the slice that root made for that user, and in that user's namespaces.
            return (own,) if own else ()
        root = self._podman if located.podman else self._docker or self._podman
        return tuple(each for each in (root, own) if each)

    async def _follow(self, lead: "Lead", deadline: float) -> Finding:
        disproved: list[str] = []
        away: EngineAway | None = None
        for engine in lead.engines:
            if away and engine.uid:
                break
            try:
                found = await self._first_proven(engine, lead, disproved, deadline)
            except EngineAway as silent:
                away = away or silent
                continue
            if found is not None:
                return await self._told(engine, found, tuple(disproved), deadline)
        if away:
            raise away
        if disproved:
            return Failed(Kind.PRECONDITION, "; ".join(disproved))
        return NotApplicable(lead.unknown())

    async def _first_proven(
        self, engine: "Engine", lead: "Lead", disproved: list[str], deadline: float
    ) -> ContainerDocument | None:
        """Ask an engine for each container until one is borne out; note which are disproved."""
        for id_ in lead.ids:
            found = await self._proven(engine, id_, lead, deadline)
            if isinstance(found, Disproved):
                disproved.append(found.why)
            elif found is not None:
                return found
        return None

    async def _proven(
        self, engine: "Engine", id_: str, lead: "Lead", deadline: float
    ) -> ContainerDocument | Disproved | None:
        """Ask an engine for one container, and the kernel whether the process is in it."""
        for attempt in range(_ATTEMPTS):
            found = await engine.container(id_, deadline)
            if found is None:
                return None
            try:
                return lead.judge(engine, found.state.pid, id_) or found
            except NotYet:
                left = deadline - self._clock.monotonic()
                if attempt + 1 == _ATTEMPTS or left <= _PAUSE:
                    raise
                await self._clock.sleep(_PAUSE)
        raise AssertionError("unreachable")

    async def _told(
        self,
        engine: "Engine",
        container: ContainerDocument,
        disproved: tuple[str, ...],
        deadline: float,
    ) -> Attested:
        image = None
        if container.image and not self._choice.merge:
            image = await engine.image(container.image, deadline)
        selectors, remarks = telling.tell(container, image, self._choice, engine.uid)
        facts = (
            ("container", container.id),
            ("container name", container.name.removeprefix("/")),
            ("image", container.config.image),
            ("engine", f"{engine.name} at {engine.path}"),
        )
        return Attested(selectors, disproved + remarks, facts)


def _judged(content: bytes) -> tuple[tuple[Membership, ...], Container | NoContainer]:
    # Who makes long paths shall not fill our memory with them.
    return _parsed(content) if len(content) <= MAX_REMEMBERED else _parsed.__wrapped__(content)


@lru_cache(maxsize=512)
def _parsed(content: bytes) -> tuple[tuple[Membership, ...], Container | NoContainer]:
    memberships = cgroup.parse(content)
    return memberships, locate.judge(memberships)


def create(settings: Settings) -> DockerAttestor:
    """Make the attestor."""
    # Large, and of no use to a server that reads the grammar.
    from attestors.workload.docker.engine import Engine

    clock = SystemClock()
    ours = {0, os.geteuid()}

    def engine(name: str, address: str, uid: int = 0, version: str = "") -> Engine | None:
        path = socket_path(address)
        if not path:
            return None
        return Engine(
            name, path, uid, ours | {uid}, clock=clock, timeout=settings.timeout, version=version
        )

    users = {
        int(uid): made
        for uid, address in settings.podman_sockets.items()
        if (made := engine(f"the engine of uid {uid}", address, int(uid)))
    }
    return DockerAttestor(
        engine("Docker", settings.docker_socket_path, version=settings.docker_version),
        engine("Podman", settings.podman_socket_path),
        users,
        Choice(settings.env, settings.merge_image_labels),
        clock,
    )
