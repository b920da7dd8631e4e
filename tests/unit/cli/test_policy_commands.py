"""`finial policy` beside a server."""

from pathlib import Path

import pytest

from tests.unit.cli.desk import Desk, at_desk

PAYMENT = "spiffe://example.org/payment"


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
