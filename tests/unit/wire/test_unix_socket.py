"""Unix sockets take nobody's place."""

import socket
import stat
from pathlib import Path

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.unix_socket import bind_unix


def refused(path: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        bind_unix(path, 0o600)
    return caught.value


def test_a_dead_socket_makes_room(tmp_path: Path) -> None:
    """The path of one who listens no more is taken over, with exactly the mode asked for."""
    path = tmp_path / "s"
    bind_unix(path, 0o600).socket.close()
    bound = bind_unix(path, 0o666)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    bound.remove()
    assert not path.exists()
    bound.remove()
    bound.socket.close()


def test_a_busy_server_was_taken_for_a_dead_one(tmp_path: Path) -> None:
    """One whose queue of connections is full answers "again", and keeps its socket."""
    path = tmp_path / "s"
    bound = bind_unix(path, 0o600)
    bound.socket.listen(0)
    waiting = []
    while True:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setblocking(False)
        waiting.append(client)
        if client.connect_ex(str(path)):
            break
    assert refused(path).kind is Kind.EXISTS
    assert path.stat().st_ino == bound.inode
    for each in (*waiting, bound.socket):
        each.close()


def test_files_and_links_stay(tmp_path: Path) -> None:
    """Whatever else stands at the path, a link to a dead socket too, is left alone."""
    path = tmp_path / "s"
    path.write_text("precious")
    assert refused(path).kind is Kind.EXISTS
    path.unlink()
    bind_unix(tmp_path / "dead", 0o600).socket.close()
    path.symlink_to(tmp_path / "dead")
    assert refused(path).kind is Kind.EXISTS
    assert path.is_symlink()


def test_the_socket_of_a_successor_stays(tmp_path: Path) -> None:
    """Whoever stops removes its own socket, not that of who has come in its place."""
    path = tmp_path / "s"
    former = bind_unix(path, 0o600)
    former.socket.close()
    keeps_the_inode = path.rename(tmp_path / "former")
    successor = bind_unix(path, 0o600)
    former.remove()
    assert (path.exists(), keeps_the_inode.exists()) == (True, True)
    successor.socket.close()


def test_a_path_beyond_the_kernels_bound_is_refused(tmp_path: Path) -> None:
    """Its length is named, where the kernel's own error would say nothing useful."""
    assert refused(tmp_path / ("x" * 108)).kind is Kind.INVALID
