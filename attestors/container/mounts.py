"""The container that a process's mounts name, where nobody but root can have mounted them.

An engine mounts files of its own at /etc/hostname and the like, from a folder named after the
container. Whoever makes a mount namespace mounts what they like in it (spiffe/spire 7288), so that
mounts count only in a namespace that belongs to our own user namespace. They prove nothing even
there, because who writes a container's volumes chooses where they come from: they say whom to ask
the engine about.
"""

import re
from typing import Final

from attestors.container import namespaces

MAX_BYTES: Final = 1024 * 1024
_FILES: Final = frozenset(("/etc/hostname", "/etc/hosts", "/etc/resolv.conf"))
_SOURCE: Final = re.compile(r".*containers/([0-9a-f]{64})/(?:userdata/)?[a-z.]+")


def named(proc: str) -> str:
    """The ID of the only container that a process's mounts name, or an empty text.

    Raises: OSError, also if the process has ended.
    """
    if namespaces.same(proc, "/proc/self", "mnt") or namespaces.may_mount(proc):
        return ""
    with open(f"{proc}/mountinfo", "rb") as file:
        content = file.read(MAX_BYTES)
    found = parse(content)
    return found.pop() if len(found) == 1 else ""


def parse(content: bytes) -> set[str]:
    """Every ID in the lines of /proc/<pid>/mountinfo (proc_pid_mountinfo(5))."""
    found = set()
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.split(" ", 5)
        if len(fields) == 6 and fields[4] in _FILES and (match := _SOURCE.fullmatch(fields[3])):
            found.add(match[1])
    return found
