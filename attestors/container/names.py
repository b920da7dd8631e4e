"""What runtimes call the cgroups of containers and pods.

A name proves nothing by itself: in a subtree that was delegated to them, people call their cgroups
what they like. Who is asked about an ID says which processes are its.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# docker-<id>.scope, crio-<id>, cri-containerd-<id>.scope, libpod-payload-<id>, nerdctl-<id>.scope,
# <id> alone (cgroupfs), kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
_CONTAINER: Final = re.compile(
    r"(?:(?P<before>[^/]*?)[-:])?(?P<id>[0-9a-f]{64})(?:\.scope)?", re.DOTALL
)
# What watches over a container from outside is named after it too.
_WATCHES: Final = re.compile(r"(?:^|[-:])conmon$")
_HEX: Final = "[0-9a-f]"
_POD: Final = re.compile(
    rf"(?:^|-)pod(?P<uid>{_HEX}{{8}}([-_]){_HEX}{{4}}\2{_HEX}{{4}}\2{_HEX}{{4}}\2{_HEX}{{12}}"
    rf"|{_HEX}{{32}})(?:\.slice)?(?=:|$)"
)
_USER_SLICE: Final = re.compile(r"user-(\d{1,10})\.slice")


@dataclass(frozen=True, slots=True)
class Named:
    """One container on the way to a process.

    `root` is its cgroup, up to the name with its ID. `pod_uid` has dashes, or is empty: no pod. A
    static pod's is 32 hex digits without dashes.
    """

    id: str
    pod_uid: str
    podman: bool
    root: str


def chain(path: str) -> tuple[Named, ...]:
    """Every container that a cgroup's path names, the outermost first.

    The same name twice in a row is one container: some runtimes repeat it inside.
    """
    found: list[Named] = []
    pod_uid = ""
    begin = 0
    while begin < len(path):
        end = path.find("/", begin)
        end = len(path) if end < 0 else end
        segment = path[begin:end]
        begin = end + 1
        pod_uid = _pod_uid(segment) or pod_uid
        match = _CONTAINER.fullmatch(segment)
        before = (match["before"] or "") if match else ""
        if match and not _WATCHES.search(before):
            if not found or found[-1].id != match["id"]:
                podman = before.startswith("libpod")
                found.append(Named(match["id"], pod_uid, podman, path[:end]))
            pod_uid = ""
    return tuple(found)


def user_of_slice(segments: Sequence[str]) -> int | None:
    """The user whose slice a cgroup is in: only root makes what stands in `/user.slice` itself."""
    outermost = [each for each in segments if each != ".."][:2]
    if len(outermost) == 2 and outermost[0] == "user.slice":
        match = _USER_SLICE.fullmatch(outermost[1])
        return int(match[1]) if match else None
    return None


def _pod_uid(segment: str) -> str:
    match = _POD.search(segment)
    return match["uid"].replace("_", "-") if match else ""
