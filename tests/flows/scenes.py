"""How a flow test of the server is played: a house is built, acted in, and left."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Refusal
from tests.doubles.house import House, house


def play(folder: Path, act: Callable[[House], Awaitable[None]], **settings: Any) -> None:
    """Run one scene in a new house with these `[server]` settings."""

    async def scene() -> None:
        async with house(folder, **settings) as built:
            await act(built)

    asyncio.run(scene())


async def refused(act: Awaitable[Any]) -> Refusal:
    """Return the refusal that an act meets."""
    with pytest.raises(Refusal) as caught:
        await act
    return caught.value
