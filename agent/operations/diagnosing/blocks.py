"""What is blocked, and whether it is in force here."""

from typing import Final

from agent.cache.view import Holdings
from agent.operations.enforce_blocks import BLOCKS
from agent.operations.link import Link
from finial.explain.checkup import failed, many, ok, span, warning
from finial.explain.diagnosis import Diagnosis

_ROOM: Final = "if the disk is full, make room; if not, the agent's log says what the server sent"


def judge_blocks(held: Holdings, link: Link, now: float) -> Diagnosis:
    """Whether what the server said last is in force, and would be after a restart."""
    if held.lockout is not None:
        since, why = span(now - held.lockout.since), held.lockout.reason
        return failed(
            BLOCKS,
            f"this agent itself has been blocked for {since}, and serves nobody"
            + (f": {why}" if why else ""),
            f"if the reason for it is over, on the server: finial unblock {held.lockout.subject}",
        )
    detail = _in_force(held, now)
    trouble = link.troubles.get(BLOCKS)
    if trouble is not None:
        return failed(BLOCKS, f"{detail}; for {span(now - trouble.since)}: {trouble.detail}", _ROOM)
    if held.blocks.is_shortened:
        return warning(
            BLOCKS,
            f"{detail}; what is blocked holds so many live SVIDs that not all are named, so that "
            "some JWT-SVIDs are accepted until they expire",
            "block the SPIFFE IDs beside the entries or the agent",
        )
    return ok(BLOCKS, detail)


def _in_force(held: Holdings, now: float) -> str:
    if not held.blocks.version:
        return "the server has not said that anything is"
    holding = many(len(held.blocks.holding(now)), "block")
    if not held.blocks:
        return f"nothing is blocked, by version {held.blocks.version}"
    withheld = many(len(held.blocked_entries(now)), "entry", "entries")
    return f"{holding}, version {held.blocks.version}; {withheld} of this node withheld"
