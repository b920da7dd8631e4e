"""Questions to the database, asked in threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

from ca.datastore.engine.failures import refusing

T = TypeVar("T")

# A long reading, such as all entries at the start, leaves one for short questions.
READERS: Final = 2


class Reader:
    """Asks questions, each of which sees one state of the database from beginning to end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="datastore-reader")

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Answer a question in a thread.

        Raises: Refusal of kind UNAVAILABLE.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    def close(self) -> None:
        """Wait for the questions that are being answered, and end the threads."""
        self._threads.shutdown()

    def _ask(self, question: Callable[[Connection], T]) -> T:
        with refusing(), self._engine.connect() as connection, connection.begin():
            return question(connection)
