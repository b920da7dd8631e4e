"""Where a report is rebuilt: the real programs in a folder, and whoever types commands."""

import contextlib
import importlib
import io
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cli.up.configuration import render
from tests.conftest import Requirements
from tests.doubles.programs import ROOT, Up, eventually, short_folder, up
from tests.e2e.explained.transcript import Transcript, squeezed

OPERATOR = "root#"
WORKLOAD = "web$"
NEEDED = (
    "cli.__main__", "cli.commands.explain", "cli.commands.fetch", "cli.fetching", "cli.outcome",
    "cli.workload",
)  # fmt: skip


class Said(str):
    """What a command printed, and its exit status."""

    status: int = 0

    def names(self, *words: str) -> None:
        """Check that a reader finds these words."""
        assert "Traceback" not in self, self
        missing = [each for each in words if each not in squeezed(self)]
        assert not missing, f"{missing} are not in:\n{self}"

    def refused(self) -> None:
        """Check that the command failed."""
        assert self.status != 0, self


class Stage:
    """`finial up` in a folder, whose commands and answers are written down."""

    def __init__(self, folder: Path, require: Requirements, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.require = require
        self.stack = stack
        self.transcript = Transcript(words={str(folder / "d"): "/tmp/finial", str(folder): "/tmp"})
        self._up: Up | None = None

    @property
    def up(self) -> Up:
        assert self._up is not None
        return self._up

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "FINIAL_DIR": str(self.folder / "d"),
            "SPIFFE_ENDPOINT_SOCKET": f"unix://{self.folder}/d/workload/workload.sock",
        }

    def start(self, attestors: Mapping[str, Any] | None = None, *flags: str) -> None:
        """Start `finial up`; `attestors` are its agent's, unix alone without them."""
        if attestors is not None:
            file = self.folder / "attestors.toml"
            file.write_text(render(attestors))
            flags = (*flags, f"--attestors={file}")
        self._up = self.stack.enter_context(up(*flags, folder=self.folder / "d"))

    def entry(self, path: str, *selectors: str, parent: str = "", **members: Any) -> str:
        """Register something that was there before the story begins; return its ID."""
        flags = [f"--selector={each}" for each in selectors]
        for name, value in members.items():
            flag = f"--{name.replace('_', '-')}"
            flags.append(flag if value is None else f"{flag}={value}")
        flags.append(f"--parent={parent or self.up['agent_id']}")
        name = path if path.startswith("spiffe:") else f"spiffe://example.org{path}"
        made = self.up.finial("entry", "create", name, *flags)
        identifier: str = made["id"]
        return identifier

    def type(
        self, command: str, *, who: str = OPERATOR, only: str = "", prefix: Sequence[str] = ()
    ) -> Said:
        """Run a line of an operator, `finial ...`, and write down what came back.

        With `only`, the lines with that word alone and the one below each, as by `grep`.
        """
        words = shlex.split(command)
        assert words[0] == "finial"
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "cli", *words[1:]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
            env=self.environment,
        )
        output = done.stdout + done.stderr
        if only:
            lines = output.splitlines()
            output = "".join(
                f"{line}\n"
                for above, line in zip(["", *lines], lines, strict=False)
                if only in line or only in above
            )
            command = f"{command} | grep -A 1 '{only}'"
        return self.note(who, command, output, done.returncode)

    def note(self, who: str, command: str, output: str, status: int) -> Said:
        self.transcript.add(who, command, output, status)
        said = Said(output)
        said.status = status
        return said

    def ask(self, command: str, *, uid: int, groups: Sequence[int] = (), who: str = "") -> Said:
        """Run a line as another user, who is a workload."""
        text, status, pid = as_user(shlex.split(command)[1:], self.environment, uid, groups)
        self.transcript.pids.append(pid)
        return self.note(who or WORKLOAD, command, text, status)

    def until_served(self, uid: int, socket: str = "", groups: Sequence[int] = ()) -> None:
        """Wait until a user has an identity."""
        command = ["fetch", "x509", *(["--socket", socket] if socket else [])]
        eventually(lambda: as_user(command, self.environment, uid, groups)[1] == 0)

    def fixed(self, said: str) -> Said:
        """Run the first command that an explanation recommends, as it stands there."""
        command = recommended(said)
        done = self.type(command)
        assert done.status == 0, f"{command}: {done}"
        return done

    def agent_id(self) -> str:
        identifier: str = self.up["agent_id"]
        return identifier


def recommended(said: str) -> str:
    """The first line that is a command of ours."""
    for line in said.splitlines():
        bare = line.strip().lstrip("$#> ").strip("`")
        if bare.startswith("finial "):
            return bare
    raise AssertionError(f"no command is recommended in:\n{said}")


def refusal_id(said: str) -> str:
    """The id that a refused workload was told."""
    found = re.search(r"refusal ([A-Za-z0-9-]+)", said)
    assert found, said
    return found[1]


def as_user(
    arguments: Sequence[str], environment: Mapping[str, str], uid: int, groups: Sequence[int] = ()
) -> tuple[str, int, int]:
    """Run the command as another user, in a child of ours; its output, status and pid.

    A child that is forked needs no interpreter that every user can read.
    """
    for module in NEEDED:
        importlib.import_module(module)
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(
        target=_child, args=(sending, tuple(arguments), dict(environment), uid, tuple(groups))
    )
    child.start()
    sending.close()
    try:
        text, status = receiving.recv()
    finally:
        child.join(20)
    assert child.pid is not None
    return text, status, child.pid


def _child(
    sending: Connection,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    uid: int,
    groups: Sequence[int],
) -> None:
    from cli.__main__ import root
    from cli.outcome import run

    os.environ.update(environment)
    os.setgroups(list(groups))
    os.setgid(uid)
    os.setuid(uid)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            status = run(root, list(arguments))
        except Exception:
            traceback.print_exc(file=told)
            status = -1
    sending.send((told.getvalue(), status))
    sending.close()


@contextlib.contextmanager
def sleeper(uid: int, groups: Sequence[int] = ()) -> Iterator[int]:
    """A process of another user that stays; its pid."""
    process = subprocess.Popen(
        ["/bin/sleep", "600"], user=uid, group=uid, extra_groups=list(groups)
    )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def stage(require: Requirements) -> Iterator[Stage]:
    """A stage for one situation."""
    with short_folder() as folder, contextlib.ExitStack() as stack:
        yield Stage(folder, require, stack)
