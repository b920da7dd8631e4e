"""The folder of `finial up`: what lies where, and whether it is safe to use."""

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from finial.runtime.files import UnsafePath, owned_directory, private_directory
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.unix_socket import LONGEST_PATH


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one folder, which the settings' defaults share."""

    root: Path

    @property
    def bundle(self) -> Path:
        """The server's CA certificates in PEM."""
        return self.root / "bundle.pem"

    @property
    def workload_socket(self) -> Path:
        """The Workload API, alone in its folder because that folder is what containers mount."""
        return self.root / "workload" / "workload.sock"

    @property
    def agent_socket(self) -> Path:
        """The agent's operator API."""
        return self.root / "agent.sock"

    @property
    def private(self) -> Path:
        """What nobody else may enter."""
        return self.root / "private"

    @property
    def admin_socket(self) -> Path:
        """The server's REST API."""
        return self.private / "admin.sock"

    @property
    def server_socket(self) -> Path:
        """The server's gRPC API."""
        return self.private / "server.sock"

    @property
    def node(self) -> Path:
        """The CA by which our agent proves its node, and the node's certificate."""
        return self.private / "node"

    @property
    def server_config(self) -> Path:
        """The server's configuration, written at each start."""
        return self.private / "ca.toml"

    @property
    def agent_config(self) -> Path:
        """The agent's configuration, written at each start."""
        return self.private / "agent.toml"


def prepare(directory: Path) -> Layout:
    """Make the folder, or judge the one that is there.

    Raises: Refusal of kind PRECONDITION with the reason why it is unsafe.
    """
    layout = Layout(directory.absolute())
    for path in (layout.workload_socket, layout.server_socket, layout.admin_socket):
        if len(str(path).encode()) > LONGEST_PATH:
            raise Refusal(
                Kind.PRECONDITION,
                f"the socket's path {path} would be longer than {LONGEST_PATH} bytes",
                remedy="choose a shorter --dir, such as /tmp/finial",
            )
    try:
        layout.root.parent.mkdir(parents=True, exist_ok=True)
        _open_if_empty(layout.root)
        owned_directory(layout.root)
        owned_directory(layout.workload_socket.parent)
        private_directory(layout.private)
        private_directory(layout.node)
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.PRECONDITION, f"{unsafe.path} {unsafe.fault}", remedy=unsafe.remedy
        ) from None
    except OSError as fault:
        raise Refusal(Kind.PRECONDITION, f"{fault.filename}: {fault.strerror}") from None
    return layout


def lock(layout: Layout) -> int:
    """Keep a second `finial up` out for as long as the descriptor that is returned is open.

    Raises: Refusal of kind PRECONDITION.
    """
    held = os.open(layout.private / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise Refusal(
            Kind.PRECONDITION,
            f"another finial up runs in {layout.root}",
            remedy="stop it, or choose another --dir",
        ) from None
    return held


def _open_if_empty(root: Path) -> None:
    # A folder fresh from `mktemp -d` is 0700, and no other user's workload could reach its socket.
    try:
        found = root.lstat()
    except FileNotFoundError:
        return
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if is_ours and stat.S_IMODE(found.st_mode) == 0o700 and not any(root.iterdir()):
        root.chmod(0o755)
