"""The real programs, run as a person would run them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


class Up:
    """A running `finial up` and the line it printed when it was ready."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], made: dict[str, Any]) -> None:
        self.folder = folder
        self.process = process
        self.made = made

    def __getitem__(self, member: str) -> Any:
        return self.made[member]

    def finial(self, *arguments: str, check: bool = True, **options: Any) -> Any:
        """Run an administrator's command against this server and return its JSON."""
        done = finial(*arguments, "--dir", str(self.folder), "--output", "json", **options)
        if check and done.returncode != 0:
            raise AssertionError(f"finial {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def register(self, path: str, *selectors: str, **options: str) -> Any:
        """Create an entry under the only agent."""
        flags = [f"--selector={selector}" for selector in selectors]
        flags += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return self.finial(
            "entry", "create", f"--spiffe-id=spiffe://example.org{path}",
            f"--parent={self['agent_id']}", *flags,
        )  # fmt: skip


def finial(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command `finial` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 60),
        check=False,
        **options,
    )


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket below it, open to every uid."""
    folder = Path(tempfile.mkdtemp(prefix="finial-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def up(*flags: str, folder: Path | None = None) -> Iterator[Up]:
    """Run `finial up` on free ports until the test is done with it."""
    with contextlib.ExitStack() as stack:
        folder = folder or stack.enter_context(short_folder()) / "d"
        command = [sys.executable, "-m", "cli", "up", "--dir", str(folder), "--output", "json"]
        if not any(flag.startswith("--port") for flag in flags):
            command += ["--port=0"]
        process = stack.enter_context(running([*command, *flags]))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "finial up ended before it was ready"
        yield Up(folder, process, json.loads(line))


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside the test and end it by SIGTERM."""
    options.setdefault("stdout", subprocess.PIPE)
    process = subprocess.Popen(command, text=True, env={**os.environ, **(env or {})}, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def eventually(attempt: Callable[[], T | None], seconds: float = 30.0, what: str = "") -> T:
    """Try until something comes back; for what a real process does in its own time."""
    deadline = time.monotonic() + seconds
    while True:
        found = attempt()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds:.0f} s: {what or attempt}")
        time.sleep(0.1)
