"""Interpreters that the agent can tell apart.

As root the services run under two users. Those must be able to read the interpreter and its
packages, which may lie below a home that is closed to them; then what is needed is staged.
Otherwise each service has an interpreter of its own, told apart by its path.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

USERS = (61001, 61002)
HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "service.py"


@dataclass(frozen=True)
class Place:
    """How to run a service so that the agent knows it: interpreter, program, user, selectors."""

    python: Path
    program: Path
    selectors: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: int | None = None


def places(folder: Path) -> tuple[Place, Place]:
    """Prepare two places; `folder` is ours and everybody may enter it."""
    return _by_user(folder) if os.geteuid() == 0 else _by_path(folder)


def _by_user(folder: Path) -> tuple[Place, Place]:
    python, environment = readable_python(folder)
    packages = _packages(folder)
    program = folder / "service.py"
    shutil.copyfile(PROGRAM, program)
    environment = {**environment, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    first, second = (
        Place(python, program, [f"unix:uid:{user}"], environment, user) for user in USERS
    )
    return first, second


def _by_path(folder: Path) -> tuple[Place, Place]:
    site = str(Path(distribution("spiffe").locate_file("")))
    made = []
    for name in ("one", "two"):
        root = folder / name
        subprocess.run(
            [sys.executable, "-m", "venv", "--copies", "--without-pip", root], check=True
        )
        python = (root / "bin" / "python").resolve()
        selectors = [f"unix:uid:{os.getuid()}", f"unix:path:{python}"]
        made.append(Place(python, PROGRAM, selectors, {"PYTHONPATH": site}))
    return made[0], made[1]


def readable_python(folder: Path) -> tuple[Path, dict[str, str]]:
    """Find an interpreter of our version that every user can run, or copy ours."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = Path(sys.executable).resolve()
    for candidate in (ours, Path("/usr/bin") / version, Path("/usr/local/bin") / version):
        if candidate.exists() and is_open(candidate.resolve()):
            return candidate.resolve(), {}
    base = Path(sys.base_prefix)
    staged = folder / "python"
    (staged / "bin").mkdir(parents=True)
    shutil.copy2(ours, staged / "bin" / version)
    unneeded = shutil.ignore_patterns("test", "site-packages", "__pycache__", "idlelib", "config-*")
    shutil.copytree(base / "lib" / version, staged / "lib" / version, ignore=unneeded)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, staged / "lib")
    home = {"PYTHONHOME": str(staged), "LD_LIBRARY_PATH": str(staged / "lib")}
    return staged / "bin" / version, home


def _packages(folder: Path) -> Path:
    """Find our packages, or link what `spiffe` needs to where every user can read it."""
    site = Path(str(distribution("spiffe").locate_file("")))
    if is_open(site):
        return site
    staged = folder / "packages"
    for name in _needed("spiffe"):
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            target = staged / file
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
    return staged


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copyfile(source, target)


def _needed(name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        try:
            requires = distribution(current).requires or []
        except PackageNotFoundError:
            continue  # only needed elsewhere, on another platform or by an extra
        found.add(current)
        plain = (each for each in requires if "extra ==" not in each)
        waiting += [re.match(r"[A-Za-z0-9._-]+", each)[0].lower() for each in plain]
    return found


def is_open(path: Path) -> bool:
    """Whether every user can reach and read a path."""
    if not path.stat().st_mode & 0o004:
        return False
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)
