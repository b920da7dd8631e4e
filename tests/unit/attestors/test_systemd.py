"""The workload attestor systemd: what a unit and a process's control groups say together."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from attestors.container.cgroup import Membership
from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload.systemd.attestor import Settings, SystemdAttestor, create
from attestors.workload.systemd.judgement import judge
from attestors.workload.systemd.namespaces import Gone, namespace_pids
from attestors.workload.systemd.unit import (
    ManagerAway,
    NoUnit,
    Unit,
    is_name,
    manager_paths,
    user_unit,
)
from finial.explain.diagnosis import Health
from finial.runtime.clock import SystemClock
from finial.spiffe.refusal import Kind

GROUP = "/system.slice/web.service"
ALICE = "/user.slice/user-1000.slice/user@1000.service"
WEB = Unit("web.service", "/etc/systemd/system/web.service", "system.slice", "4b" * 16, GROUP)
OF_ALICE = Unit("user@1000.service", control_group=ALICE)
NEVER = 3_600.0


class Known:
    """A manager that says what it was told, or raises it."""

    def __init__(self, said: Unit | Exception) -> None:
        self._said = said

    async def unit_of(self, pid: int) -> Unit:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said

    async def version(self) -> str:
        await self.unit_of(1)
        return "259"


class Silent(Known):
    """A manager that never answers."""

    async def unit_of(self, pid: int) -> Unit:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


def proc_of(folder: Path, pids: str = "7", cgroup: str = f"0::{GROUP}\n") -> Process:
    (folder / "status").write_text(f"Name:\tNSpid: 1\nNSpid:\t{pids}\nUid:\t0\n")
    (folder / "cgroup").write_text(cgroup)
    return Process(7, 1000, 1000, str(folder))


def attested(
    said: Unit | Exception | Known, process: Process, nested: bool = False, seconds: float = 10.0
) -> Finding:
    made = said if isinstance(said, Known) else Known(said)
    clock = SystemClock()
    attestor = SystemdAttestor(Settings(nested), made, clock)

    async def whole() -> Finding:
        return await attestor.attest(process, clock.monotonic() + seconds)

    return asyncio.run(whole())


def values(finding: Finding) -> list[str]:
    assert isinstance(finding, Attested), finding
    return [selector.value for selector in finding.selectors]


def test_a_service_has_its_unit(tmp_path: Path) -> None:
    """Id, fragment path, slice and invocation id are selectors; the unit is a fact (BW-05)."""
    found = attested(WEB, proc_of(tmp_path))
    assert values(found) == [
        "id:web.service",
        "fragment_path:/etc/systemd/system/web.service",
        "slice:system.slice",
        f"invocation_id:{'4b' * 16}",
    ]
    assert isinstance(found, Attested)
    assert found.facts == (("unit", "web.service"),)


def test_what_a_unit_lacks_is_no_selector(tmp_path: Path) -> None:
    """A unit without a file or an invocation has no selectors for them."""
    found = attested(Unit("run-7.scope", control_group=GROUP), proc_of(tmp_path))
    assert values(found) == ["id:run-7.scope"]


@pytest.mark.parametrize("unit", ["-.slice", "user.slice", "web.service\n", "a b.service", ""])
def test_a_slice_is_no_unit_of_a_process(tmp_path: Path, unit: str) -> None:
    """What is in a slice itself, or in what has no unit's name, is told by none."""
    found = attested(Unit(unit, control_group="/"), proc_of(tmp_path))
    assert isinstance(found, NotApplicable)


def test_no_unit_is_not_a_failure(tmp_path: Path) -> None:
    """A process that the manager knows nothing of is none of this attestor's."""
    assert isinstance(attested(NoUnit("none"), proc_of(tmp_path)), NotApplicable)


def test_a_manager_that_is_away_fails(tmp_path: Path) -> None:
    """Without the manager nothing is found out, and it is said why."""
    found = attested(ManagerAway("it is gone"), proc_of(tmp_path))
    assert found == Failed(Kind.UNAVAILABLE, "it is gone")


@pytest.mark.parametrize("seconds", [0.05, -1.0])
def test_a_silent_manager_is_not_waited_for(tmp_path: Path, seconds: float) -> None:
    """The caller's deadline is kept."""
    found = attested(Silent(WEB), proc_of(tmp_path), seconds=seconds)
    assert isinstance(found, Failed)
    assert found.kind is Kind.TIMEOUT


def test_process_0_is_never_asked_about(tmp_path: Path) -> None:
    """Asked for process 0 a manager answers for whoever asks: it is not asked."""
    proc = proc_of(tmp_path, pids="0")
    found = attested(WEB, Process(0, 0, 0, proc.proc))
    assert isinstance(found, Failed)


def test_a_folder_of_another_process_is_refused(tmp_path: Path) -> None:
    """The folder has to be that of the process that the manager is asked about."""
    found = attested(WEB, proc_of(tmp_path, pids="8"))
    assert isinstance(found, Failed)


def test_a_container_is_not_its_engines_unit(tmp_path: Path) -> None:
    """A process in a PID namespace below ours is of that unit only if the operator says so."""
    process = proc_of(tmp_path, pids="7\t1")
    found = attested(WEB, process)
    assert isinstance(found, NotApplicable)
    assert "other_pid_namespaces" in found.why
    assert "id:web.service" in values(attested(WEB, process, nested=True))


@pytest.mark.parametrize(
    "cgroup",
    [
        f"0::{GROUP}\n",
        f"0::{GROUP}/workers/7\n",
        f"9:name=systemd:{GROUP}\n4:memory:/elsewhere\n0::/\n",
        f"1:name=systemd:/\n0::{GROUP}\n",
    ],
    ids=["v2", "below", "v1", "hybrid"],
)
def test_the_kernel_agrees(tmp_path: Path, cgroup: str) -> None:
    """The process lies in the unit's control group, or below, in one of the manager's trees."""
    assert "id:web.service" in values(attested(WEB, proc_of(tmp_path, cgroup=cgroup)))


@pytest.mark.parametrize(
    "cgroup",
    [
        "0::/system.slice/web.service.d\n",
        "0::/system.slice/other.service\n",
        f"0::/user.slice{GROUP}\n",
        f"4:memory:{GROUP}\n0::/\n",
        f"9:name=web:{GROUP}\n0::/\n",
        f"0::/a\x0b0::{GROUP}\n",
        f"0::/a\r0::{GROUP}\n",
    ],
    ids=["prefix", "sibling", "nested", "memory", "name", "tab", "return"],
)
def test_the_kernel_disagrees(tmp_path: Path, cgroup: str) -> None:
    """If the process is elsewhere the manager's answer is about something else."""
    found = attested(WEB, proc_of(tmp_path, cgroup=cgroup))
    assert isinstance(found, Failed)
    assert "elsewhere" in found.detail


def test_a_unit_without_a_group_is_not_believed(tmp_path: Path) -> None:
    """A unit that has no control group has no processes."""
    assert isinstance(attested(Unit("web.service"), proc_of(tmp_path)), Failed)


@pytest.mark.parametrize("cgroup", ["0::/../../system.slice/web.service\n", "4:memory:/a\n"])
def test_what_cannot_be_compared_is_said(tmp_path: Path, cgroup: str) -> None:
    """In a cgroup namespace of the agent's own the manager's word stands alone."""
    found = attested(WEB, proc_of(tmp_path, cgroup=cgroup))
    assert "id:web.service" in values(found)
    assert isinstance(found, Attested)
    assert len(found.remarks) == 1
    user = attested(OF_ALICE, proc_of(tmp_path, cgroup=cgroup))
    assert values(user) == ["id:user@1000.service"]


@pytest.mark.parametrize(
    ("below", "unit"),
    [
        ("init.scope", "init.scope"),
        ("app.slice/notes.service", "notes.service"),
        ("app.slice/app-notes.slice/notes.service/child", "notes.service"),
        ("notes.service/web.service", "notes.service"),
        ("_cpu.service", "cpu.service"),
        ("__odd.service", "_odd.service"),
        ("app.slice", None),
        ("anything", None),
        ("anything/web.service", None),
        ("app.slice/we b.service", None),
        ("app.slice/.service", None),
        ("app.slice/" + "x" * 250 + ".service", None),
        ("user.slice/libpod-0123.scope", "libpod-0123.scope"),
    ],
)
def test_what_is_below_a_users_manager_is_the_users(
    tmp_path: Path, below: str, unit: str | None
) -> None:
    """Units there are named by the user: they are told with the uid, never by `systemd:id`."""
    found = attested(OF_ALICE, proc_of(tmp_path, cgroup=f"0::{ALICE}/{below}\n"))
    expected = ["id:user@1000.service"] + ([f"user_unit:1000:{unit}"] if unit else [])
    assert values(found) == expected


def test_two_trees_have_to_agree(tmp_path: Path) -> None:
    """A process that is in different units of the user in two trees is in neither."""
    cgroup = f"1:name=systemd:{ALICE}/a.service\n0::{ALICE}/b.service\n"
    found = attested(OF_ALICE, proc_of(tmp_path, cgroup=cgroup))
    assert values(found) == ["id:user@1000.service"]
    same = f"1:name=systemd:{ALICE}/a.service\n0::{ALICE}/a.service\n"
    found = attested(OF_ALICE, proc_of(tmp_path, cgroup=same))
    assert "user_unit:1000:a.service" in values(found)


@pytest.mark.parametrize("unit", ["user@alice.service", "user@1000.scope", "user@.service"])
def test_only_a_uid_names_a_users_manager(tmp_path: Path, unit: str) -> None:
    """Below a unit of another name nothing is said of users."""
    found = judge(Unit(unit, control_group=GROUP), (f"{GROUP}/a.service",))
    assert values(found) == [f"id:{unit}"]


@pytest.mark.parametrize(
    "unit",
    [
        Unit("web.service", "/etc/a\x1b[31m.service", control_group=GROUP),
        Unit("web.service", "relative", control_group=GROUP),
        Unit("web.service", slice="no slice", control_group=GROUP),
        Unit("web.service", invocation_id="4b", control_group=GROUP),
    ],
)
def test_what_keeps_to_no_form_is_left_out(unit: Unit) -> None:
    """A value that is none of the grammar's is no selector, and is said to be left out."""
    found = judge(unit, (GROUP,))
    assert values(found) == ["id:web.service"]
    assert isinstance(found, Attested)
    assert len(found.remarks) == 1
    assert found.remarks[0].isprintable()


@pytest.mark.parametrize(
    ("name", "valid"),
    [("web.service", True), (r"a\x2db@c:1.mount", True), ("web", False), ("a/b.service", False)],
)
def test_a_unit_has_a_name(name: str, valid: bool) -> None:
    """Letters, digits and a few signs, and a kind that has processes."""
    assert is_name(name) is valid


def test_only_the_managers_trees_count() -> None:
    """Paths of controllers say nothing of units."""
    given = {"": "/a", "name=systemd": "/b", "memory": "/c", "name=systemd,pids": "/d"}
    assert manager_paths(Membership(name, path) for name, path in given.items()) == ("/a", "/b")


def test_no_unit_is_empty() -> None:
    """Without any names there is no unit."""
    assert user_unit(()) == ""


def test_a_process_that_has_ended_is_gone(tmp_path: Path) -> None:
    """A folder that cannot be read is that of a process that has ended."""
    with pytest.raises(Gone):
        namespace_pids(str(tmp_path), 7)
    assert isinstance(attested(WEB, Process(7, 0, 0, str(tmp_path))), Failed)


def test_a_kernel_without_namespaces_has_one(tmp_path: Path) -> None:
    """Where the kernel names no namespaces there is only ours."""
    (tmp_path / "status").write_text("Name:\tsh\n")
    assert namespace_pids(str(tmp_path), 7) == (7,)


def test_control_groups_that_make_no_sense_fail(tmp_path: Path) -> None:
    """A list of control groups that the kernel never writes is a failure."""
    assert isinstance(attested(WEB, proc_of(tmp_path, cgroup="nonsense\n")), Failed)
    process = proc_of(tmp_path)
    (tmp_path / "cgroup").unlink()
    assert isinstance(attested(WEB, process), Failed)


DIAGNOSES: Sequence[tuple[Known, Health]] = (
    (Known(WEB), Health.OK),
    (Known(ManagerAway("gone")), Health.FAILED),
    (Silent(WEB), Health.FAILED),
)


@pytest.mark.parametrize(("said", "health"), DIAGNOSES)
def test_a_diagnosis_asks_the_manager(said: Known, health: Health) -> None:
    """It is well if the manager answers in time, and says what to do if not."""
    clock = SystemClock()

    async def diagnosed() -> Mapping[str, object]:
        attestor = SystemdAttestor(Settings(), said, clock)
        [found] = await attestor.diagnose(clock.monotonic() + 0.05)
        return {"health": found.health, "remedy": bool(found.remedy), "check": found.check}

    assert asyncio.run(diagnosed()) == {
        "health": health,
        "remedy": health is not Health.OK,
        "check": "attestor systemd",
    }


def test_making_it_connects_nothing() -> None:
    """An attestor is made before anything is there, and says later what is missing."""
    pid = os.getpid()
    process = Process(pid, 0, 0, f"/proc/{pid}")

    async def whole() -> Finding:
        return await create(Settings()).attest(process, SystemClock().monotonic() + 5)

    assert isinstance(asyncio.run(whole()), Attested | Failed | NotApplicable)
