"""Whether a configuration file can be used, with everything that is wrong in it."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from finial.explain.checkup import failed, ok, warning
from finial.explain.diagnosis import Diagnosis
from finial.runtime.settings import SettingsError

CONFIGURATION: Final = "configuration"
DENIED: Final = "Permission denied"
AS_ROOT: Final = "run the command as root or as the program's user"
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def judge_agent_file(file: Path) -> Iterator[Diagnosis]:
    """Judge an agent's configuration file, with its plugins."""
    from agent.assemble.plugins import judge_plugins
    from agent.settings import load

    yield from _judge(file, lambda: judge_plugins(load(file)))


def judge_server_file(file: Path) -> Iterator[Diagnosis]:
    """Judge a server's configuration file, with its plugins."""
    from ca.assemble.plugins import judge_plugins
    from ca.settings import load

    yield from _judge(file, lambda: judge_plugins(load(file)))


def _judge(file: Path, read: Callable[[], Any]) -> Iterator[Diagnosis]:
    try:
        read()
        mode = file.stat().st_mode
    except SettingsError as wrong:
        for problem in wrong.problems:
            where = "" if str(file) in problem else f"{file}: "
            remedy = AS_ROOT if DENIED in problem else "correct it and start the program"
            yield failed(CONFIGURATION, f"{where}{problem}", remedy)
        return
    except (OSError, ValueError) as fault:
        yield failed(CONFIGURATION, f"{file}: {fault}")
        return
    if mode & _OTHERS:
        yield warning(CONFIGURATION, f"{file} can be written by others", f"chmod go-w {file}")
    else:
        yield ok(CONFIGURATION, f"{file} is valid")
