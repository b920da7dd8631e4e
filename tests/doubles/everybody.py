"""Interpreter, packages and checkout where every user can run them."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copied_for_everybody(folder: Path) -> tuple[str, dict[str, str]]:
    """Copy interpreter, packages and checkout to where every user can read them."""
    sys.path.insert(0, str(ROOT / "examples" / "demo"))
    try:
        from staging import readable_python
    finally:
        del sys.path[0]
    folder.chmod(0o755)
    python, environment = readable_python(folder)
    site = next(Path(each) for each in sys.path if each.endswith("site-packages"))
    leave = shutil.ignore_patterns("__pycache__", ".*", "mypy*", "grpc_tools", "node_modules")
    shutil.copytree(site, folder / "packages", ignore=leave, copy_function=link)
    shutil.copytree(ROOT, folder / "checkout", ignore=leave)
    path = f"{folder}/checkout:{folder}/packages"
    return str(python), {**environment, "PYTHONPATH": path}


def link(source: str, target: str) -> None:
    """Link a file, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
