"""The one writer: a thread that commits everything that is waiting at once.

The rules:
1. An act's caller hears of it after the commit and not before; what was acknowledged is on disk.
2. Acts that wait together share one commit. Each has a savepoint of its own, so that the refusal
   of one undoes nothing of another's.
3. A database that cannot be used (full, locked, read-only, gone) refuses the whole group; nothing
   of it is half done, and the next group tries again on a new connection.
4. An act that meets a row which another server has just written is run again.
5. Where several wrote together a moment ago, the next group waits a fraction of a millisecond for
   as many: a commit costs more than all that is in it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from ca.datastore.engine.failures import judge
from ca.datastore.engine.rows import Row, RowsInsert
from ca.datastore.engine.transaction import Transaction, write_changes
from ca.registry.change import Topic
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

T = TypeVar("T")

MAX_WAITING: Final = 8192
MAX_GROUP: Final = 512
_ATTEMPTS: Final = 3
_GATHERING: Final = 0.0004


@dataclass(slots=True)
class _Act:
    run: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Rows:
    insert: RowsInsert
    rows: Sequence[Row]
    future: asyncio.Future[Any]
    result: None = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Group:
    acts: list[_Act] = field(default_factory=list)
    rows: list[_Rows] = field(default_factory=list)
    noted: list[tuple[Topic, tuple[str, ...]]] = field(default_factory=list)
    sequence: int = 0
    last: bool = False

    def take(self, work: _Act | _Rows | None) -> None:
        if work is None:
            self.last = True
        elif isinstance(work, _Act):
            self.acts.append(work)
        else:
            self.rows.append(work)

    @property
    def is_full(self) -> bool:
        return self.last or len(self.acts) + len(self.rows) >= MAX_GROUP

    @property
    def works(self) -> list[_Act | _Rows]:
        return [*self.acts, *self.rows]

    def refuse(self, error: Exception) -> None:
        for work in self.works:
            work.error = judge(error) or error


class Writer:
    """Runs acts in its own thread; belongs to the event loop in which it was made.

    `committed` is called in that loop after each commit that changed something, with the number
    of the last change, before the callers are told.
    """

    def __init__(self, engine: Engine, clock: Clock, committed: Callable[[int], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Act | _Rows | None] = queue.SimpleQueue()
        self._closed = False
        self._connection: Connection | None = None
        self._expected = 1
        self._thread = threading.Thread(target=self._serve, name="datastore-writer", daemon=True)
        self._thread.start()

    async def run(self, act: Callable[[Transaction], T]) -> T:
        """Run an act in the writer's thread; return its result once it is durable.

        It is run to its end even when the caller is cancelled.

        Raises: Refusal of kind UNAVAILABLE, and whatever the act raises.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._submit(_Act(act, future))
        return await future

    async def append(self, insert: RowsInsert, rows: Sequence[Row]) -> None:
        """Insert rows that nothing can refuse; return once they are durable.

        Raises: Refusal of kind UNAVAILABLE.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._submit(_Rows(insert, rows, future))
        await future

    async def close(self) -> None:
        """Finish what is waiting, then end the thread and its connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _submit(self, work: _Act | _Rows) -> None:
        if self._closed:
            raise Refusal(Kind.UNAVAILABLE, "the datastore is closing")
        if self._queue.qsize() >= MAX_WAITING:
            raise Refusal(Kind.UNAVAILABLE, "too many writes are waiting for the database")
        self._queue.put(work)

    def _serve(self) -> None:
        while True:
            group = self._next_group()
            if group.acts or group.rows:
                self._commit(group)
                self._loop.call_soon_threadsafe(self._tell, group)
            if group.last:
                self._disconnect()
                return

    def _next_group(self) -> _Group:
        group = _Group()
        group.take(self._queue.get())
        while not group.is_full:
            try:
                if len(group.works) < self._expected:
                    group.take(self._queue.get(timeout=_GATHERING))
                else:
                    group.take(self._queue.get_nowait())
            except queue.Empty:
                break
        self._expected = len(group.works)
        return group

    def _commit(self, group: _Group) -> None:
        try:
            connection = self._connection = self._connection or self._engine.connect()
            if not _write_alone(connection, group):
                with connection.begin():
                    self._write(connection, group)
        except Exception as error:  # told to each caller, who logs what is a bug
            group.refuse(error)
            self._disconnect()

    def _write(self, connection: Connection, group: _Group) -> None:
        for act in group.acts:
            _run_act(connection, act, group)
        merged: dict[RowsInsert, list[Row]] = {}
        for work in group.rows:
            merged.setdefault(work.insert, []).extend(work.rows)
        for insert, rows in merged.items():
            insert.run(connection, rows)
        if group.noted:
            group.sequence = write_changes(connection, group.noted, self._clock)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # One that cannot even be closed is let go of; the thread has to live on.
            with suppress(Exception):
                connection.invalidate()
                connection.close()

    def _tell(self, group: _Group) -> None:
        try:
            if group.sequence:
                self._committed(group.sequence)
        finally:
            for work in group.works:
                _answer(work)


def _answer(work: _Act | _Rows) -> None:
    if work.future.done():
        return
    if work.error is not None:
        work.future.set_exception(work.error)
    else:
        work.future.set_result(work.result)


def _write_alone(connection: Connection, group: _Group) -> bool:
    """Write rows of one table without a transaction around them, if they are all there is.

    The interpreter's lock is given up and fought for once instead of three times.
    """
    inserts = {work.insert for work in group.rows}
    if group.acts or len(inserts) != 1:
        return False
    return inserts.pop().run_alone(connection, [row for work in group.rows for row in work.rows])


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    # In the standard's words to the driver: SQLAlchemy's care for them costs as much as the act.
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("SAVEPOINT act")
        try:
            yield
        except Exception as error:
            if judge(error) is None:
                cursor.execute("ROLLBACK TO SAVEPOINT act")
            raise
        cursor.execute("RELEASE SAVEPOINT act")


def _run_act(connection: Connection, act: _Act, group: _Group) -> None:
    for attempt in range(_ATTEMPTS):
        transaction = Transaction(connection)
        try:
            with _savepoint(connection):
                act.result = act.run(transaction)
        except IntegrityError as error:
            if attempt + 1 == _ATTEMPTS:
                act.error = error
        except Exception as error:  # a refusal or a bug: the caller's, nobody else's
            if judge(error) is not None:
                raise
            act.error = error
            return
        else:
            group.noted += transaction.changed
            return
