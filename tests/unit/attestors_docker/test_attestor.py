"""The whole attestor before an engine that says what a test wants, and processes that are files."""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload import docker
from attestors.workload.docker.attestor import DockerAttestor
from attestors.workload.docker.engine import Engine
from attestors.workload.docker.memory import REFRESHED
from attestors.workload.docker.telling import Choice
from finial.explain.diagnosis import Health
from finial.runtime.clock import SystemClock
from finial.spiffe.refusal import Kind
from tests.doubles.engine_api import NOT_FOUND, EngineApi, document
from tests.doubles.proc_tree import ProcTree

ONE = "ab" * 32
TWO = "cd" * 32
FIRST = 100
CALLER = 101


class Shifted(SystemClock):
    """The machine's clock, some seconds later."""

    def __init__(self) -> None:
        self.later = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.later


class House:
    """An attestor with one engine, asked about the same few processes."""

    def __init__(self, api: EngineApi, processes: ProcTree) -> None:
        self.api = api
        self.processes = processes
        self.clock = Shifted()
        self.attestor = self.make({})

    def make(self, users: Mapping[int, Engine]) -> DockerAttestor:
        root = self.engine(0)
        return DockerAttestor(root, None, users, Choice(), self.clock)

    def engine(self, uid: int) -> Engine:
        owners = {0, os.geteuid()}
        path = str(self.api.path)
        return Engine("Docker", path, uid, owners, clock=self.clock, timeout=2.0)

    def attest(self, process: Process, seconds: float = 5.0) -> Finding:
        async def asked() -> Finding:
            return await self.attestor.attest(process, self.clock.monotonic() + seconds)

        return asyncio.run(asked())


@pytest.fixture
def house(api: EngineApi, processes: ProcTree) -> House:
    api.image()
    return House(api, processes)


def found(finding: Finding) -> set[str]:
    assert isinstance(finding, Attested), finding
    return {each.value for each in finding.selectors}


def test_a_process_of_a_container_gets_what_the_engine_says(house: House) -> None:
    """BW-03: by the container's ID, borne out by its first process."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}/inner\n")
    house.api.container(ONE, FIRST, labels={"app": "web"})
    finding = house.attest(caller)
    assert "label:app:web" in found(finding)
    assert isinstance(finding, Attested)
    assert ("container", ONE) in finding.facts


def test_a_process_without_a_container_troubles_no_engine(house: House) -> None:
    """The attestor costs the machine's own processes a look at their cgroups."""
    caller = house.processes.add(CALLER, "0::/system.slice/web.service\n")
    assert isinstance(house.attest(caller), NotApplicable)
    assert not house.api.asked


def test_cgroups_that_contradict_each_other_are_refused(house: House) -> None:
    """BW-02: two containers in one process are a failure, never a choice."""
    caller = house.processes.add(CALLER, f"1:cpu:/docker/{ONE}\n0::/docker/{TWO}\n")
    finding = house.attest(caller)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.PRECONDITION
    assert not house.api.asked


@pytest.mark.parametrize("content", ["nonsense\n", "0::relative\n", "x::/\n", "0:/a\n"])
def test_what_the_kernel_never_writes_is_refused(house: House, content: str) -> None:
    """A file that cannot be understood names no container."""
    finding = house.attest(house.processes.add(CALLER, content))
    assert isinstance(finding, Failed)


def test_a_name_in_a_delegated_subtree_is_not_believed(house: House) -> None:
    """The container's first process is elsewhere, so that the caller is not in the container."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    house.api.container(ONE, FIRST, labels={"app": "victim"})
    for path in (
        f"/user.slice/user-1000.slice/user@1000.service/docker/{ONE}",
        f"/docker/{ONE}x/docker-{ONE}.scope",
        f"/docker-{ONE}.scope",
        f"/../docker/{ONE}",
    ):
        finding = house.attest(house.processes.add(CALLER, f"0::{path}\n"))
        assert isinstance(finding, Failed), path
        assert "is not" in finding.detail
        assert finding.kind is Kind.PRECONDITION


def test_one_hierarchy_alone_proves_nothing(house: House) -> None:
    """In every hierarchy in which the container has a cgroup the process has to be there."""
    house.processes.add(FIRST, f"1:cpu:/docker/{ONE}\n0::/docker/{ONE}\n")
    house.api.container(ONE, FIRST)
    caller = house.processes.add(CALLER, f"1:cpu:/\n0::/docker/{ONE}\n")
    assert isinstance(house.attest(caller), Failed)
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}\n")
    assert isinstance(house.attest(caller), Failed)


def test_a_nested_name_leads_no_further_than_the_container_around_it(house: House) -> None:
    """A container that makes a cgroup named after another stays itself, and a remark says so."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    house.processes.add(FIRST + 50, f"0::/docker/{TWO}\n")
    house.api.container(ONE, FIRST, labels={"app": "attacker"})
    house.api.container(TWO, FIRST + 50, labels={"app": "victim"})
    finding = house.attest(house.processes.add(CALLER, f"0::/docker/{ONE}/docker/{TWO}\n"))
    assert "label:app:attacker" in found(finding)
    assert isinstance(finding, Attested)
    assert TWO[:12] in finding.remarks[0]


def test_of_nested_containers_the_one_that_the_engine_knows_counts(house: House) -> None:
    """Docker in Docker: the engine outside knows the outer, and not what runs in it."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    house.api.container(ONE, FIRST, labels={"app": "outer"})
    inner = house.processes.add(CALLER, f"0::/docker/{ONE}/docker/{TWO}\n")
    assert "label:app:outer" in found(house.attest(inner))


def test_a_path_with_many_names_costs_few_questions(house: House) -> None:
    """Whoever nests cgroups does not make us ask for each."""
    names = "/".join(f"{number:064x}" for number in range(200))
    finding = house.attest(house.processes.add(CALLER, f"0::/{names}\n"))
    assert isinstance(finding, Failed)
    assert not house.api.asked


def test_a_container_that_no_engine_knows_is_none_of_ours(house: House) -> None:
    """It may be a pod's: other attestors may know it."""
    finding = house.attest(house.processes.add(CALLER, f"0::/docker/{ONE}\n"))
    assert isinstance(finding, NotApplicable)
    assert "knows none" in finding.why


def test_a_first_process_elsewhere_proves_nothing(house: House) -> None:
    """An engine of another PID namespace names a process that is not the container's."""
    house.processes.add(FIRST, "0::/system.slice/sshd.service\n")
    house.api.container(ONE, FIRST)
    finding = house.attest(house.processes.add(CALLER, f"0::/docker/{ONE}\n"))
    assert isinstance(finding, Failed)
    assert "in no cgroup of that name" in finding.detail


def test_a_container_that_is_being_started_is_waited_for(house: House) -> None:
    """The engine tells the first process a moment after it runs."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}\n")

    def started(connection: socket.socket) -> None:
        house.api.container(ONE, FIRST, labels={"app": "web"})
        connection.sendall(document({"Id": ONE, "State": {"Pid": 0}}))

    house.api.answers[f"/containers/{ONE}/json"] = started
    assert "label:app:web" in found(house.attest(caller))


@pytest.mark.parametrize("pid", [0, -1, 4_000_000])
def test_a_container_that_does_not_run_is_unavailable(house: House, pid: int) -> None:
    """Without its first process nothing can be borne out, for now."""
    house.api.container(ONE, pid)
    finding = house.attest(house.processes.add(CALLER, f"0::/docker/{ONE}\n"), seconds=0.3)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.UNAVAILABLE


def test_a_process_that_ends_meanwhile_gets_nothing(house: House) -> None:
    """What was its folder is gone: a failure, not an exception."""
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}\n")
    house.processes.end(CALLER)
    finding = house.attest(caller)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.UNAVAILABLE


def test_an_engine_that_is_away_is_a_passing_failure(house: House) -> None:
    """Neither no container, nor a reason to ask anybody else."""
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}\n")
    house.api.answers[f"/containers/{ONE}/json"] = document({}, "500 Oh")
    finding = house.attest(caller)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.UNAVAILABLE


def remembered(house: House) -> Process:
    """A process that was attested once."""
    house.processes.add(FIRST, f"0::/docker/{ONE}\n")
    caller = house.processes.add(CALLER, f"0::/docker/{ONE}\n", started=1000)
    house.api.container(ONE, FIRST, labels={"app": "web"})
    assert "label:app:web" in found(house.attest(caller))
    house.api.asked.clear()
    return caller


def test_a_process_is_asked_about_once(house: House) -> None:
    """The same process in the same place is remembered, and the answer is the same object."""
    caller = remembered(house)
    first, second = house.attest(caller), house.attest(caller)
    assert first is second
    assert not house.api.asked


def test_what_two_processes_of_a_container_have_is_kept_once(house: House) -> None:
    """An image may bring along megabytes of labels, and a container fork as it likes."""
    first = house.attest(remembered(house))
    second = house.attest(house.processes.add(CALLER + 1, f"0::/docker/{ONE}\n", started=1001))
    assert house.api.asked
    assert second is first


def test_another_process_with_the_same_pid_is_not_remembered(house: House) -> None:
    """It started later: nothing that was found out about the first is the second's."""
    remembered(house)
    house.api.answers[f"/containers/{ONE}/json"] = NOT_FOUND
    later = house.processes.add(CALLER, f"0::/docker/{ONE}\n", started=1001)
    assert isinstance(house.attest(later), NotApplicable)


def test_a_process_in_another_container_is_not_remembered(house: House) -> None:
    """The same process was moved: its cgroups are part of what it is remembered by."""
    remembered(house)
    moved = house.processes.add(CALLER, f"0::/docker/{TWO}\n", started=1000)
    assert isinstance(house.attest(moved), NotApplicable)
    gone = house.processes.add(CALLER, "0::/\n", started=1000)
    assert isinstance(house.attest(gone), NotApplicable)


def test_what_is_remembered_outlives_the_engine_and_is_asked_again(house: House) -> None:
    """An engine that is away takes nothing from who was attested; a new name is seen in time."""
    caller = remembered(house)
    house.clock.later += REFRESHED + 1
    house.api.answers[f"/containers/{ONE}/json"] = document({}, "500 Oh")
    assert "container_name:web-1" in found(house.attest(caller))
    house.api.container(ONE, FIRST, labels={"app": "web"}, Name="/renamed")
    assert "container_name:renamed" in found(house.attest(caller))


def test_a_container_that_the_engine_forgot_is_not_remembered_for_ever(house: House) -> None:
    """When the engine says that there is none, there is none."""
    caller = remembered(house)
    house.clock.later += REFRESHED + 1
    house.api.answers[f"/containers/{ONE}/json"] = NOT_FOUND
    assert isinstance(house.attest(caller), NotApplicable)


def test_two_containers_of_one_image_are_told_apart(house: House) -> None:
    """What is known of one is never given to the other, however alike they are."""
    for number, (id_, label) in enumerate(((ONE, "one"), (TWO, "two"))):
        house.processes.add(FIRST + number * 50, f"0::/docker/{id_}\n")
        house.api.container(id_, FIRST + number * 50, labels={"app": label})
    one = house.processes.add(CALLER, f"0::/docker/{ONE}\n")
    two = house.processes.add(CALLER + 1, f"0::/docker/{TWO}\n")
    assert "label:app:one" in found(house.attest(one))
    assert "label:app:two" in found(house.attest(two))
    assert "label:app:one" in found(house.attest(one))


def test_a_users_engine_is_not_asked_about_processes_of_ours(house: House) -> None:
    """Only processes in a user's own namespaces are that user's to tell about."""
    house.attestor = DockerAttestor(
        None, None, {61_234: house.engine(61_234)}, Choice(), house.clock
    )
    house.processes.add(FIRST, f"0::/user.slice/user-61234.slice/docker/{ONE}\n")
    house.api.container(ONE, FIRST, labels={"app": "web"})
    caller = house.processes.add(CALLER, f"0::/user.slice/user-61234.slice/docker/{ONE}\n")
    finding = house.attest(caller)
    assert isinstance(finding, NotApplicable)
    assert not house.api.asked


def test_podmans_names_are_asked_of_podman(house: House) -> None:
    """Docker never knows them, and may not even run."""
    podman = house.engine(0)
    house.attestor = DockerAttestor(None, podman, {}, Choice(), house.clock)
    house.processes.add(FIRST, f"0::/machine.slice/libpod-{ONE}.scope/container\n")
    house.api.container(ONE, FIRST, labels={"app": "web"})
    path = f"0::/machine.slice/libpod-{ONE}.scope/container\n"
    assert "label:app:web" in found(house.attest(house.processes.add(CALLER, path)))
    house.attestor = DockerAttestor(podman, None, {}, Choice(), house.clock)
    assert isinstance(house.attest(house.processes.add(CALLER + 1, path)), NotApplicable)


def test_it_says_whether_its_engines_answer(house: House) -> None:
    """An engine that answers is well; one that is missing matters less beside it."""

    def diagnosed(**paths: Any) -> list[Health]:
        given = {"docker_socket_path": "", "podman_socket_path": "", **paths}
        attestor = docker.create(docker.Settings(**given))
        asked = attestor.diagnose(SystemClock().monotonic() + 5)
        return [each.health for each in asyncio.run(_awaited(asked))]

    house.api.answers["/version"] = document({"Version": "20.10", "ApiVersion": "1.41"})
    there, nowhere = str(house.api.path), f"{house.api.path}.not"
    assert diagnosed(docker_socket_path=there) == [Health.OK]
    assert diagnosed(docker_socket_path=nowhere) == [Health.FAILED]
    both = diagnosed(docker_socket_path=there, podman_socket_path=nowhere)
    assert both == [Health.OK, Health.WARNING]
    assert diagnosed() == [Health.FAILED]


async def _awaited(asked: Any) -> Any:
    return await asked
