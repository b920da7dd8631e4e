"""An attestor without a world around it."""

import asyncio

from attestors.contract import Finding, Process, SelectorGrammar


class Saying:
    """An attestor that finds what it was told, or waits for ever."""

    def __init__(self, name: str, finding: Finding | None) -> None:
        self._name = name
        self._finding = finding
        self.asked: list[Process] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def grammar(self) -> SelectorGrammar:
        return SelectorGrammar(self._name, ())

    async def attest(self, process: Process, deadline: float) -> Finding:
        self.asked.append(process)
        if self._finding is None:
            await asyncio.Event().wait()
        assert self._finding is not None
        return self._finding
