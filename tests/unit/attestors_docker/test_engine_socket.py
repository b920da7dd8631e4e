"""Only an engine whose socket nobody else could have put there is believed."""

import os
import socket
from pathlib import Path

import pytest

from attestors.workload.docker.engine_socket import Untrusted, judge_listener, judge_path

OURS = {0, os.geteuid()}
SOMEBODY = 61_234


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose whole path is ours, as pytest makes it."""
    made = tmp_path / "run"
    made.mkdir(mode=0o755)
    return made


def listen(path: Path) -> socket.socket:
    # The paths of tests are long, and a socket's is short.
    here = os.open(path.parent, os.O_RDONLY)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{here}/{path.name}")
        listener.listen()
    finally:
        os.close(here)
    return listener


def test_our_own_socket_in_our_own_folders_is_trusted(folder: Path) -> None:
    """Nothing is said about it."""
    with listen(folder / "engine.sock"):
        judge_path(str(folder / "engine.sock"), OURS)


def test_a_link_is_followed_and_judged(folder: Path) -> None:
    """/var/run is a link on most machines; where it leads counts."""
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real/../real")
    with listen(folder / "real/engine.sock"):
        judge_path(str(folder / "link/engine.sock"), OURS)
        (folder / "absolute").symlink_to(folder / "real/engine.sock")
        judge_path(f"{folder}/./absolute", OURS)


def test_a_folder_that_others_write_to_is_not_trusted(folder: Path) -> None:
    """Whoever writes to a folder replaces what is in it."""
    (folder / "open").mkdir()
    for mode in (0o777, 0o775, 0o757):
        (folder / "open").chmod(mode)
        with pytest.raises(Untrusted, match="others than its owner may write to"):
            judge_path(str(folder / "open/engine.sock"), OURS)


def test_a_sticky_folder_protects_what_we_own(folder: Path) -> None:
    """In a folder like /tmp nobody moves what belongs to another."""
    (folder / "sticky").mkdir()
    (folder / "sticky").chmod(0o1777)
    with listen(folder / "sticky/engine.sock"):
        judge_path(str(folder / "sticky/engine.sock"), OURS)


def test_what_is_no_socket_is_not_dialled(folder: Path) -> None:
    """Neither a file nor a folder nor a path through a file."""
    (folder / "file").write_text("")
    for path in ("file", "file/engine.sock", ""):
        with pytest.raises(Untrusted):
            judge_path(str(folder / path), OURS)
    with pytest.raises(FileNotFoundError):
        judge_path(str(folder / "nothing"), OURS)


def test_links_that_never_end_are_given_up(folder: Path) -> None:
    """A loop is no socket."""
    (folder / "loop").symlink_to("loop")
    with pytest.raises(Untrusted, match="leads to no socket"):
        judge_path(str(folder / "loop"), OURS)


@pytest.mark.root
def test_what_belongs_to_somebody_else_is_not_trusted(folder: Path) -> None:
    """spiffe/spire 7293: the workload's user owns the socket, its folder or a link to it."""
    (folder / "theirs").mkdir()
    with listen(folder / "engine.sock"), listen(folder / "theirs/engine.sock"):
        (folder / "link").symlink_to("engine.sock")
        os.chown(folder / "link", SOMEBODY, SOMEBODY, follow_symlinks=False)
        os.chown(folder / "theirs", SOMEBODY, SOMEBODY)
        for path in ("link", "theirs/engine.sock"):
            with pytest.raises(Untrusted, match=f"belongs to uid {SOMEBODY}, not to root"):
                judge_path(str(folder / path), OURS)
            judge_path(str(folder / path), OURS | {SOMEBODY})
        os.chown(folder / "engine.sock", SOMEBODY, SOMEBODY)
        with pytest.raises(Untrusted):
            judge_path(str(folder / "engine.sock"), OURS)


def test_who_listens_is_asked_of_the_kernel(folder: Path) -> None:
    """A path may change between looking and dialling: whoever opened the socket is judged."""
    with listen(folder / "engine.sock") as listener, socket.socket(socket.AF_UNIX) as caller:
        here = os.open(folder, os.O_RDONLY)
        caller.connect(f"/proc/self/fd/{here}/engine.sock")
        os.close(here)
        judge_listener(caller.fileno(), {os.geteuid()})
        with pytest.raises(Untrusted, match="was opened by uid"):
            judge_listener(caller.fileno(), {SOMEBODY})
        caller.getpeername()
        assert listener.fileno() > 0
