"""The lines of /proc/<pid>/cgroup (cgroups(7)): one for each hierarchy of v1, `0::` for v2.

The kernel gives every path as seen from the cgroup namespace of whoever reads: what a process does
with its own namespace or mounts changes nothing here. A cgroup that is not below the reader's root
begins with as many `..` as lead to what both have above them.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 256 * 1024
MAX_LINES: Final = 64


class Malformed(Exception):
    """The file is not what the kernel writes, or larger than any."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A process's place in one hierarchy; `hierarchy` is what v1 calls it, empty for v2."""

    hierarchy: str
    path: str

    @property
    def segments(self) -> tuple[str, ...]:
        """The names on the way, the outermost first."""
        return tuple(filter(None, self.path.split("/")))


def read(proc: str) -> bytes:
    """Return the file of a process's folder, such as `/proc/123`.

    Raises: OSError, also if the process has ended.
    """
    descriptor = os.open(f"{proc}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = bytearray()
        while len(found) <= MAX_BYTES and (chunk := os.read(descriptor, MAX_BYTES)):
            found += chunk
    finally:
        os.close(descriptor)
    return bytes(found)


def parse(content: bytes) -> tuple[Membership, ...]:
    """Read all lines. Raises: Malformed."""
    if len(content) > MAX_BYTES:
        raise Malformed(f"/proc/<pid>/cgroup has more than {MAX_BYTES} bytes")
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES:
        raise Malformed(f"/proc/<pid>/cgroup has more than {MAX_LINES} lines")
    return tuple(map(_line, lines))


def _line(line: str) -> Membership:
    # A name below may hold colons, but no line feed: the kernel refuses to make such a cgroup.
    number, _, rest = line.partition(":")
    hierarchy, colon, path = rest.partition(":")
    if not (number.isascii() and number.isdigit()) or not colon or not path.startswith("/"):
        raise Malformed(f"/proc/<pid>/cgroup has the line {line[:200]!a}")
    return Membership(hierarchy, path)


def is_within(path: str, root: str) -> bool:
    """Whether a cgroup is that one or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def paths(memberships: Sequence[Membership]) -> dict[str, str]:
    """The path in each hierarchy."""
    return {each.hierarchy: each.path for each in memberships}
