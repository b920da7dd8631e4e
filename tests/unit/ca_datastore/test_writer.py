"""The one writer: groups, savepoints, refusals and bugs."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ca.datastore.engine import writer as subject
from ca.datastore.engine.connect import connect_writer
from ca.datastore.engine.failures import judge, refusing
from ca.datastore.engine.rows import RowsInsert
from ca.datastore.engine.transaction import Transaction
from ca.datastore.engine.writer import Writer
from ca.datastore.migrations.migrate import migrate
from ca.datastore.tables import facts, issued
from ca.registry.change import Topic
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock, settle
from tests.doubles.datastore import entry, opened, svid, url


@asynccontextmanager
async def writing(folder: Path, commits: list[int] | None = None) -> AsyncIterator[Writer]:
    engine = connect_writer(url(folder))
    migrate(engine)
    heard = [] if commits is None else commits
    writer = Writer(engine, StandingClock(), heard.append)
    try:
        yield writer
    finally:
        await writer.close()
        engine.dispose()


def store(name: str) -> "Act":
    return Act(name)


class Act:
    """Stores a fact of its name, tells a change, and then raises what it was told to."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error

    def __call__(self, transaction: Transaction) -> str:
        transaction.connection.execute(sa.insert(facts).values(name=self.name, value="x"))
        transaction.note(Topic.ENTRIES, [self.name])
        if self.error:
            raise self.error
        return self.name


def names(transaction: Transaction) -> list[str]:
    return sorted(transaction.connection.scalars(sa.select(facts.c.name)))


class Gate:
    """Holds the writer until it is opened, so that whoever comes meanwhile waits together."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._held: asyncio.Future[None] | None = None

    async def hold(self, writer: Writer) -> None:
        loop = asyncio.get_running_loop()
        entered = asyncio.Event()

        def wait(_: Transaction) -> None:
            loop.call_soon_threadsafe(entered.set)
            assert self._open.wait(20)

        self._held = asyncio.ensure_future(writer.run(wait))
        await entered.wait()

    async def open(self) -> None:
        self._open.set()
        assert self._held
        await self._held


def test_refusal_of_one_act_leaves_the_others(tmp_path: Path) -> None:
    """Acts that are committed together do not undo each other; a refused one is undone whole."""

    async def act() -> None:
        commits: list[int] = []
        async with writing(tmp_path, commits) as writer:
            gate = Gate()
            await gate.hold(writer)
            await settle()
            refusal = Refusal(Kind.INVALID, "no")
            acts = [store("a"), Act("b", refusal), Act("c", ValueError("bug")), store("d")]
            waiting = asyncio.gather(*map(writer.run, acts), return_exceptions=True)
            await settle()
            await gate.open()
            results = await waiting
            assert results[0] == "a"
            assert results[1] is refusal
            assert isinstance(results[2], ValueError)
            assert results[3] == "d"
            assert await writer.run(names) == ["a", "d"]
            assert commits == [2]

    asyncio.run(act())


def test_act_that_meets_a_fresh_row_runs_again(tmp_path: Path) -> None:
    """A row that appeared between an act's question and its answer makes it ask again."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            tries: list[int] = []

            def late(transaction: Transaction) -> int:
                tries.append(1)
                name = "new" if len(tries) == 3 else "taken"
                transaction.connection.execute(sa.insert(facts).values(name=name, value="x"))
                return len(tries)

            await writer.run(store("taken"))
            assert await writer.run(late) == 3

    asyncio.run(act())


def test_act_that_never_fits_is_a_bug(tmp_path: Path) -> None:
    """An act that breaks a constraint each time fails as a bug, alone."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            await writer.run(store("taken"))
            with pytest.raises(sa.exc.IntegrityError):
                await writer.run(store("taken"))
            assert await writer.run(store("free")) == "free"

    asyncio.run(act())


def test_wrong_statement_is_its_acts_bug(tmp_path: Path) -> None:
    """A statement that the database does not understand fails its own act only."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            with pytest.raises(sa.exc.OperationalError):
                await writer.run(lambda t: t.connection.exec_driver_sql("SELECT nothing"))
            assert await writer.run(store("free")) == "free"

    asyncio.run(act())


def test_rows_that_do_not_fit_fail_their_group(tmp_path: Path) -> None:
    """Rows that break a constraint are a bug, told to the callers; the writer goes on."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            await writer.append(RowsInsert(facts), [("a", "x")])
            with pytest.raises(sqlite3.IntegrityError):
                await writer.append(RowsInsert(facts), [("b", "x"), ("a", "x")])
            with pytest.raises(TypeError):
                await writer.append(RowsInsert(facts), [5])  # type: ignore[list-item]
            assert await writer.run(names) == ["a"]

    asyncio.run(act())


def test_cancelled_caller_does_not_stop_the_act(tmp_path: Path) -> None:
    """What was handed to the writer is written, whether its caller waits for it or not."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            gate = Gate()
            await gate.hold(writer)
            task = asyncio.ensure_future(writer.run(store("a")))
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gate.open()
            assert await writer.run(names) == ["a"]

    asyncio.run(act())


def test_follower_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Whatever becomes of those who follow, the caller of an act hears of its end."""

    async def act() -> None:
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        bug = ValueError("follower")

        def fail(_: int) -> None:
            raise bug

        async with opened(tmp_path) as datastore:
            datastore.on_commit(fail)
            await datastore.create_entries([entry("web")])
        assert complaints == [bug]

    asyncio.run(act())


def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    """A writer that is closed writes what was waiting and refuses what comes later."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            waiting = [asyncio.ensure_future(writer.run(store(name))) for name in "abc"]
            await settle()
            await writer.close()
            assert await asyncio.gather(*waiting) == ["a", "b", "c"]
            with pytest.raises(Refusal) as refused:
                await writer.run(store("d"))
            assert refused.value.kind is Kind.UNAVAILABLE

    asyncio.run(act())


def test_too_many_waiting_writes_are_refused(tmp_path: Path) -> None:
    """The queue before the writer is bounded; who comes too many is told so at once."""

    async def act() -> None:
        async with writing(tmp_path) as writer:
            gate = Gate()
            await gate.hold(writer)
            rows = RowsInsert(issued)
            waiting = [
                asyncio.ensure_future(writer.append(rows, [])) for _ in range(subject.MAX_WAITING)
            ]
            await settle()
            with pytest.raises(Refusal) as refused:
                await writer.append(rows, [])
            assert refused.value.kind is Kind.UNAVAILABLE
            await gate.open()
            await asyncio.gather(*waiting)

    asyncio.run(act())


def test_ledger_rows_and_acts_share_a_group(tmp_path: Path) -> None:
    """Rows of the ledger and acts that are refused are told apart in one commit."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            results = await asyncio.gather(
                datastore.record_issued([svid("1")]),
                datastore.revoke_api_token("none"),
                datastore.record_issued([svid("2")]),
                return_exceptions=True,
            )
            assert [type(each) for each in results] == [type(None), Refusal, type(None)]

    asyncio.run(act())


def failure(name: str) -> sa.exc.OperationalError:
    cause = sqlite3.OperationalError("what SQLite says")
    if name:
        cause.sqlite_errorname = name
    return sa.exc.OperationalError("SELECT 1", {}, cause)


def test_unusable_database_refuses_the_whole_group(tmp_path: Path) -> None:
    """When the disk is full in the middle of a group, nothing of it is done, and it passes."""

    async def act() -> None:
        commits: list[int] = []
        async with writing(tmp_path, commits) as writer:
            gate = Gate()
            await gate.hold(writer)
            acts = [store("a"), Act("b", failure("SQLITE_FULL")), store("c")]
            waiting = asyncio.gather(*map(writer.run, acts), return_exceptions=True)
            await settle()
            await gate.open()
            results = await waiting
            kinds = [each.kind for each in results if isinstance(each, Refusal)]
            assert kinds == [Kind.UNAVAILABLE] * 3
            assert commits == []
            assert await writer.run(store("a")) == "a"
            assert await writer.run(names) == ["a"]

    asyncio.run(act())


def test_groups_have_a_size(tmp_path: Path) -> None:
    """More acts than a group takes are committed in several groups, in their order."""

    async def act() -> None:
        commits: list[int] = []
        async with writing(tmp_path, commits) as writer:
            gate = Gate()
            await gate.hold(writer)
            count = subject.MAX_GROUP + 1
            waiting = asyncio.gather(*(writer.run(store(f"{n:04}")) for n in range(count)))
            await settle()
            await gate.open()
            await waiting
            assert commits == [subject.MAX_GROUP, count]

    asyncio.run(act())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("SQLITE_FULL", "the disk that holds the database is full"),
        ("SQLITE_READONLY_DIRECTORY", "the database is read-only"),
        ("SQLITE_BUSY", "the database is locked by another process"),
        ("SQLITE_LOCKED", "the database is locked by another process"),
        ("SQLITE_CANTOPEN", "the database file cannot be opened"),
        ("SQLITE_IOERR_FSYNC", "the database's disk answers with errors"),
        ("SQLITE_CORRUPT", "the database is damaged"),
        ("SQLITE_NOTADB", "the file is not a database of this program"),
    ],
)
def test_failures_have_their_sentence(name: str, sentence: str) -> None:
    """What is wrong with the database is said in words, with what to do about it."""
    refusal = judge(failure(name))
    assert refusal is not None
    assert (refusal.kind, refusal.detail) == (Kind.UNAVAILABLE, sentence)
    assert refusal.remedy


def test_faulty_statements_are_no_refusals() -> None:
    """A statement's own fault is a bug and stays what it is."""
    assert judge(ValueError()) is None
    assert judge(failure("SQLITE_ERROR")) is None
    assert judge(failure("")) is None
    assert judge(sa.exc.IntegrityError("", {}, sqlite3.IntegrityError())) is None
    with pytest.raises(sa.exc.OperationalError), refusing():
        raise failure("SQLITE_ERROR")
    with pytest.raises(Refusal), refusing():
        raise failure("SQLITE_FULL")


def test_other_databases_failures_are_unavailable() -> None:
    """Whatever another database's driver says when it fails, the datastore is unavailable."""
    refusal = judge(sa.exc.OperationalError("", {}, OSError("gone")))
    assert refusal is not None
    assert refusal.kind is Kind.UNAVAILABLE
