"""Keeps one folder as the Workload API has it."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from cli.printing import instant, plain
from cli.sidecar.folder import SetFolder
from cli.sidecar.material import Material, choose, ends_at, judge
from cli.sidecar.rendering import CERTIFICATE, DIRECTIVES, Rendered, has_crl, render
from cli.sidecar.settings import SvidFiles
from cli.sidecar.telling import judge_command, tell
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.runtime.files import UnsafePath
from finial.spiffe.refusal import Kind, Refusal

_log = logging.getLogger("finial.sidecar")


@dataclass(frozen=True, slots=True)
class Denied:
    """The Workload API gives us nothing, and says so."""

    refusal: Refusal


class Keeper:
    """Writes what is new to its folder and has the program read it, in this order.

    Nothing is replaced by what was not judged; what was written stays until something better comes.
    """

    def __init__(self, wanted: SvidFiles, clock: Clock, entropy: Entropy) -> None:
        self._wanted = wanted
        self._clock = clock
        self._folder = SetFolder(wanted, lambda: entropy.bytes(6).hex())
        self._is_told = False
        self._ends = 0.0

    @property
    def name(self) -> str:
        """What this is called in log lines."""
        return str(self._wanted.folder)

    @property
    def ends(self) -> float:
        """When the SVID on the disk ends, in Unix seconds; 0 if there is none of ours."""
        return self._ends

    def check(self) -> None:
        """Say whether this could work, and change nothing. Raises: Refusal PRECONDITION."""
        try:
            self._folder.check()
        except (UnsafePath, OSError) as fault:
            raise _unusable(fault) from None
        judge_command(self._wanted.command)

    def prepare(self) -> None:
        """Make the folder. Raises: Refusal of kind PRECONDITION."""
        try:
            self._folder.prepare()
            self._ends = ends_at(self._folder.read().get(CERTIFICATE, b""))
        except (UnsafePath, OSError) as fault:
            raise _unusable(fault) from None
        judge_command(self._wanted.command)

    async def take(self, answer: Any) -> None:
        """Follow an answer of the Workload API, or its refusal.

        Raises: Refusal; then the last good set is still there.
        """
        if isinstance(answer, Denied):
            await self._lose(answer.refusal)
            return
        try:
            chosen = choose(answer, self._wanted.spiffe_id, self._wanted.hint)
        except Refusal as refusal:
            await self._lose(refusal)
            raise
        material = judge(answer, chosen, self._clock.now())
        try:
            if await asyncio.to_thread(self._write, material):
                self._is_told = False
        except (UnsafePath, OSError) as fault:
            raise _unusable(fault) from None
        self._ends = material.svid.not_after
        await self._tell()

    async def _tell(self) -> None:
        """Tell the program once of each set, and once when we start, as long as it takes."""
        if self._is_told:
            return
        done = await tell(self._wanted, self._clock)
        self._is_told = True
        if done:
            _log.info("%s: %s", self.name, done)

    def _write(self, material: Material) -> bool:
        before = self._folder.read()
        program = self._wanted.program
        looks = has_crl(program, before.get(DIRECTIVES.get(program, ""), b""))
        files = render(material, program, with_crl=self._use_crl(material, looks))
        is_known = {name: each.content for name, each in files.items()} == before
        if is_known and self._folder.shows(files):
            _log.debug("%s: nothing is new", self.name)
            return False
        self._folder.replace(files)
        self._say(material, files)
        return True

    def _use_crl(self, material: Material, looks: bool) -> bool:
        """Whether the program is to look at the lists.

        All three refuse everybody whose authority has no list, so they are told to look when each
        has one. Once they look they go on: else a blocked certificate would be accepted again.
        """
        if self._wanted.crl == "off" or (not material.crls and self._wanted.crl == "auto"):
            if looks:
                _log.warning("%s: revoked certificates are no longer told apart", self.name)
            return False
        lacking = "; ".join(material.without_crl)
        if lacking and self._wanted.crl == "required":
            raise Refusal(Kind.PRECONDITION, f"there is no revocation list of {lacking}")
        if lacking and looks:
            _log.warning("%s: no list of %s, so its certificates are refused", self.name, lacking)
        return looks or not lacking

    def _say(self, material: Material, files: dict[str, Rendered]) -> None:
        svid = material.svid
        _log.info(
            "%s: wrote %s, serial %d, until %s; authorities: %d, revocation lists: %d%s",
            self.name,
            svid.id,
            svid.serial,
            instant(svid.not_after),
            len(material.authorities),
            len(material.crls),
            f"; for {self._wanted.program}" if self._wanted.program in DIRECTIVES else "",
        )
        for each in material.left_out:
            _log.warning("%s: the bundle of %s; it is left out", self.name, plain(each))

    async def _lose(self, refusal: Refusal) -> None:
        """Do as the operator chose when the identity is no longer ours (WAPI-28)."""
        why = plain(refusal.detail)
        if self._wanted.when_denied == "keep":
            _log.error("%s: %s; what is there is kept%s", self.name, why, self._until())
            return
        try:
            had = await asyncio.to_thread(self._folder.clear)
        except (UnsafePath, OSError) as fault:
            raise _unusable(fault) from None
        self._ends, self._is_told = 0.0, False
        _log.error("%s: %s%s", self.name, why, "; the files were removed" if had else "")

    def _until(self) -> str:
        return f", good until {instant(self._ends)}" if self._ends else ""


def _unusable(fault: UnsafePath | OSError) -> Refusal:
    if isinstance(fault, UnsafePath):
        return Refusal(Kind.PRECONDITION, f"{fault.path} {fault.fault}", remedy=fault.remedy)
    place = f"{fault.filename}: " if fault.filename else ""
    return Refusal(Kind.PRECONDITION, f"{place}{fault.strerror or fault}")
