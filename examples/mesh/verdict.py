"""What came of it all: what is missing, and the last line of JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from board import Board
from configuration import spiffe_id
from traffic import BUY, GOOD

NEEDED_LEAVES = 3
NEEDED_AUTHORITIES = 1


@dataclass
class Verdict:
    """Judges what a board shows, and what else was found out."""

    board: Board
    audited: list[str] = field(default_factory=list)
    would_deny: list[dict] = field(default_factory=list)
    block: dict = field(default_factory=dict)
    not_shown: list[str] = field(default_factory=list)
    fault: str = ""

    @property
    def missing(self) -> list[str]:
        """What did not come as it should."""
        if self.board.traffic is None:
            return [self.fault or "it did not begin"]
        found = [self.fault] if self.fault else []
        return [*found, *self._calls(), *self._refusals(), *self._rotations(), *self._block()]

    def line(self) -> str:
        """Write the figures as one line of JSON."""
        missing = self.missing
        said: dict = {"ok": not missing, "seconds": round(self.board.elapsed, 1)}
        said |= self._figures() if self.board.traffic is not None else {}
        optional = {"block": self.block, "not_shown": self.not_shown, "missing": missing}
        return json.dumps(said | {name: value for name, value in optional.items() if value})

    def _figures(self) -> dict:
        traffic = self.board.traffic
        tallies = traffic.tallies
        faults = [each for tally in tallies.values() for each in tally.faults]
        return {
            "calls": {name: tally.calls for name, tally in tallies.items()},
            # Between Envoys: a purchase needs two.
            "requests": sum(each.calls for each in tallies.values())
            + tallies[BUY.name].outcomes[GOOD],
            "failed": traffic.failed,
            "refusals": dict(sorted(self.board.refusals.items())),
            "let_in": traffic.let_in[:3],
            "shadowed": traffic.shadowed,
            "would_deny": [
                {name: each[name] for name in ("caller", "callee", "method", "path", "count")}
                for each in self.would_deny
            ],
            "denials_audited": len(self.audited),
            "rotations": {
                name: {"leaves": each.leaves, "authorities": each.of_authority}
                for name, each in self.board.rotations.items()
            },
            **({"faults": faults[:5]} if faults else {}),
        }

    def _calls(self) -> Iterator[str]:
        traffic = self.board.traffic
        if traffic.failed:
            yield f"{traffic.failed} requests failed"
        for name, tally in traffic.tallies.items():
            if not tally.outcomes:
                yield f"calls {name}"
        if not traffic.shadowed:
            yield "calls that only shadow let pass"
        reported = {(each["caller"], each["callee"]) for each in self.would_deny}
        if reported != {(spiffe_id("gateway"), spiffe_id("payment"))}:
            yield f"the right report of what would be denied, instead of {sorted(reported)}"

    def _refusals(self) -> Iterator[str]:
        if self.board.traffic.let_in:
            yield "an intruder was let in"
        wanted = ["no_rule", "no_certificate", "forged_certificate"]
        wanted += [] if self.not_shown else ["socket_mode"]
        for each in wanted:
            if not self.board.refusals[each]:
                yield f"refusals by {each}"
        if not self.audited:
            yield "the denial of gateway in the audit log"

    def _rotations(self) -> Iterator[str]:
        for name, each in self.board.rotations.items():
            if each.leaves < NEEDED_LEAVES or each.of_authority < NEEDED_AUTHORITIES:
                yield f"rotations of {name}"

    def _block(self) -> Iterator[str]:
        if not self.block:
            return
        for each in ("serial_refused", "identity_refused"):
            if not self.block[each]:
                yield f"block: {each}"
        if self.block["passed_after"]:
            yield "a call got through after the block"
