"""An agent that decides who may call whom, as tests need it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.doubles.access import CHARGE, policies
from tests.doubles.running_agent import RunningAgent, Scene, until
from tests.flows.agent_scenes import ME


@asynccontextmanager
async def deciding(
    played: Scene, document: bytes | None = None, **settings: Any
) -> AsyncIterator[RunningAgent]:
    """An agent on whose node payment runs, with rules in force."""
    if "p" not in played.server.entries:
        played.server.entry("p", "/payment", ME)
    async with played.agent(**settings) as agent:
        await learn(played, agent, policies(1, None, CHARGE) if document is None else document)
        yield agent


async def learn(played: Scene, agent: RunningAgent, document: bytes) -> None:
    version = json.loads(document)["version"]
    played.server.tell("policies", version, document)
    await until(lambda: agent.parts.access.keeping.version == version)
