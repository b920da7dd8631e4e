"""A folder that looks like /proc to whoever reads what a process's cgroups are."""

import os
from pathlib import Path

from attestors.contract import Process


class ProcTree:
    """Processes that exist as files alone; their namespaces are those of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, pid: int, cgroups: str, started: int = 1000) -> Process:
        """Put a process there, or something else in its place."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "cgroup").write_text(cgroups)
        after = " ".join(["S", *["0"] * 18, str(started), "0"])
        (folder / "stat").write_text(f"{pid} (a ) name) {after}\n")
        if not (folder / "ns").exists():
            (folder / "ns").symlink_to("/proc/self/ns")
        return Process(pid, os.geteuid(), os.getegid(), str(folder))

    def end(self, pid: int) -> None:
        folder = self.root / str(pid)
        for each in ("cgroup", "stat", "ns"):
            (folder / each).unlink()
        folder.rmdir()
