"""The plugin keeps every attestor's promises, and its own."""

import asyncio
import os
from pathlib import Path

import finial_netns
import pytest

from attestors.contract import Attested, Failed, Finding, NotApplicable, Process, WorkloadAttestor
from attestors.testing import WorkloadAttestorSuite


def attested(folder: Path, proc: str) -> Finding:
    made = finial_netns.create(finial_netns.Settings(str(folder)))
    return asyncio.run(made.attest(Process(os.getpid(), os.geteuid(), os.getegid(), proc), 1e9))


class TestNetns(WorkloadAttestorSuite):
    """What is promised of every attestor: the suite comes with finial."""

    @pytest.fixture(autouse=True)
    def blue(self, tmp_path: Path) -> None:
        (tmp_path / "blue").symlink_to(f"/proc/{os.getpid()}/ns/net")
        self.folder = tmp_path

    def attestor(self) -> WorkloadAttestor:
        return finial_netns.create(finial_netns.Settings(str(self.folder)))

    def test_a_namespace_has_its_name(self) -> None:
        found = attested(self.folder, "/proc/self")
        assert isinstance(found, Attested)
        assert [str(each) for each in found.selectors] == ["netns:name:blue"]


def test_a_namespace_without_a_name_is_none(tmp_path: Path) -> None:
    assert isinstance(attested(tmp_path, "/proc/self"), NotApplicable)
    assert isinstance(attested(tmp_path / "missing", "/proc/self"), NotApplicable)


def test_a_name_that_no_selector_can_have_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "dark blue").symlink_to("/proc/self/ns/net")
    found = attested(tmp_path, "/proc/self")
    assert isinstance(found, Attested)
    assert found.selectors == ()


def test_a_process_that_is_gone_fails(tmp_path: Path) -> None:
    assert isinstance(attested(tmp_path, str(tmp_path)), Failed)
