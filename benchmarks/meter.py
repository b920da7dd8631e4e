"""What a process costs: CPU time, memory, and the unit in which machines can be compared."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def sign_microseconds() -> float:
    """CPU time of one P-256 signature by openssl on this machine, now."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"ecdsa \(nistp256\)\s+\S+s\s+\S+s\s+([\d.]+)", done.stdout)
    assert found, done.stdout
    return 1e6 / float(found[1])


def cpu_seconds(pid: int) -> float:
    """CPU time that the process has used, all of its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_mib(pid: int) -> float:
    """Proportional set size of the process, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found, text
    return int(found[1]) / 1024


@dataclass(frozen=True, slots=True)
class Spread:
    """Several runs of one figure."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return sorted(self.values)[len(self.values) // 2]

    def show(self, digits: int = 1) -> str:
        """The median and, where there were several runs, the least and the greatest."""
        if len(self.values) == 1:
            return f"{self.median:.{digits}f}"
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
