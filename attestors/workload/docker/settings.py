"""What an operator sets, named as in SPIRE where SPIRE has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from finial.runtime.duration import Duration
from finial.runtime.settings import between, setting

DOCKER_SOCKET: Final = "/var/run/docker.sock"
PODMAN_SOCKET: Final = "/run/podman/podman.sock"
_SCHEME: Final = "unix://"
_VERSION_CHARACTERS: Final = frozenset("0123456789.")


def socket_path(address: str) -> str:
    """The path of `unix:///path` or `/path`."""
    return address.removeprefix(_SCHEME)


def _is_socket(address: str) -> str | None:
    if not address or socket_path(address).startswith("/"):
        return None
    return "is no path of a socket, such as unix:///var/run/docker.sock, nor empty for none"


def _is_version(version: str) -> str | None:
    return None if set(version) <= _VERSION_CHARACTERS else "is no version, such as 1.44"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which engines are asked, and what is told of a container.

    `docker_socket_path` and `podman_socket_path` are root's engines; empty is none.
    `podman_sockets` names the engine of a user by uid: whoever has that uid can then give its own
    processes every selector of this attestor but `docker:engine_uid`. `env` is `true`, or names the
    variables that become selectors. `merge_image_labels` calls what comes with the image the
    container's own, as SPIRE does. `timeout` is for one question to an engine.
    """

    docker_socket_path: str = setting(_SCHEME + DOCKER_SOCKET, check=_is_socket)
    podman_socket_path: str = setting(_SCHEME + PODMAN_SOCKET, check=_is_socket)
    podman_sockets: Mapping[str, str] = field(default_factory=dict)
    docker_version: str = setting("", check=_is_version)
    env: bool | tuple[str, ...] = False
    merge_image_labels: bool = False
    timeout: Duration = setting(3.0, check=between(0.1, 60))

    def __post_init__(self) -> None:
        for uid, address in self.podman_sockets.items():
            if not (uid.isascii() and uid.isdigit()) or not 0 < int(uid) < 2**32 - 1:
                raise ValueError(
                    f"podman_sockets has {uid[:20]!r}, and names one socket for each uid but root, "
                    'such as 1000 = "unix:///run/user/1000/podman/podman.sock"'
                )
            if not socket_path(address).startswith("/"):
                raise ValueError(f"podman_sockets.{uid} is no path of a socket")
