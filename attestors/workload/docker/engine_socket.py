"""Whether a socket is an engine's that may be believed, before anything is sent to it.

Somebody who owns the socket, or a folder on the way to it, can put their own engine there and have
it say anything (spiffe/spire 7293 is that). So every step of the path, links included, must belong
to root, to ourselves, or to the user whom the operator named with the socket, and nobody else may
write to it. Between looking and dialling a path may change; that is why, afterwards, the kernel is
asked who listens (SO_PEERCRED).
"""

import os
import socket
import stat
import struct
from collections.abc import Collection
from typing import Final

MAX_STEPS: Final = 64
_CREDENTIALS: Final = struct.Struct("=iII")
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class Untrusted(Exception):
    """Somebody else could answer at this path."""


def judge_path(path: str, owners: Collection[int]) -> None:
    """Make sure that only `owners` decide what is at a path, and that it is a socket of theirs.

    Raises: Untrusted, FileNotFoundError, other OSError.
    """
    left = [each for each in reversed(path.split("/")) if each not in ("", ".")]
    place = "/"
    _judge_folder(place, os.lstat(place), owners)
    for _ in range(MAX_STEPS):
        if not left:
            break
        name = left.pop()
        if name == "..":
            place = os.path.dirname(place)
            continue
        step = os.path.join(place, name)
        found = os.lstat(step)
        if stat.S_ISLNK(found.st_mode):
            _judge_owner(step, found, owners)
            target = os.readlink(step)
            left += [each for each in reversed(target.split("/")) if each not in ("", ".")]
            place = "/" if target.startswith("/") else place
        elif left:
            _judge_folder(step, found, owners)
            place = step
        else:
            _judge_socket(step, found, owners)
            return
    raise Untrusted(f"{path} leads to no socket")


def judge_listener(connected: int, owners: Collection[int]) -> None:
    """Make sure that one of `owners` listens at the other end of a connected socket's descriptor.

    Raises: Untrusted, OSError.
    """
    with socket.socket(fileno=os.dup(connected)) as end:
        found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(found)
    if uid not in owners:
        raise Untrusted(f"the engine's socket was opened by uid {uid}, not by {_named(owners)}")


def _judge_folder(place: str, found: os.stat_result, owners: Collection[int]) -> None:
    if not stat.S_ISDIR(found.st_mode):
        raise Untrusted(f"{place} is no folder")
    _judge_owner(place, found, owners)
    # In a folder with the sticky bit only an entry's owner moves it, and owners are judged.
    if found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
        raise Untrusted(f"others than its owner may write to {place}")


def _judge_socket(place: str, found: os.stat_result, owners: Collection[int]) -> None:
    if not stat.S_ISSOCK(found.st_mode):
        raise Untrusted(f"{place} is no socket")
    _judge_owner(place, found, owners)


def _judge_owner(place: str, found: os.stat_result, owners: Collection[int]) -> None:
    if found.st_uid not in owners:
        raise Untrusted(f"{place} belongs to uid {found.st_uid}, not to {_named(owners)}")


def _named(owners: Collection[int]) -> str:
    return " or ".join("root" if uid == 0 else f"uid {uid}" for uid in sorted(owners))
