import errno
from pathlib import Path

import click
import pytest

from cli.running import DEFAULT_AGENT, AgentWishes, agent_settings, in_loop
from finial.spiffe.refusal import Refusal
from tests.conftest import Requirements


def test_an_agent_that_was_told_nothing_asks_what_to_join(require: Requirements) -> None:
    """Without a configuration, the one of the machine or a join string, `agent run` names both."""
    if DEFAULT_AGENT.exists():
        require.missing(f"a machine without {DEFAULT_AGENT}", "moving it away")
    with pytest.raises(click.UsageError, match=r"--join-file FILE.*--config FILE"):
        agent_settings(AgentWishes())


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EADDRINUSE, "choose another address"), (errno.EADDRNOTAVAIL, "of this machine")],
)
def test_an_address_that_cannot_be_had_is_told_with_what_to_do(number: int, remedy: str) -> None:
    """A program that cannot listen says whether somebody else does, and what to change."""

    async def program() -> None:
        raise OSError(number, "no")

    with pytest.raises(Refusal, match="cannot start") as refused:
        in_loop(program, Path("ca.toml"))
    assert remedy in refused.value.remedy
