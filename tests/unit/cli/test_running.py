import errno
from pathlib import Path

import click
import pytest

from cli import running
from cli.running import AgentWishes, agent_settings, in_loop
from finial.spiffe.refusal import Refusal


@pytest.mark.skipif(running.DEFAULT_AGENT.exists(), reason="there is an agent.toml here")
def test_an_agent_that_was_told_nothing_asks_what_to_join() -> None:
    """Without a configuration, the one of the machine or a join string, `agent run` names both."""
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
