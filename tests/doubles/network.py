"""A network namespace of its own, with a link to ours."""

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

_COUNT = itertools.count()


@dataclass(frozen=True)
class Network:
    """A namespace, and the address under which it reaches us."""

    namespace: str
    address: str

    @property
    def inside(self) -> list[str]:
        """What runs a command in the namespace."""
        return ["ip", "netns", "exec", self.namespace]


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make a namespace for a test (which needs root and iproute2), and take it away again."""
    number = (os.getpid() * 4 + next(_COUNT)) % 16384
    name, outer, inner = f"finial{number}", f"fo{number}", f"fi{number}"
    # 198.18.0.0/15 is set aside for tests of networks (RFC 2544).
    first = number * 4
    prefix = f"198.19.{first // 256}"
    here, there = f"{prefix}.{first % 256 + 1}", f"{prefix}.{first % 256 + 2}"
    try:
        for command in (
            f"ip netns add {name}",
            f"ip link add {outer} type veth peer name {inner} netns {name}",
            f"ip addr add {here}/30 dev {outer}",
            f"ip link set {outer} up",
            f"ip -n {name} addr add {there}/30 dev {inner}",
            f"ip -n {name} link set {inner} up",
            f"ip -n {name} link set lo up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        yield Network(name, here)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", outer], check=False, capture_output=True)
