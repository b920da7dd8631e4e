"""How a test of the agent is played."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from finial.spiffe.refusal import Refusal
from tests.doubles.running_agent import Scene, scene, soon

ME = f"unix:uid:{os.geteuid()}"
Act = Callable[[Scene], Awaitable[None]]


def play(act: Act, **script: Any) -> None:
    """Play an act before a server that does what `script` says."""

    async def whole() -> None:
        async with scene(**script) as played:
            await act(played)

    asyncio.run(whole())


async def refused(waiting: Awaitable[Any]) -> Refusal:
    """The refusal that has to come of it."""
    with pytest.raises(Refusal) as caught:
        await soon(waiting)
    return caught.value
