"""The control group of a process, as far as only root can have named it."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from attestors.contract import Attested, Process
from attestors.workload.unix import Settings, create
from attestors.workload.unix.control_group import ControlGroups, Mount, mounts_here
from attestors.workload.unix.recent_mounts import REMEMBERED, RecentMounts
from finial.runtime.clock import SystemClock
from tests.doubles.clock import StandingClock

V2 = frozenset([""])


def found(
    folder: Path, cgroup: str, mounts: Callable[[], Sequence[Mount]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    (folder / "cgroup").write_text(cgroup)
    said = ControlGroups(mounts).find(str(folder))
    return said.values, said.remarks


def tree(folder: Path, *paths: str) -> Path:
    """A hierarchy as it is mounted, with these groups."""
    point = folder / "tree"
    for path in paths:
        (point / path.lstrip("/")).mkdir(parents=True)
    for each in (point, *point.rglob("*")):
        each.chmod(0o755)
    return point


def mounted(point: Path, *names: str) -> Callable[[], Sequence[Mount]]:
    return lambda: (Mount(frozenset(names or ("",)), str(point)),)


@pytest.mark.root
def test_a_group_that_root_made_is_told(tmp_path: Path) -> None:
    """The whole path is the selector's value where root owns all of it."""
    point = tree(tmp_path, "/system.slice/web.service")
    assert found(tmp_path, "0::/system.slice/web.service\n", mounted(point)) == (
        ("cgroup:/system.slice/web.service",),
        (),
    )


@pytest.mark.root
@pytest.mark.parametrize(
    "give", [lambda path: os.chown(path, 1000, 1000), lambda path: path.chmod(0o775)]
)
def test_a_path_ends_where_root_gave_it_away(tmp_path: Path, give: Callable[[Path], None]) -> None:
    """Below a group that others may write to, names are theirs and say nothing."""
    point = tree(tmp_path, "/user.slice/user@1000.service/system.slice/web.service")
    give(point / "user.slice/user@1000.service")
    path = "/user.slice/user@1000.service/system.slice/web.service"
    values, remarks = found(tmp_path, f"0::{path}\n", mounted(point))
    assert values == ("cgroup:/user.slice/user@1000.service",)
    assert all("user@1000.service, which belongs to uid 1000" in each for each in remarks)


@pytest.mark.root
@pytest.mark.parametrize(
    ("cgroup", "names", "path"),
    [
        ("1:name=systemd:/b\n0::/a\n", ("",), "/a"),
        ("1:name=systemd:/b\n0::/\n", ("name=systemd", "xattr", "rw"), "/b"),
        ("3:cpu,cpuacct:/a\n2:memory:/a\n0::/\n", ("rw", "cpu", "cpuacct"), "/a"),
    ],
    ids=["v2", "systemd", "agreeing"],
)
def test_one_hierarchy_counts(tmp_path: Path, cgroup: str, names: Sequence[str], path: str) -> None:
    """Version 2 first, then systemd's own hierarchy, then what all others agree on."""
    point = tree(tmp_path, "/a", "/b")
    assert found(tmp_path, cgroup, mounted(point, *names)) == ((f"cgroup:{path}",), ())


@pytest.mark.parametrize(
    ("cgroup", "why"),
    [
        ("0::/\n", "root group"),
        ("", "root group"),
        ("3:cpu:/a\n2:memory:/b\n0::/\n", "different groups"),
        ("0::/../../system.slice/web.service\n", "namespace"),
        ("2:memory:/a\n", "no cgroup file system"),
        ("0::/gone (deleted)\n", "No such file"),
        ("0::relative\n", "has the line"),
        ("nonsense\n", "has the line"),
    ],
)
def test_a_group_that_cannot_be_proved_is_none(tmp_path: Path, cgroup: str, why: str) -> None:
    """Without a path that root vouches for there is no selector, and it is said why."""
    values, [remark] = found(tmp_path, cgroup, mounted(tree(tmp_path, "/a")))
    assert values == ()
    assert remark.startswith("no unix:cgroup: ")
    assert why in remark


@pytest.mark.root
def test_a_path_that_cannot_be_shown_is_none(tmp_path: Path) -> None:
    """A name with an escape in it is no selector."""
    point = tree(tmp_path, "/a\x1b[31m")
    values, [remark] = found(tmp_path, "0::/a\x1b[31m\n", mounted(point))
    assert values == ()
    assert remark.isprintable()


def test_a_process_that_has_ended_has_none(tmp_path: Path) -> None:
    """Without its folder there is nothing to read."""
    said = ControlGroups(mounts_here).find(str(tmp_path / "none"))
    assert said.values == ()
    assert len(said.remarks) == 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A name of the path is looked at itself, not at what it leads to."""
    point = tree(tmp_path, "/a")
    (point / "b").symlink_to("/")
    values, _ = found(tmp_path, "0::/b/usr\n", mounted(point))
    assert values in ((), ("cgroup:/b",))


def test_mounts_are_looked_up_once_a_minute() -> None:
    """What was found is used for a minute; nothing found is looked for again each time."""
    clock = StandingClock()
    answers = iter([(), ("a",), ("b",)])
    mounts = RecentMounts(lambda: next(answers), clock)
    assert [mounts(), mounts(), mounts()] == [(), ("a",), ("a",)]
    clock.advance(REMEMBERED)
    assert mounts() == ("b",)


def test_mounts_are_read() -> None:
    """What is mounted here is found, each with a folder that is there."""
    assert all(Path(mount.point).is_dir() and mount.names for mount in mounts_here())


@pytest.mark.parametrize("wanted", [False, True])
def test_it_is_asked_for(wanted: bool) -> None:
    """The setting discover_cgroup gives `unix:cgroup`, or a remark why not; without it neither."""
    attestor = create(Settings(discover_cgroup=wanted))
    pid = os.getpid()
    process = Process(pid, os.geteuid(), os.getegid(), f"/proc/{pid}")

    async def whole() -> str:
        finding = await attestor.attest(process, SystemClock().monotonic() + 10)
        assert isinstance(finding, Attested)
        return f"{finding.selectors}{finding.remarks}"

    assert ("cgroup" in asyncio.run(whole())) == wanted
