"""The folders that the server stands on, and what it finds there."""

from pathlib import Path

from ca.settings import Server
from finial.runtime.entropy import Entropy
from finial.runtime.files import (
    UnsafePath,
    owned_directory,
    private_directory,
    read_private,
    sweep,
    write_private,
)
from finial.spiffe.refusal import Kind, Refusal


def prepare_directories(server: Server) -> None:
    """Make the server's folders, or make sure that nobody else can write to them.

    Raises: Refusal of kind PRECONDITION.
    """
    try:
        server.data_dir.parent.mkdir(parents=True, exist_ok=True)
        owned_directory(server.data_dir)
        private_directory(server.private_dir)
        private_directory(server.private_dir / "database")
        sweep(server.private_dir)
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.PRECONDITION,
            f"the folder {unsafe.path} {unsafe.fault}",
            field="data_dir",
            value=str(unsafe.path),
            remedy=unsafe.remedy,
        ) from unsafe
    except OSError as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the data directory cannot be used: {error}",
            field="data_dir",
            value=str(server.data_dir),
            remedy="run as a user who may write there, or name another folder as data_dir",
        ) from error


def own_server_id(private_dir: Path, entropy: Entropy) -> str:
    """Return the name by which this server finds its own authorities, made at the first start.

    Raises: Refusal of kind UNAVAILABLE.
    """
    path = private_dir / "server-id"
    try:
        if found := read_private(path):
            return found.decode("ascii").strip()
        server_id = entropy.uuid()
        write_private(path, server_id.encode())
    except (OSError, UnsafePath, UnicodeDecodeError) as error:
        raise Refusal(Kind.UNAVAILABLE, f"{path} cannot be used: {error}") from error
    return server_id
