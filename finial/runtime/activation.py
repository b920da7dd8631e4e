"""Sockets that the service manager opened before it started us (sd_listen_fds(3)).

It keeps them while we are away, so that whoever connects meanwhile waits instead of being refused.
"""

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final

FIRST: Final = 3
"""The first descriptor that is passed."""
MOST: Final = 16
VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


class NotActivated(Exception):
    """What the service manager is said to have passed cannot be so."""


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A socket and the name that its unit gave it (`FileDescriptorName=`)."""

    name: str
    socket: socket.socket


def take_sockets(environment: MutableMapping[str, str], pid: int) -> tuple[PassedSocket, ...]:
    """Take what was passed to this process, once; children inherit neither it nor the variables.

    Variables that were meant for another process are removed and nothing is taken.

    Raises: NotActivated.
    """
    process, count, names, _ = (environment.pop(each, None) for each in VARIABLES)
    if process is None or count is None or _number("LISTEN_PID", process) != pid:
        return ()
    passed = _number("LISTEN_FDS", count)
    if passed > MOST:
        raise NotActivated(f"LISTEN_FDS is {passed}, and at most {MOST} sockets are taken")
    named = names.split(":") if names is not None else ["unknown"] * passed
    if len(named) != passed:
        raise NotActivated(f"LISTEN_FDS is {passed}, and LISTEN_FDNAMES has {len(named)} names")
    return tuple(_take(FIRST + index, name) for index, name in enumerate(named))


def _number(variable: str, text: str) -> int:
    # No sign, no space, no digits of other scripts.
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise NotActivated(f"{variable} is no number: {text[:64]!r}")
    return int(text)


def _take(descriptor: int, name: str) -> PassedSocket:
    try:
        os.set_inheritable(descriptor, False)
        return PassedSocket(name, socket.socket(fileno=descriptor))
    except OSError as error:
        fault = f"descriptor {descriptor}, passed as {name[:64]!r}, is no socket: {error.strerror}"
        raise NotActivated(fault) from error
