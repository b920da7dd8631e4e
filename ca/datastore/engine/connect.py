"""Connections to the database; the only place that knows SQLite from PostgreSQL."""

import os
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from finial.spiffe.refusal import Kind, Refusal

BUSY_SECONDS: Final = 5

_WRITER_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "journal_size_limit=67108864",
)
_READER_PRAGMAS: Final = ("query_only=ON",)


def connect_writer(url: str) -> Engine:
    """Make the engine of the one writer; a database file that is missing is made, mode 0600.

    A lock that another process holds is waited for; `?timeout=` says for how many seconds.

    Raises: Refusal of kind INVALID or UNAVAILABLE.
    """
    parsed = _judge(url)
    _create_private(Path(parsed.database or ""))
    return _sqlite_engine(parsed, _WRITER_PRAGMAS, "BEGIN IMMEDIATE")


def connect_readers(url: str) -> Engine:
    """Make the engine of those who only read; the writer's has to be there first.

    Raises: Refusal of kind INVALID.
    """
    parsed = _judge(url)
    return _sqlite_engine(parsed, _READER_PRAGMAS, "BEGIN")


def _judge(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unusable("the database's address cannot be read") from error
    if parsed.get_backend_name() != "sqlite":
        raise _unusable("the database has to be SQLite")
    if parsed.database in {None, "", ":memory:"}:
        raise _unusable("a database in memory forgets what it acknowledged")
    return parsed


def _unusable(detail: str) -> Refusal:
    # The address is not repeated: those of other databases hold a password.
    remedy = "write sqlite:////absolute/path/to/file"
    return Refusal(Kind.INVALID, detail, field="database", remedy=remedy)


def _create_private(path: Path) -> None:
    # SQLite gives its journals the mode of the database, so the first file decides for all.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise Refusal(
            Kind.UNAVAILABLE,
            f"the database file cannot be opened for writing ({error.strerror})",
            field="database",
            value=str(path),
        ) from error


def _sqlite_engine(url: URL, pragmas: tuple[str, ...], begin: str) -> Engine:
    patience = {} if "timeout" in url.query else {"timeout": BUSY_SECONDS}
    engine = create_engine(url, connect_args={"check_same_thread": False, **patience})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # the driver's own connection
        # The driver would begin transactions late and end them before some statements.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        # Past SQLAlchemy, whose care for this one word costs as much as a row of the ledger.
        connection.connection.dbapi_connection.execute(begin).close()  # type: ignore[union-attr]

    return engine
