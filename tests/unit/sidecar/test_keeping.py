"""One folder that follows what the Workload API gives."""

import asyncio
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.sidecar.keeping import Denied, Keeper
from cli.sidecar.settings import SvidFiles
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import StandingClock
from tests.doubles.entropy import RepeatingEntropy
from tests.doubles.workload_api import answer, revoking

CA, SUCCESSOR = SmallCa(), SmallCa()
EMPTY = revoking(CA)


class Kept:
    """A keeper, and what lies in its folder."""

    def __init__(self, tmp_path: Path, seed: str = "", **wanted: Any) -> None:
        self.folder = tmp_path / "f"
        if wanted.get("program", "none") != "none":
            wanted.setdefault("pid_file", tmp_path / "missing.pid")
        self.keeper = Keeper(
            SvidFiles(self.folder, **wanted), StandingClock(), RepeatingEntropy(seed)
        )
        self.keeper.prepare()

    def take(self, *given: Any, **changes: Any) -> None:
        made = given[0] if given else answer(CA.workload("/web"), authorities=[CA], **changes)
        asyncio.run(self.keeper.take(made))

    def refuses(self, given: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.take(given)
        return caught.value

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def test_what_is_new_is_written_and_what_is_not_stays(tmp_path: Path) -> None:
    """The same answer again, after the agent started anew, replaces nothing and tells nobody."""
    log = tmp_path / "log"
    log.touch()
    tmp_path.joinpath("say").write_text(f"#!/bin/sh\necho >> {log}\n")
    tmp_path.joinpath("say").chmod(0o700)
    kept = Kept(tmp_path, command=(str(tmp_path / "say"),))
    given = answer(CA.workload("/web"), authorities=[CA])
    for _ in range(3):
        kept.take(given)
    assert log.read_text() == "\n"
    kept.take()
    assert log.read_text() == "\n\n"


def test_a_run_that_was_stopped_midway_is_completed(tmp_path: Path) -> None:
    """After a kill or a full disk the same answer makes the names that are still missing."""
    given = answer(CA.workload("/web"), authorities=[CA])
    Kept(tmp_path).take(given)
    (tmp_path / "f" / "svid.pem").unlink()
    kept = Kept(tmp_path, "second run")
    kept.take(given)
    assert b"BEGIN CERTIFICATE" in kept.read("svid.pem")


def test_another_mode_is_met_at_once(tmp_path: Path) -> None:
    """What the operator changed does not wait for the next rotation."""
    given = answer(CA.workload("/web"), authorities=[CA])
    Kept(tmp_path, key_mode="0640").take(given)
    kept = Kept(tmp_path, "second run", key_mode="0600")
    kept.take(given)
    assert stat.S_IMODE((kept.folder / "svid.key").stat().st_mode) == 0o600


def test_a_program_that_could_not_be_told_is_told_again(tmp_path: Path) -> None:
    """The set is written once; the telling is tried until it succeeds."""
    script = f"test -e {tmp_path}/well"
    kept = Kept(tmp_path, command=("/bin/sh", "-c", script))
    given = answer(CA.workload("/web"), authorities=[CA])
    assert kept.refuses(given).kind is Kind.PRECONDITION
    current = (kept.folder / "current").resolve()
    (tmp_path / "well").touch()
    kept.take(given)
    assert (kept.folder / "current").resolve() == current


def test_a_bad_answer_leaves_the_last_good_set(tmp_path: Path) -> None:
    """Nothing is replaced by a key that does not fit."""
    kept = Kept(tmp_path)
    kept.take()
    before = kept.read("svid.pem"), kept.read("svid.key")
    bad = answer(CA.workload("/web"), authorities=[CA])
    bad.svids[0].x509_svid_key = CA.workload("/web").key_pkcs8
    assert kept.refuses(bad).kind is Kind.INVALID
    assert (kept.read("svid.pem"), kept.read("svid.key")) == before


@pytest.mark.parametrize(
    ("program", "file", "sign"),
    [
        ("nginx", "nginx.conf", b"ssl_crl "),
        ("haproxy", "haproxy.crt-list", b"crl-file "),
        ("postgresql", "postgresql.conf", b"ssl_crl_file = '/"),
    ],
)
def test_lists_are_used_when_each_authority_has_one(
    tmp_path: Path, program: str, file: str, sign: bytes
) -> None:
    """All three refuse everybody whose authority has no list, and start with no empty file."""
    kept = Kept(tmp_path, program=program)
    kept.take()
    assert kept.read("crl.pem") == b""
    assert sign not in kept.read(file)
    kept.take(answer(CA.workload("/web"), authorities=[CA, SUCCESSOR], crls=[EMPTY]))
    assert sign not in kept.read(file)
    kept.take(crls=[EMPTY])
    assert sign in kept.read(file)


def test_the_end_of_what_is_there_is_known_from_the_start(tmp_path: Path) -> None:
    """Also while the agent is away it is said when the SVID of a former run ends."""
    first = Kept(tmp_path)
    assert first.keeper.ends == 0
    first.take()
    assert Kept(tmp_path, "second run").keeper.ends == first.keeper.ends > 0


def test_lists_stay_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new authority whose list is late does not let those back in who were revoked."""
    kept = Kept(tmp_path, program="nginx")
    kept.take(crls=[EMPTY])
    kept.take(answer(CA.workload("/web"), authorities=[CA, SUCCESSOR], crls=[EMPTY]))
    assert b"ssl_crl" in kept.read("nginx.conf")
    assert "so its certificates are refused" in caplog.text


def test_a_program_that_was_told_to_look_is_asked_after_a_restart(tmp_path: Path) -> None:
    """That lists are in use is read from the folder."""
    Kept(tmp_path, program="nginx").take(crls=[EMPTY])
    kept = Kept(tmp_path, "second run", program="nginx")
    kept.take(answer(CA.workload("/web"), authorities=[CA, SUCCESSOR], crls=[EMPTY]))
    assert b"ssl_crl" in kept.read("nginx.conf")


def test_without_any_list_nobody_looks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty file would stop all three, so they are told to go on without, and it is said."""
    kept = Kept(tmp_path, program="nginx")
    kept.take(crls=[EMPTY])
    kept.take()
    assert b"ssl_crl" not in kept.read("nginx.conf")
    assert "no longer told apart" in caplog.text


def test_lists_can_be_required(tmp_path: Path) -> None:
    """Without one for each authority the last good set stays."""
    kept = Kept(tmp_path, program="nginx", crl="required")
    kept.take(crls=[EMPTY])
    before = kept.read("svid.pem")
    late = answer(CA.workload("/web"), authorities=[CA, SUCCESSOR], crls=[EMPTY])
    assert "no revocation list of" in kept.refuses(late).detail
    assert (
        "no revocation list of"
        in kept.refuses(answer(CA.workload("/web"), authorities=[CA])).detail
    )
    assert kept.read("svid.pem") == before


def test_lists_can_be_off(tmp_path: Path) -> None:
    """The file is there, and no program is told to look at it."""
    kept = Kept(tmp_path, program="nginx", crl="off")
    kept.take(crls=[EMPTY])
    assert b"ssl_crl" not in kept.read("nginx.conf")
    assert b"X509 CRL" in kept.read("crl.pem")


DENIED = Denied(Refusal(Kind.DENIED, "no identity issued"))


def test_an_identity_that_was_lost_is_kept_or_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator chooses; either is said aloud (WAPI-28)."""
    (tmp_path / "a").mkdir()
    kept = Kept(tmp_path / "a")
    kept.take()
    with caplog.at_level(logging.ERROR):
        kept.take(DENIED)
    assert "no identity issued; what is there is kept, good until" in caplog.text
    assert kept.read("svid.key")
    (tmp_path / "b").mkdir()
    kept = Kept(tmp_path / "b", when_denied="remove")
    kept.take()
    kept.take(DENIED)
    assert "the files were removed" in caplog.text
    assert list(kept.folder.iterdir()) == []
    kept.take()
    assert kept.read("svid.key")


def test_another_identity_is_not_taken_instead(tmp_path: Path) -> None:
    """Of several SVIDs the one that was asked for, or none."""
    kept = Kept(tmp_path, spiffe_id="spiffe://example.org/web", when_denied="remove")
    kept.take()
    refusal = kept.refuses(answer(CA.workload("/db"), authorities=[CA]))
    assert refusal.kind is Kind.NOT_FOUND
    assert list(kept.folder.iterdir()) == []


def test_a_folder_that_became_unsafe_is_not_written(tmp_path: Path) -> None:
    """What is checked at the start is checked again each time."""
    kept = Kept(tmp_path)
    kept.folder.chmod(0o777)
    assert (
        "can be written by others"
        in kept.refuses(answer(CA.workload("/web"), authorities=[CA])).detail
    )
    assert list(kept.folder.iterdir()) == []


def test_looking_finds_what_would_fail(tmp_path: Path) -> None:
    """`--check` names a folder and a command that cannot be used."""
    clock, entropy = StandingClock(), RepeatingEntropy()
    Keeper(SvidFiles(tmp_path / "f", command=("/bin/true",)), clock, entropy).check()
    for wanted in (
        SvidFiles(tmp_path / "f", command=("/bin/no-such-program",)),
        SvidFiles(tmp_path / "missing" / "f"),
    ):
        with pytest.raises(Refusal):
            Keeper(wanted, clock, entropy).check()
