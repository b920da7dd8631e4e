"""The kill switch, under traffic: one certificate of orders, and then orders itself."""

import time

from administration import Operator
from board import Board
from configuration import spiffe_id
from processes import Proxy, until
from traffic import BLOCKED, BUY, CHARGE, ENFORCE, SERIAL, Tally, Traffic

BLOCKED_SECONDS = 4.0
RECOVERY_SECONDS = 30.0
MOST_SERIALS = 20


def block_serials(board: Board, traffic: Traffic, operator: Operator, orders: Proxy) -> dict:
    """Block the certificates that orders shows; they are refused until orders has a new one."""
    board.phase = SERIAL
    traffic.accepted = frozenset({ENFORCE, SERIAL})
    tallies = _tallies(traffic)
    blocked: list[str] = []
    # By the time of the block it may have shown a new one to everybody already: then once more.
    while not _refused(tallies, "caller_blocked"):
        if len(blocked) > MOST_SERIALS:
            raise RuntimeError("no blocked certificate was refused")
        shown = board.rotations["orders"]
        shown.look(orders)
        # An open connection goes on with the one before. What expires soon need not be blocked.
        alive = [each for each, until_ in shown.serials.items() if until_ > time.time() + 2]
        for serial in alive[:-3:-1]:
            if f"{serial:x}" not in blocked:
                operator.block(f"{serial:x}", "--kind", "serial", "--wait", "5")
                blocked.append(f"{serial:x}")
        board.watch_until(time.monotonic() + 1)
    since = time.time()
    until(lambda: _last_good(tallies) > since, "orders has a new certificate", RECOVERY_SECONDS)
    board.watch_until(time.monotonic() + 1)
    return {"serials": blocked, "serial_refused": _refused(tallies, "caller_blocked")}


def block_identity(board: Board, traffic: Traffic, operator: Operator) -> dict:
    """Lock orders out, and see how long it still got anything done."""
    board.phase = BLOCKED
    traffic.accepted = frozenset({ENFORCE, BLOCKED})
    tallies = _tallies(traffic)
    before = _refused(tallies)
    begun = time.time()
    made = operator.block(spiffe_id("orders"), "--wait", "5")
    returned = time.time()
    traffic.accepted = frozenset({BLOCKED})
    board.watch_until(time.monotonic() + BLOCKED_SECONDS)
    return {
        "identity": spiffe_id("orders"),
        "identity_refused": _refused(tallies) - before,
        "agents_that_enforce_it": len(made["reception"]["applied"]),
        "enforced_after": made["reception"]["seconds"],
        "command_took": round(returned - begun, 3),
        "last_good_after": round(_last_good(tallies) - begun, 3),
        "passed_after": sum(each.last_good > returned for each in tallies),
    }


def _tallies(traffic: Traffic) -> list[Tally]:
    return [traffic.tallies[each.name] for each in (BUY, CHARGE)]


def _last_good(tallies: list[Tally]) -> float:
    return max(each.last_good for each in tallies)


def _refused(tallies: list[Tally], *reasons: str) -> int:
    return sum(
        count
        for each in tallies
        for reason, count in each.refused.items()
        if not reasons or reason in reasons
    )
