"""Files that are whole or not there, and folders that only their owner can change."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from finial.runtime.files import (
    UnsafePath,
    owned_directory,
    private_directory,
    read_private,
    remove,
    sweep,
    write_private,
    write_public,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("write", "expected"), [(write_private, 0o600), (write_public, 0o644)])
def test_a_file_has_the_mode_of_its_purpose(
    tmp_path: Path, write: Callable[[Path, bytes], None], expected: int
) -> None:
    """A private file is 0600 and a public one 0644, whatever the umask and the former file say."""
    path = tmp_path / "file"
    path.write_bytes(b"former")
    path.chmod(0o666)
    write(path, b"content")
    assert path.read_bytes() == b"content"
    assert mode(path) == expected


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error names the file that was wanted and not the one that was to become it."""
    (tmp_path / "folder").mkdir()
    for path, fault in (
        (tmp_path / "nowhere" / "file", FileNotFoundError),
        (tmp_path / "folder", IsADirectoryError),
    ):
        with pytest.raises(fault) as failed:
            write_public(path, b"content")
        assert failed.value.filename == str(path)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Writing to a name that is a symbolic link leaves alone what it leads to."""
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_private(tmp_path / "link", b"content")
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "link").is_symlink()


def test_a_write_that_fails_leaves_the_former_file(tmp_path: Path) -> None:
    """If the new file cannot take its place, the former one stays and nothing is left over."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    with pytest.raises(OSError, match="folder"):
        write_private(tmp_path / "folder", b"content")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    """Half-written files are removed, and nothing else is."""
    for name in (".key.77.1.new", ".hidden", "key", "key.new"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".hidden", "key", "key.new"]


def test_a_private_folder_is_made(tmp_path: Path) -> None:
    """A folder for secrets is made 0700, and found good the next time."""
    for _ in range(2):
        assert mode(private_directory(tmp_path / "private")) == 0o700


def test_an_owned_folder_is_made_with_its_mode(tmp_path: Path) -> None:
    """A folder that others may enter is made with the mode asked for."""
    assert mode(owned_directory(tmp_path / "open", 0o755)) == 0o755
    assert mode(owned_directory(tmp_path / "open", 0o700)) == 0o755


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o750, 0o701])
def test_a_private_folder_open_to_others_is_unsafe(tmp_path: Path, bits: int) -> None:
    """A folder for secrets that others can enter is refused with the command that closes it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(bits)
    with pytest.raises(UnsafePath, match="chmod 700"):
        private_directory(tmp_path / "folder")


def test_a_folder_that_others_can_write_to_is_unsafe(tmp_path: Path) -> None:
    """A folder that others can write to is refused, also where they may look inside."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(0o775)
    with pytest.raises(UnsafePath, match="chmod 755"):
        owned_directory(tmp_path / "folder")


def test_a_link_is_no_folder(tmp_path: Path) -> None:
    """A symbolic link is refused even if what it leads to is a good folder."""
    private_directory(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UnsafePath, match="symbolic link"):
        private_directory(tmp_path / "link")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file where a folder belongs is refused."""
    (tmp_path / "file").touch()
    with pytest.raises(UnsafePath, match="not a folder"):
        private_directory(tmp_path / "file")


@pytest.mark.root
def test_what_belongs_to_someone_else_is_unsafe(tmp_path: Path) -> None:
    """A folder or a secret of another user is refused."""
    private_directory(tmp_path / "folder")
    write_private(tmp_path / "file", b"secret")
    for name in ("folder", "file"):
        os.chown(tmp_path / name, 12_345, 12_345)
    with pytest.raises(UnsafePath, match="belongs to uid 12345"):
        private_directory(tmp_path / "folder")
    with pytest.raises(UnsafePath, match="belongs to uid 12345"):
        read_private(tmp_path / "file")


def test_a_secret_is_read_only_if_it_is_one(tmp_path: Path) -> None:
    """A secret that others could read, or that is a link, is refused; a missing one is nothing."""
    path = tmp_path / "secret"
    assert read_private(path) is None
    write_private(path, b"secret")
    assert read_private(path) == b"secret"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(UnsafePath, match="symbolic link"):
        read_private(tmp_path / "link")
    path.chmod(0o640)
    with pytest.raises(UnsafePath, match="chmod 600"):
        read_private(path)
    with pytest.raises(OSError, match="Not a directory"):
        read_private(path / "below")


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    """A file that does not exist any more is gone, which is what was wanted."""
    write_private(tmp_path / "file", b"")
    for _ in range(2):
        remove(tmp_path / "file")
    assert not (tmp_path / "file").exists()
