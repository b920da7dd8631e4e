"""`finial policy` beside a server."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.desk import Desk, at_desk

PAYMENT = "spiffe://example.org/payment"
ORDERS = "spiffe://example.org/orders"
RULE = {"name": "one", "from": ORDERS, "to": PAYMENT, "paths": ["/a"]}


def write(folder: Path, name: str, *rules: object) -> str:
    path = folder / name
    path.write_text(json.dumps(rules))
    return str(path)


@pytest.mark.parametrize(
    "callee",
    [f"{PAYMENT}#x", f"{PAYMENT}?x", "spiffe://example.org/a/../payment", f"{PAYMENT[:-1]}%74"],
)
def test_a_callee_is_taken_as_it_is_written(tmp_path: Path, callee: str) -> None:
    """What is no SPIFFE ID is refused, and never sets the mode of another callee."""

    async def act(desk: Desk) -> None:
        said = await desk.finial("policy", "mode", callee, "open")
        assert said.status == 1, said
        assert "callee" in said.err
        assert desk.house.world.known.policies.modes == ()

    at_desk(tmp_path, act)


def test_a_mode_is_set_shown_and_unset(tmp_path: Path) -> None:
    """By ID, path or prefix; the audit stays what it was unless it is said anew."""

    async def act(desk: Desk) -> None:
        said = await desk.finial("policy", "mode", PAYMENT, "enforce", "--audit", "all")
        assert said.out.startswith(f"{PAYMENT} is enforce, set for {PAYMENT}\n")
        assert "all decisions are audited" in said.out
        assert (await desk.finial("policy", "mode", "payment", "shadow")).status == 0
        assert "all decisions" in (await desk.finial("policy", "mode", "payment")).out
        assert (await desk.finial("policy", "mode", "payment", "shadow", "--audit=denials")).out
        assert "all decisions" not in (await desk.finial("policy", "mode", "payment")).out
        below = await desk.finial("policy", "mode", "team-a/*", "shadow")
        assert "spiffe://example.org/team-a/* is shadow" in below.out
        assert "set by nobody" in (await desk.finial("policy", "mode", "payment", "unset")).out
        assert (await desk.finial("policy", "mode", "payment", "unset")).status == 3

    at_desk(tmp_path, act)


@pytest.mark.parametrize("line", [("payment",), ("payment", "unset"), ()])
def test_an_audit_without_a_mode_is_wrong_usage(tmp_path: Path, line: tuple[str, ...]) -> None:
    """It would be passed over without a word."""

    async def act(desk: Desk) -> None:
        said = await desk.finial("policy", "mode", *line, "--audit", "all")
        assert (said.status, "--audit" in said.err) == (2, True)

    at_desk(tmp_path, act)


def test_policies_are_applied_all_or_none(tmp_path: Path) -> None:
    """The refusal names the policy; what is applied again is unchanged; diff tells beforehand."""

    async def act(desk: Desk) -> None:
        wrong = write(
            tmp_path, "wrong.json", RULE, RULE | {"name": "two", "to": "spiffe://x.org/a"}
        )
        said = await desk.finial("policy", "apply", wrong)
        assert said.status == 1
        assert said.err.startswith("finial: two: the trust domain x.org is not known here")
        assert "no policy" in (await desk.finial("policy", "list")).out
        good = write(tmp_path, "good.json", RULE)
        assert "+++ file: one" in (await desk.finial("policy", "diff", good)).out
        said = await desk.finial("policy", "apply", good)
        assert said.out.startswith("created    one\n")
        assert f"finial policy mode {PAYMENT} shadow" in said.out
        assert "unchanged" in (await desk.finial("policy", "apply", good)).out
        assert (await desk.finial("policy", "diff", good)).out == "nothing would change\n"

    at_desk(tmp_path, act)


def test_a_change_is_tried_on_requests(tmp_path: Path) -> None:
    """Policies that would be added, or deleted; the name of none is a fault."""

    async def act(desk: Desk) -> None:
        good = write(tmp_path, "good.json", RULE)
        seen = tmp_path / "seen.jsonl"
        seen.write_text(json.dumps({"caller": ORDERS, "callee": PAYMENT, "path": "/a"}))
        tried = ("policy", "test", "--requests", str(seen))
        said = await desk.finial(*tried, good)
        assert said.out.startswith(f"allowed  {ORDERS} GET /a of {PAYMENT}: no_rule before")
        assert (await desk.finial("policy", "apply", good)).status == 0
        said = await desk.finial(*tried, "--remove", "one")
        assert said.out.startswith(f"denied  {ORDERS} GET /a of {PAYMENT}: allowed before")
        said = await desk.finial(*tried, "--remove", "three")
        assert (said.status, "refused three: there is no such policy" in said.out) == (1, True)
        assert (await desk.finial(*tried)).status == 2

    at_desk(tmp_path, act)


def test_who_is_strange_to_the_callee_is_said_to_be_denied(tmp_path: Path) -> None:
    """A rule alone does not let callers of another trust domain in."""

    async def act(desk: Desk) -> None:
        assert (await desk.finial("policy", "mode", PAYMENT, "enforce")).status == 0
        line = ("policy", "explain", "spiffe://partner.org/a", PAYMENT, "GET", "/")
        said = await desk.finial(*line)
        assert said.out.startswith("the callee does not federate with the caller's trust domain\n")
        assert "denied; if it did, it would be:" in said.out

    at_desk(tmp_path, act)


def test_many_callees_and_policies_are_told_in_few_lines(tmp_path: Path) -> None:
    """Of ten thousand rules nobody reads a line each; those that nearly match come first."""

    async def act(desk: Desk) -> None:
        rules = [RULE | {"name": f"{number}", "to": f"{PAYMENT}-{number}"} for number in range(12)]
        rules += [RULE | {"name": f"far {number}", "paths": ["/b"]} for number in range(40)]
        said = await desk.finial("policy", "apply", write(tmp_path, "many.json", *rules, RULE))
        assert said.out.count("has no mode") == 10
        assert "and 3 more callees without a mode" in said.out
        line = ("policy", "explain", ORDERS, PAYMENT, "GET", "/a")
        told = (await desk.finial(*line)).out.splitlines()
        assert told[2] == "  allow one: matches"
        assert told[-1] == "  and 11 more that are further away"

    at_desk(tmp_path, act)
