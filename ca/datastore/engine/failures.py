"""What a database that cannot be used says to whoever asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from finial.spiffe.refusal import Kind, Refusal

_SENTENCES: Final = {
    "FULL": ("the disk that holds the database is full", "free some space"),
    "READONLY": ("the database is read-only", "make its file and folder writable again"),
    "BUSY": ("the database is locked by another process", "end that process or try again"),
    "LOCKED": ("the database is locked by another process", "end that process or try again"),
    "CANTOPEN": ("the database file cannot be opened", "look at its folder's permissions"),
    "IOERR": ("the database's disk answers with errors", "look at the disk and its free space"),
    "CORRUPT": ("the database is damaged", "restore it from a backup"),
    "NOTADB": ("the file is not a database of this program", "restore it from a backup"),
}


def judge(error: Exception) -> Refusal | None:
    """Say why the database cannot be used; None where something else was at fault."""
    if not isinstance(error, (DBAPIError, sqlite3.Error)):
        return None
    if isinstance(error, (IntegrityError, ProgrammingError)):
        return None
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, sqlite3.Error):
        return Refusal(Kind.UNAVAILABLE, "the database cannot be reached")
    name = getattr(cause, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]
    if name not in _SENTENCES:
        return None
    detail, remedy = _SENTENCES[name]
    return Refusal(Kind.UNAVAILABLE, detail, remedy=remedy)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the driver says of an unusable database into a Refusal of kind UNAVAILABLE."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        refusal = judge(error)
        if refusal is None:
            raise
        raise refusal from error
