"""Inserting many rows as few statements.

Each statement that runs gives up the interpreter's lock and has to get it back from a busy event
loop, so fifty rows are one statement with fifty rows of values; and they go to the driver as they
are, because SQLAlchemy's care for each row costs more than SQLite's.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table, insert
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]

# So many statements are compiled and kept at most; 64 rows of 18 columns stay below every
# driver's limit of parameters, and larger ones gain little.
AT_ONCE: Final = 64


class RowsInsert:
    """The INSERT of a table's rows, each a tuple of its columns' values in the table's order.

    A column that numbers its rows by itself is left out. The values go to the driver unchanged:
    text, numbers, bytes and truth only.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        numbered = table.autoincrement_column
        self._columns = tuple(column.name for column in table.columns if column is not numbered)
        self._compiled: dict[int, SQLCompiler] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert all rows, in their order."""
        for start in range(0, len(rows), AT_ONCE):
            self._insert(connection, rows[start : start + AT_ONCE])

    def run_alone(self, connection: Connection, rows: Sequence[Row]) -> bool:
        """Insert the rows by one statement outside of a transaction, which it is by itself.

        Return whether that was possible: there are few of them, and the database is SQLite, where
        a connection that has not begun anything commits each statement.
        """
        if not 0 < len(rows) <= AT_ONCE or connection.dialect.name != "sqlite":
            return False
        compiled = self._compiled.get(len(rows)) or self._compile(len(rows), connection.dialect)
        driver: Any = connection.connection.dbapi_connection
        driver.execute(str(compiled), tuple(chain.from_iterable(rows))).close()
        return True

    def _insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        compiled = self._compiled.get(len(rows)) or self._compile(len(rows), connection.dialect)
        values = tuple(chain.from_iterable(rows))
        if compiled.positional:
            connection.exec_driver_sql(str(compiled), values)
        else:
            names = chain.from_iterable(self._names(index) for index in range(len(rows)))
            connection.exec_driver_sql(str(compiled), dict(zip(names, values, strict=True)))

    def _names(self, index: int) -> tuple[str, ...]:
        return tuple(f"{column}_m{index}" for column in self._columns)

    def _compile(self, size: int, dialect: Dialect) -> SQLCompiler:
        row = dict.fromkeys(self._columns, None)
        statement = insert(self._table).values([row] * size)
        compiled = dialect.statement_compiler(dialect, statement)
        self._compiled[size] = compiled
        return compiled
