"""Nobody becomes a container by naming a cgroup or mounting a file after it."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attestors.contract import Failed
from tests.doubles.engine_api import engine_api
from tests.doubles.engines import Container
from tests.doubles.programs import ROOT, eventually, short_folder
from tests.e2e.containers.place import (
    CGROUPS,
    Place,
    attested,
    hierarchies,
    identities,
    paths,
    refusal,
    unified,
)

pytestmark = [pytest.mark.root, pytest.mark.slow]

USER = 61_234


@pytest.fixture
def victim(place: Place) -> Container:
    """A container with an identity that others would like to have."""
    place.register("/victim", "docker:label:app:victim")
    place.register("/attacker", "docker:label:app:attacker")
    container = place.start(labels={"app": "victim"})
    assert identities(container) == ["/victim"]
    return container


def docker_report(said: Any) -> Any:
    """What the docker attestor said, of an explanation."""
    return next(each for each in said["attestors"] if each["name"] == "docker")


@contextlib.contextmanager
def sleeping_as(user: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a user, and whatever it started, until the test is done with it."""
    process = subprocess.Popen(
        ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command],
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A subtree in which a user may do what they like."""
    tree = unified() / f"finial-delegated-{os.getpid()}"
    inner = tree / "own"
    inner.mkdir(parents=True)
    for folder in (tree, inner):
        for each in (folder, folder / "cgroup.procs"):
            os.chown(each, USER, USER)
    try:
        yield tree
    finally:
        eventually(lambda: _is_removed(tree), 10.0)


def _is_removed(tree: Path) -> bool:
    for folder, _, _ in os.walk(tree, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not tree.exists()


@contextlib.contextmanager
def in_group(delegated: Path, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the user in a cgroup that the user made and named."""
    fake = delegated / name
    join = f"mkdir -p {fake} && echo $$ >{fake}/cgroup.procs && exec sleep 60"
    enter = f"echo $$ >{delegated}/own/cgroup.procs && exec setpriv --reuid={USER} --regid={USER}"
    process = subprocess.Popen(["sh", "-c", f"{enter} --clear-groups sh -c '{join}'"])
    try:
        line = f"/{fake.relative_to(unified())}"
        eventually(lambda: line in Path(f"/proc/{process.pid}/cgroup").read_text())
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_pid_that_was_a_containers_proves_nothing(delegated: Path, short: Path) -> None:
    """An engine that has not seen a container's end names a pid that may be anybody's by now."""
    victim = "ab" * 32
    group = f"docker/{victim}"
    with (
        in_group(delegated, group) as caller,
        in_group(delegated, group) as first,
        engine_api(short / "engine.sock") as api,
    ):
        api.container(victim, first.pid, labels={"app": "victim"})
        api.image()
        found = asyncio.run(attested(caller.pid, docker_socket_path=str(api.path)))
    assert isinstance(found, Failed)
    assert found.detail.endswith(f"which belongs to uid {USER}")


@pytest.fixture
def short() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.mark.parametrize("name", ["docker/{}", "docker-{}.scope", "system.slice/docker-{}.scope"])
def test_a_user_who_names_a_cgroup_after_a_container_is_not_in_it(
    place: Place, victim: Container, delegated: Path, name: str
) -> None:
    """In a delegated subtree people name cgroups as they like: the kernel knows where they are."""
    with in_group(delegated, name.format(victim.id)) as process:
        said = place.explain(process.pid)
    report = docker_report(said)
    assert report["status"] == "failed"
    assert f"container {victim.id[:12]} is in the cgroup" in report["detail"]
    assert not report.get("selectors")
    assert not said.get("matches")


def test_a_container_that_nests_a_cgroup_of_anothers_name_stays_itself(
    place: Place, victim: Container
) -> None:
    """Whoever may make cgroups below their own gets no further than their own."""
    flags = ["--cgroupns=host", f"--volume={CGROUPS}:/cgroups"]
    attacker = place.start(labels={"app": "attacker"}, flags=flags)
    steps = []
    for each in hierarchies():
        inner = f"docker/{attacker.id}/{victim.id}"
        nested = Path("/cgroups") / each.relative_to(CGROUPS) / inner
        # A new cpuset is empty until somebody fills it.
        fill = "for f in cpuset.cpus cpuset.mems; do test ! -e $f || cat ../$f >$f; done"
        steps.append(f"mkdir -p {nested} && cd {nested} && {fill} && echo $$ >cgroup.procs")
    finial = f"PYTHONPATH={ROOT} exec python -m cli fetch x509 --output json"
    done = attacker.execute("sh", "-c", " && ".join([*steps, finial]))
    assert paths(done) == ["/attacker"]


def test_a_container_that_moves_into_anothers_cgroup_is_not_in_it(
    place: Place, victim: Container
) -> None:
    """Whoever was given all cgroups to write to goes into any; into a PID namespace nobody goes."""
    flags = ["--cgroupns=host", f"--volume={CGROUPS}:/cgroups"]
    attacker = place.start(labels={"app": "attacker"}, flags=flags)
    inner = [Path("/cgroups") / each.relative_to(CGROUPS) for each in hierarchies()]
    steps = [f"echo $$ >{each}/docker/{victim.id}/cgroup.procs" for each in inner]
    finial = f"PYTHONPATH={ROOT} exec python -m cli fetch x509 --output json"
    done = attacker.execute("sh", "-c", " && ".join([*steps, "echo moved", finial]))
    assert "moved" in done.stdout
    assert done.returncode != 0
    assert "/victim" not in done.stdout


def test_a_container_that_nests_in_one_hierarchy_contradicts_itself(
    place: Place, victim: Container
) -> None:
    """Where hierarchies name different containers nobody chooses between them."""
    flags = ["--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined", "--cgroupns=private"]
    attacker = place.start(labels={"app": "attacker"}, flags=flags)
    mount = "mkdir -p /tmp/c && mount -t cgroup2 none /tmp/c"
    nest = f"mkdir -p /tmp/c/{victim.id} && echo $$ >/tmp/c/{victim.id}/cgroup.procs"
    finial = f"PYTHONPATH={ROOT} exec python -m cli fetch x509 --output json"
    done = attacker.execute("sh", "-c", f"{mount} && {nest} && {finial}")
    assert "/victim" not in done.stdout
    if len(hierarchies()) > 1:
        assert done.returncode != 0
        assert "no identity" in done.stderr or "cannot be attested" in done.stderr


def test_mounts_of_a_container_are_not_its_name(
    place: Place, victim: Container, tmp_path: Path
) -> None:
    """A file that was mounted from a folder named after another container proves nothing."""
    fake = tmp_path / "containers" / victim.id
    fake.mkdir(parents=True)
    (fake / "hostname").write_text("victim\n")
    places = [f"--volume={fake}/hostname:/etc/{name}" for name in ("hosts", "hostname")]
    attacker = place.start(labels={"app": "attacker"}, flags=places)
    assert victim.id in Path(f"/proc/{attacker.pid}/mountinfo").read_text()
    assert identities(attacker) == ["/attacker"]


def test_mounts_of_a_user_are_not_a_container(place: Place, victim: Container) -> None:
    """In namespaces of their own everybody may mount what looks like a container's files."""
    tree = f"/tmp/f/containers/{victim.id}"
    script = (
        f"mount -t tmpfs none /tmp && mkdir -p {tree} && touch {tree}/hostname && "
        f"mount --bind {tree}/hostname /etc/hostname && exec sleep 60"
    )
    with sleeping_as(USER, "unshare", "-Urm", "sh", "-c", script) as process:
        mounts = Path(f"/proc/{process.pid}/mountinfo")
        eventually(lambda: f"containers/{victim.id}/hostname" in mounts.read_text())
        report = docker_report(place.explain(process.pid))
    assert report["status"] == "not applicable"
    assert "no cgroup of the process names a container" in report["detail"]


def test_namespaces_within_a_container_are_of_the_container(place: Place) -> None:
    """A process that makes a user namespace of its own is still where it was."""
    place.register("/web", "docker:label:app:web")
    web = place.start(labels={"app": "web"}, flags=["--security-opt=seccomp=unconfined"])
    finial = f"PYTHONPATH={ROOT} exec python -m cli fetch x509 --output json"
    done = web.execute("unshare", "-U", "sh", "-c", finial)
    assert paths(done) == ["/web"]


def test_a_container_that_was_removed_leaves_nothing(place: Place, victim: Container) -> None:
    """The next container of the same name and image is another one."""
    pid = victim.pid
    victim.stop()
    assert "victim" not in str(place.up.finial("explain", "--pid", str(pid), check=False))
    other = place.start(labels={"app": "other"})
    assert "no identity issued" in refusal(other)
