"""What the agent finds on its node: disks, audit log, kernel, limits; it reads files."""

from collections.abc import Callable, Iterator
from typing import Final

from agent.settings import Agent
from finial.explain.checkup import (
    failed,
    judge_audit_log,
    judge_descriptors,
    judge_room,
    ok,
    warning,
)
from finial.explain.diagnosis import Diagnosis
from finial.runtime.kernel import Kernel, open_descriptors, probe_kernel, rooms_of
from finial.spiffe.refusal import Refusal

KERNEL: Final = "kernel"
AUDIT_LOG: Final = "audit log"
DISK: Final = "disk"
OPEN_FILES: Final = "open files"


def diagnose(agent: Agent, check_audit: Callable[[], None]) -> tuple[Diagnosis, ...]:
    """Look at the node as this process sees it."""
    audit, fault = agent.audit_path, ""
    try:
        check_audit()
    except Refusal as refusal:
        fault = refusal.remedy or refusal.detail
    rooms = rooms_of((agent.storage_dir, audit.parent))
    return (
        *(judge_room(DISK, str(place), room.free, room.files) for place, room in rooms),
        judge_audit_log(AUDIT_LOG, str(audit), fault, exists=audit.exists()),
        *judge_kernel(probe_kernel()),
        judge_descriptors(OPEN_FILES, *open_descriptors()),
    )


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
