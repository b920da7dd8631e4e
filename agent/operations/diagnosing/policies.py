"""Who may call whom, and whether what the server said last decides here."""

from typing import Final

from agent.access.held_policies import HeldPolicies
from agent.operations.keep_policies import POLICIES
from agent.operations.link import Link
from finial.explain.checkup import failed, many, ok, span
from finial.explain.diagnosis import Diagnosis

_ROOM: Final = "if the disk is full, make room; if not, the agent's log says what the server sent"
_SERVER: Final = "see that the server can be reached, or lengthen agent.ext_authz.rules_max_age"


def judge_policies(
    held: HeldPolicies | None, link: Link, age: float, max_age: float, now: float
) -> Diagnosis:
    """Whether rules decide, the newest ones, and none that are too old; ages are in seconds."""
    detail = _in_force(held)
    trouble = link.troubles.get(POLICIES)
    if trouble is not None:
        since = span(now - trouble.since)
        return failed(POLICIES, f"{detail}; for {since}: {trouble.detail}", _ROOM)
    if held is not None and max_age and age > max_age:
        stale = f"{detail}; nobody has confirmed it for {span(age)}, so that it allows nothing"
        return failed(POLICIES, stale, _SERVER)
    return ok(POLICIES, detail)


def _in_force(held: HeldPolicies | None) -> str:
    if held is None:
        return "the server has not said who may call whom, so no proxy gets a decision"
    statements = many(len(held.rules), "statement")
    callees = many(len(held.rules.modes), "callee")
    return f"{statements} about {callees}, version {held.rules.version}"
