"""The docker attestor: cgroups name a container, its engine tells of it, the kernel bears it out.

1. A process whose cgroups name no container is none of ours; no engine is asked.
2. Root's engine is asked first: Podman's if the name is one of Podman's, else Docker's. Only if it
   answers that it knows no such container, or that the process is not in it, and the kernel says
   that the process lives in a user's namespaces, that user's own engine is asked, if the operator
   named its socket.
3. An engine's answer counts only if the process is in the container's cgroup (see `proof`).
4. A path may name several containers, one inside the other: the innermost that is borne out.
5. An engine that does not answer is a failure that passes, never a reason to ask somebody else.

All of it belongs to the caller only if the process still lives afterwards; the agent checks.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attestors.container import cgroup, locate, namespaces
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
# A container that is being started is known in a moment.
_PAUSE: Final = 0.1
_ATTEMPTS: Final = 6


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
        if isinstance(located, NoContainer):
            return NotApplicable(located.why)
        if len(located.chain) > MAX_NESTED:
            raise Contradiction(f"the process's cgroup names {len(located.chain)} containers")
        key = Key.of(process, content)
        known = self._memory.find(key)
        if known and self._memory.is_fresh(key, self._clock.monotonic()):
            return known
        try:
            finding = await self._ask(process, memberships, located, deadline)
        except EngineAway:
            if known:
                return known
            raise
        if isinstance(finding, Attested):
            return self._memory.keep(key, finding, self._clock.monotonic())
        return finding

    async def _ask(
        self,
        process: Process,
        memberships: Sequence[Membership],
        located: Container,
        deadline: float,
    ) -> Finding:
        user = self._foreign_user(process, located)
        engines = self._engines(located, user)
        disproved: list[str] = []
        for engine in engines:
            for id_ in reversed(located.chain):
                found = await self._proven(engine, id_, process, memberships, deadline)
                if isinstance(found, Disproved):
                    disproved.append(found.why)
                elif found is not None:
                    return await self._told(engine, found, tuple(disproved), deadline)
        if disproved:
            return Failed(Kind.PRECONDITION, "; ".join(disproved))
        return NotApplicable(_unknown(located, engines, user))

    def _foreign_user(self, process: Process, located: Container) -> int | None:
        try:
            return namespaces.foreign_user(process.proc)
        except PermissionError:
            # An agent without root's rights asks root's engines alone.
            if self._users or located.user is not None:
                raise
            return None

    def _engines(self, located: Container, user: int | None) -> "list[Engine]":
        """Whom to ask, in this order."""
        own = self._users.get(user) if user else None
        if user and located.user == user:
            # In the slice that root made for that user, and in that user's namespaces.
            return [own] if own else []
        root = self._podman if located.podman else self._docker or self._podman
        return [each for each in (root, own) if each]

    async def _proven(
        self,
        engine: "Engine",
        id_: str,
        process: Process,
        memberships: Sequence[Membership],
        deadline: float,
    ) -> ContainerDocument | Disproved | None:
        """Ask an engine for one container, and the kernel whether the process is in it."""
        proc_root = os.path.dirname(process.proc)
        for attempt in range(_ATTEMPTS):
            found = await engine.container(id_, deadline)
            if found is None:
                return None
            try:
                return proof.judge(memberships, found.state.pid, id_, proc_root) or found
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


@lru_cache(maxsize=1024)
def _judged(content: bytes) -> tuple[tuple[Membership, ...], Container | NoContainer]:
    memberships = cgroup.parse(content)
    return memberships, locate.judge(memberships)


def _unknown(located: Container, engines: "Sequence[Engine]", user: int | None) -> str:
    asked = " nor ".join(f"{each.name} at {each.path}" for each in engines)
    known = f"and {asked} knows none" if asked else "and no engine is configured for it"
    if user and not any(each.uid == user for each in engines):
        known += f"; the process is in namespaces of uid {user}, for whom podman_sockets names none"
    return f"its cgroup {located.root} names the container {located.id[:12]}, {known}"


def create(settings: Settings) -> DockerAttestor:
    """Make the attestor."""
    # Large, and of no use to a server that reads the grammar.
    from attestors.workload.docker.engine import Engine

    clock = SystemClock()
    ours = {0, os.geteuid()}

    def engine(name: str, address: str, uid: int = 0) -> Engine | None:
        path = socket_path(address)
        if not path:
            return None
        return Engine(
            name,
            path,
            uid,
            ours | {uid},
            clock=clock,
            timeout=settings.timeout,
            version=settings.docker_version,
        )

    users = {
        int(uid): made
        for uid, address in settings.podman_sockets.items()
        if (made := engine(f"the engine of uid {uid}", address, int(uid)))
    }
    return DockerAttestor(
        engine("Docker", settings.docker_socket_path),
        engine("Podman", settings.podman_socket_path),
        users,
        Choice(settings.env, settings.merge_image_labels),
        clock,
    )
