"""What a sidecar is told: which SVID goes to which folder, whose it is, and what follows."""

import grp
import os
import pwd
import re
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Final, Literal

from finial.runtime.duration import Duration
from finial.runtime.settings import SettingsError, at_least, load, read_toml, setting
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Refusal

Program = Literal["none", "nginx", "haproxy", "postgresql"]
CrlUse = Literal["auto", "required", "off"]

# nginx, HAProxy and PostgreSQL each read the path in a syntax of their own.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._/-]*", re.ASCII)
_MODE: Final = re.compile(r"0?[0-7]{3}", re.ASCII)
_CAP_CHOWN: Final = 1 << 0
_PID_FILES: Final = {"nginx": Path("/run/nginx.pid"), "haproxy": Path("/run/haproxy.pid")}
_SIGNALS: Final = {"nginx": "HUP", "haproxy": "USR2", "postgresql": "HUP", "none": "HUP"}


def _plain_path(path: Path) -> str | None:
    text = str(path)
    if _PLAIN_PATH.fullmatch(text) and ".." not in path.parts:
        return None
    return "must be an absolute path of letters, digits, dots, dashes and underscores"


def _spiffe_id(text: str) -> str | None:
    try:
        if text:
            SpiffeId.parse(text)
    except Refusal as refusal:
        return f"is no SPIFFE ID: {refusal.detail}"
    return None


def _absolute(path: Path | None) -> str | None:
    return None if path is None or path.is_absolute() else "must be an absolute path"


def _public_mode(text: str) -> str | None:
    if _MODE.fullmatch(text) and not int(text, 8) & 0o133 and int(text, 8) & 0o400:
        return None
    return f"is {text[:20]!r}, it must be like 0644, 0640 or 0600: nobody but the owner writes"


def _key_mode(text: str) -> str | None:
    if _MODE.fullmatch(text) and not int(text, 8) & 0o137 and int(text, 8) & 0o400:
        return None
    return f"is {text[:20]!r}, it must be 0600, 0640, 0400 or 0440: a key is nobody else's to read"


def _signal(name: str) -> str | None:
    known = ("", "HUP", "USR1", "USR2")
    return None if name in known else f"is {name[:20]!r}, it must be HUP, USR1 or USR2"


def _program(command: tuple[str, ...]) -> str | None:
    if not command or command[0].startswith("/"):
        return None
    return "must begin with the absolute path of a program; there is no shell"


@dataclass(frozen=True, slots=True)
class SvidFiles:
    """One folder: which SVID is kept there, whose its files are, and what follows a rotation.

    Without `spiffe_id` and `hint` it is the first SVID, the default one. `owner` and `group` are
    names or numbers, ours where they are empty. `program` adds a file of its directives and says
    what is sent to the process that `pid_file` names; `command` takes the place of that.
    """

    folder: Path = setting(check=_plain_path)
    spiffe_id: str = setting("", check=_spiffe_id)
    hint: str = ""
    owner: str = ""
    group: str = ""
    mode: str = setting("0644", check=_public_mode)
    key_mode: str = setting("0600", check=_key_mode)
    program: Program = "none"
    crl: CrlUse = "auto"
    when_denied: Literal["keep", "remove"] = "keep"
    command: tuple[str, ...] = setting((), check=_program)
    pid_file: Path | None = setting(None, check=_absolute)
    signal: str = setting("", check=_signal)
    timeout: Duration = setting(10.0, check=at_least(1))

    def __post_init__(self) -> None:
        if self.command and (self.pid_file or self.signal):
            raise ValueError("give either command or pid_file and signal")
        if self.signal and not self.process_file:
            raise ValueError("signal needs pid_file, which names the process")
        if self.program == "postgresql" and not (self.command or self.pid_file):
            raise ValueError("postgresql needs pid_file (postmaster.pid in its data) or command")
        self.owner_id()
        self.group_id()

    @property
    def process_file(self) -> Path | None:
        """Where the process that is to be sent a signal is named."""
        return None if self.command else self.pid_file or _PID_FILES.get(self.program)

    @property
    def signal_number(self) -> Signals:
        """What is sent to it."""
        return Signals[f"SIG{self.signal or _SIGNALS[self.program]}"]

    def owner_id(self) -> int:
        """The uid of the files. Raises: ValueError."""
        if not self.owner:
            return os.geteuid()
        try:
            found = int(self.owner) if self.owner.isdecimal() else pwd.getpwnam(self.owner).pw_uid
        except KeyError:
            raise ValueError(f"owner: there is no user {self.owner!r}") from None
        if found != os.geteuid() and not _may_give_away():
            raise ValueError(f"owner: only root can give files to {self.owner!r}")
        return found

    def group_id(self) -> int:
        """The gid of the files. Raises: ValueError."""
        if not self.group:
            return os.getegid()
        try:
            found = int(self.group) if self.group.isdecimal() else grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ValueError(f"group: there is no group {self.group!r}") from None
        if found not in {os.getegid(), *os.getgroups()} and not _may_give_away():
            raise ValueError(f"group: only root, or a member, can give files to {self.group!r}")
        return found


@dataclass(frozen=True, slots=True)
class Sidecar:
    """How the sidecar itself behaves; without `workload_api`, SPIFFE_ENDPOINT_SOCKET says where."""

    workload_api: str = ""
    timeout: Duration = setting(5.0, check=at_least(0.1))
    retry_longest: Duration = setting(30.0, check=at_least(1))
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


@dataclass(frozen=True, slots=True)
class Settings:
    """The file of a sidecar: `[sidecar]`, and a `[[svid]]` for each folder."""

    svid: tuple[SvidFiles, ...]
    sidecar: Sidecar = field(default_factory=Sidecar)

    def __post_init__(self) -> None:
        if not self.svid:
            raise ValueError("there is no [[svid]], so there is nothing to do")
        folders = [each.folder for each in self.svid]
        twice = {str(each) for each in folders if folders.count(each) > 1}
        if twice:
            raise ValueError(f"two [[svid]] have the folder {', '.join(sorted(twice))}")


def read_settings(path: Path) -> Settings:
    """Read the file of a sidecar. Raises: SettingsError."""
    table = read_toml(path)
    if "svid" not in table:
        raise SettingsError(("there is no [[svid]], so there is nothing to do",))
    return load(Settings, table, "")


def _may_give_away() -> bool:
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_CHOWN)
    return os.geteuid() == 0
