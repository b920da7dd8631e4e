"""What the agent finds on its node: disks, audit log, kernel, limits; it reads files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from agent.settings import Agent
from finial.explain.checkup import failed, judge_descriptors, judge_room, ok, warning
from finial.explain.diagnosis import Diagnosis
from finial.runtime.kernel import Kernel, open_descriptors, probe_kernel, room_of
from finial.spiffe.refusal import Refusal

KERNEL: Final = "kernel"
AUDIT_LOG: Final = "audit log"
DISK: Final = "disk"
OPEN_FILES: Final = "open files"


def diagnose(agent: Agent, check_audit: Callable[[], None]) -> tuple[Diagnosis, ...]:
    """Look at the node as this process sees it."""
    return (
        *judge_disks((agent.storage_dir, agent.audit_path)),
        judge_audit_log(agent.audit_path, check_audit),
        *judge_kernel(probe_kernel()),
        judge_descriptors(OPEN_FILES, *open_descriptors()),
    )


def judge_disks(places: tuple[Path, ...]) -> Iterator[Diagnosis]:
    """Judge the disk below each place, once where several lie on one."""
    seen = set()
    for place in places:
        folder = place if place.is_dir() else place.parent
        try:
            device = folder.stat().st_dev
            room = room_of(folder)
        except OSError as error:
            yield failed(DISK, f"{folder} cannot be looked at: {error.strerror}")
            continue
        if device not in seen:
            seen.add(device)
            yield judge_room(DISK, str(folder), room.free, room.files)


def judge_audit_log(path: Path, check: Callable[[], None]) -> Diagnosis:
    """Whether acts can be recorded; what cannot be is refused."""
    try:
        check()
    except Refusal as refusal:
        return failed(AUDIT_LOG, refusal.remedy or refusal.detail, f"make room for {path}")
    if not path.exists():
        return warning(
            AUDIT_LOG,
            f"{path} was moved or removed, and what happens is written where nobody finds it",
            "restart the program; rotate it by copying and truncating",
        )
    return ok(AUDIT_LOG, f"{path} takes records")


def judge_kernel(kernel: Kernel) -> Iterator[Diagnosis]:
    """Whether the kernel tells who calls, and lets us look at them."""
    name = f"Linux {kernel.release}, cgroups {kernel.cgroups}"
    if not kernel.peer_pidfd:
        yield warning(
            KERNEL,
            f"{name}: it has no SO_PEERPIDFD, so that a caller that ends at once may be taken for "
            "another of its user",
            "run Linux 6.5 or later",
        )
    else:
        spaces = "" if kernel.user_namespaces else ", no user namespaces"
        yield ok(KERNEL, f"{name}{spaces}; it hands out each caller's pidfd")
    if not kernel.sees_all:
        yield warning(
            "pid namespace",
            "the agent is not in the machine's first PID namespace, and who calls from outside of "
            "its own cannot be attested",
            "run it in the host's PID namespace (hostPID: true, --pid=host)",
        )
    if kernel.hides_processes and not kernel.may_look:
        yield failed(
            "proc",
            "/proc is mounted with hidepid, and hides the processes of other users from the agent",
            "mount /proc without hidepid, or give the agent CAP_SYS_PTRACE",
        )
    elif not kernel.may_look:
        yield warning(
            "proc",
            "the agent has no CAP_SYS_PTRACE and cannot look at the programs of other users "
            "(unix:path, unix:sha256)",
            "AmbientCapabilities=CAP_SYS_PTRACE in its unit, as in examples/systemd",
        )
