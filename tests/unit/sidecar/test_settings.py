"""What a sidecar's file may say."""

import os
from pathlib import Path
from signal import SIGHUP, SIGUSR1, SIGUSR2
from typing import Any

import pytest

from cli.sidecar.settings import Settings, read_settings
from finial.runtime.settings import SettingsError, load

ROOT = Path(__file__).parents[3]


def read(**svid: Any) -> Settings:
    return load(Settings, {"svid": [{"folder": "/x", **svid}]}, "")


def problem(**svid: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**svid)
    return "\n".join(caught.value.problems)


def test_a_folder_is_enough() -> None:
    """Everything else has a default: the first SVID, our own files, a key for us alone."""
    [svid] = read().svid
    assert (svid.owner_id(), svid.group_id()) == (os.geteuid(), os.getegid())
    assert (svid.mode, svid.key_mode, svid.crl, svid.when_denied) == (
        "0644",
        "0600",
        "auto",
        "keep",
    )
    assert svid.process_file is None


@pytest.mark.parametrize("mode", ["0644", "0604", "0660", "0700", "777", "4600", "rw", "", "0240"])
def test_a_key_is_never_for_everybody(mode: str) -> None:
    """Modes that let others read a key, anybody but the owner write it, or anybody run it."""
    assert "a key is nobody else's to read" in problem(key_mode=mode)


@pytest.mark.parametrize("mode", ["0666", "0664", "0755", "x"])
def test_nobody_else_writes_a_file(mode: str) -> None:
    """Modes that let others write, or anybody run, are refused."""
    assert "nobody but the owner writes" in problem(mode=mode)


@pytest.mark.parametrize("folder", ["x", "/a b", "/a'b", "/a;b", "/a/../b", "/a\nb", "/ä"])
def test_a_folder_has_a_plain_path(folder: str) -> None:
    """Its path is written into three programs' configurations, so nothing in it needs quoting."""
    assert "absolute path" in problem(folder=folder)


def test_each_program_has_its_own_signal() -> None:
    """HAProxy's master takes SIGUSR2, the others SIGHUP; a file may say otherwise."""
    assert read(program="nginx").svid[0].signal_number == SIGHUP
    assert read(program="haproxy").svid[0].signal_number == SIGUSR2
    assert read(program="postgresql", pid_file="/p").svid[0].signal_number == SIGHUP
    assert read(pid_file="/p", signal="USR1").svid[0].signal_number == SIGUSR1
    assert read(program="nginx").svid[0].process_file == Path("/run/nginx.pid")
    assert read(program="nginx", command=["/bin/true"]).svid[0].process_file is None


@pytest.mark.parametrize(
    ("svid", "said"),
    [
        ({"command": ["true"]}, "absolute path of a program"),
        ({"command": ["/bin/true"], "pid_file": "/p"}, "either command or pid_file"),
        ({"signal": "HUP"}, "signal needs pid_file"),
        ({"signal": "KILL", "pid_file": "/p"}, "must be HUP, USR1 or USR2"),
        ({"program": "postgresql"}, "needs pid_file"),
        ({"program": "apache"}, "must be one of"),
        ({"owner": "nobody-of-that-name"}, "there is no user"),
        ({"group": "nobody-of-that-name"}, "there is no group"),
        ({"spiffe_id": "example.org/web"}, "is no SPIFFE ID"),
        ({"crl": "maybe"}, "must be one of"),
        ({"fodler": "/x"}, "did you mean folder"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(svid: dict[str, Any], said: str) -> None:
    """Each mistake has a sentence of its own."""
    assert said in problem(**svid)


def test_a_file_without_folders_does_nothing(tmp_path: Path) -> None:
    """A sidecar that would write nothing is a mistake, and so are two for one folder."""
    (tmp_path / "s.toml").write_text("[sidecar]\n")
    with pytest.raises(SettingsError, match="nothing to do"):
        read_settings(tmp_path / "s.toml")
    with pytest.raises(SettingsError, match="two"):
        load(Settings, {"svid": [{"folder": "/x"}, {"folder": "/x"}]}, "")


def test_the_example_can_be_read(tmp_path: Path) -> None:
    """It has one folder for each of the three programs, and one for any other."""
    text = (ROOT / "examples" / "files" / "sidecar.toml").read_text()
    text = text.replace('"postgres"', '""').replace('"www-data"', '""')
    (tmp_path / "s.toml").write_text(text)
    programs = [each.program for each in read_settings(tmp_path / "s.toml").svid]
    assert programs == ["nginx", "haproxy", "postgresql", "none"]
