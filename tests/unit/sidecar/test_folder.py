"""Sets of files that are replaced as one."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.sidecar.folder import SetFolder
from cli.sidecar.rendering import PLACE, Rendered
from cli.sidecar.settings import SvidFiles
from finial.runtime.files import UnsafePath

ONE = {"svid.pem": Rendered(b"one " + PLACE), "svid.key": Rendered(b"key one", is_secret=True)}
TWO = {"svid.pem": Rendered(b"two " + PLACE), "svid.key": Rendered(b"key two", is_secret=True)}
THREE = {"svid.pem": Rendered(b"three"), "svid.key": Rendered(b"key three", is_secret=True)}


class Made(SetFolder):
    """A folder whose sets are numbered."""

    def __init__(self, path: Path, **wanted: Any) -> None:
        numbers = iter(range(100))
        super().__init__(SvidFiles(path, **wanted), lambda: str(next(numbers)))


def sets(path: Path) -> list[str]:
    return sorted(each.name for each in path.glob(".set-*"))


def test_files_appear_under_their_names(tmp_path: Path) -> None:
    """Programs read `svid.pem`; a file may name the folder of its own set."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    assert (tmp_path / "f" / "svid.pem").read_bytes() == f"one {tmp_path}/f/.set-0".encode()
    assert folder.read() == {name: each.content for name, each in ONE.items()}


def test_one_rename_replaces_every_file(tmp_path: Path) -> None:
    """Names lead through `current`, so that no reader finds a new key beside an old certificate."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    links = {name: os.readlink(tmp_path / "f" / name) for name in ONE}
    folder.replace(TWO)
    assert links == {name: f"current/{name}" for name in ONE}
    assert os.readlink(tmp_path / "f" / "current") == ".set-1"
    assert (tmp_path / "f" / "svid.key").read_bytes() == b"key two"


def test_the_set_before_stays_for_whoever_reads_it(tmp_path: Path) -> None:
    """A program that is reading the former set finishes with it; older ones are gone."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    for each in (ONE, TWO, THREE):
        folder.replace(each)
    assert sets(tmp_path / "f") == [".set-1", ".set-2"]


def test_a_file_that_is_no_longer_of_the_set_goes(tmp_path: Path) -> None:
    """The bundle of a trust domain that is no longer federated leads nobody astray."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace({**ONE, "bundle.other.org.pem": Rendered(b"other")})
    folder.replace(TWO)
    assert not (tmp_path / "f" / "bundle.other.org.pem").is_symlink()


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    """Keys have their own mode, and it is exactly the one that was asked for."""
    folder = Made(tmp_path / "f", mode="0644", key_mode="0440")
    former = os.umask(0)
    try:
        folder.prepare()
        folder.replace(ONE)
    finally:
        os.umask(former)
    modes = {name: stat.S_IMODE((tmp_path / "f" / "current" / name).stat().st_mode) for name in ONE}
    assert modes == {"svid.pem": 0o644, "svid.key": 0o440}
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o755


@pytest.mark.root
def test_files_belong_to_whom_they_are_for(tmp_path: Path) -> None:
    """The owner gets the files, and neither the set nor the folder."""
    tmp_path.chmod(0o755)
    folder = Made(tmp_path / "f", owner="41001", group="41002")
    folder.prepare()
    folder.replace(ONE)
    key = (tmp_path / "f" / "svid.key").stat()
    assert (key.st_uid, key.st_gid) == (41001, 41002)
    for each in (tmp_path / "f", (tmp_path / "f" / "current").resolve()):
        assert each.stat().st_uid == 0


def test_a_crash_leaves_the_former_set(tmp_path: Path) -> None:
    """What was half-written is removed, and what was there is in use."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    (tmp_path / "f" / ".set-half").mkdir()
    (tmp_path / "f" / ".set-half" / "svid.pem").write_bytes(b"ha")
    (tmp_path / "f" / ".new-current").symlink_to(".set-half")
    again = Made(tmp_path / "f")
    again.prepare()
    assert again.read()["svid.key"] == b"key one"
    Made(tmp_path / "f")
    folder.replace(TWO)
    assert sets(tmp_path / "f") == [".set-0", ".set-1"]
    assert not (tmp_path / "f" / ".new-current").is_symlink()


@pytest.mark.parametrize("name", ["svid.pem", "svid.key", "current", "nginx.conf"])
@pytest.mark.parametrize("is_link", [True, False])
def test_what_was_there_before_is_not_replaced(tmp_path: Path, name: str, is_link: bool) -> None:
    """A file, or a link to elsewhere, under a name of ours was put there by somebody else."""
    (tmp_path / "f").mkdir()
    place, elsewhere = tmp_path / "f" / name, tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    if is_link:
        place.symlink_to(elsewhere)
    else:
        place.write_bytes(b"precious")
    folder = Made(tmp_path / "f", program="nginx")
    for attempt in (folder.check, lambda: folder.replace({**ONE, "nginx.conf": Rendered(b"x")})):
        with pytest.raises(UnsafePath, match="was there before"):
            attempt()
    assert elsewhere.read_bytes() == place.read_bytes() == b"precious"
    assert sets(tmp_path / "f") == []


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Whoever can change the link could have us write elsewhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "f").symlink_to(tmp_path / "real")
    folder = Made(tmp_path / "f")
    for attempt in (folder.check, folder.prepare, lambda: folder.replace(ONE)):
        with pytest.raises(UnsafePath, match="symbolic link"):
            attempt()


@pytest.mark.parametrize("which", ["f", "."])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, which: str) -> None:
    """Neither the folder nor one above it may be changed by others."""
    (tmp_path / "f").mkdir()
    (tmp_path / which).chmod(0o777)
    folder = Made(tmp_path / "f")
    for attempt in (folder.check, folder.prepare):
        with pytest.raises(UnsafePath, match="can be written by others"):
            attempt()


def test_a_way_that_leads_elsewhere_is_looked_at_there(tmp_path: Path) -> None:
    """A link of ours above the folder is followed, and where it leads nobody else may write."""
    (tmp_path / "there" / "inner").mkdir(parents=True)
    (tmp_path / "here").symlink_to(tmp_path / "there" / "inner")
    Made(tmp_path / "here" / "f").check()
    (tmp_path / "there").chmod(0o777)
    with pytest.raises(UnsafePath, match="there can be written by others"):
        Made(tmp_path / "here" / "f").check()


@pytest.mark.root
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner could put anything in the place of what we write."""
    (tmp_path / "f").mkdir()
    os.chown(tmp_path / "f", 41001, 41001)
    with pytest.raises(UnsafePath, match="41001"):
        Made(tmp_path / "f").check()
    with pytest.raises(UnsafePath, match="41001"):
        Made(tmp_path / "f" / "g").check()


def test_a_set_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """The last good set stays in use, and nothing of the other is left."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    with pytest.raises(OSError):
        folder.replace({**TWO, "no/such/folder": Rendered(b"")})
    assert folder.read()["svid.key"] == b"key one"
    assert sets(tmp_path / "f") == [".set-0"]


def test_a_set_that_cannot_be_shown_changes_nothing(tmp_path: Path) -> None:
    """A disk may be full when the names are made; `current` is moved when all of them are there."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    too_long = "bundle." + "x" * 245 + ".p"  # a file may be called so; its link is made as `.new-`
    with pytest.raises(OSError):
        folder.replace({**TWO, too_long: Rendered(b"")})
    assert folder.read()["svid.key"] == b"key one"
    assert sets(tmp_path / "f") == [".set-0"]


def test_a_set_is_shown_when_all_its_names_lead_to_it(tmp_path: Path) -> None:
    """Content alone is not enough: a name may be missing, or a file be somebody else's to read."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    folder.replace(ONE)
    assert folder.shows(ONE)
    assert not Made(tmp_path / "f", key_mode="0440").shows(ONE)
    (tmp_path / "f" / "svid.key").unlink()
    assert not folder.shows(ONE)


def test_everything_can_be_taken_away(tmp_path: Path) -> None:
    """Whoever lost the identity keeps no file of it; what is not ours stays."""
    folder = Made(tmp_path / "f")
    folder.prepare()
    (tmp_path / "f" / "README").write_bytes(b"mine")
    folder.replace(ONE)
    assert folder.clear()
    assert [each.name for each in (tmp_path / "f").iterdir()] == ["README"]
    assert folder.read() == {}
    assert not folder.clear()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """`--check` makes no folder."""
    Made(tmp_path / "f").check()
    assert not (tmp_path / "f").exists()
