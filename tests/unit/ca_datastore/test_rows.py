"""Inserting many rows with few statements."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ca.datastore.engine.rows import RowsInsert

table = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("size", sa.BigInteger),
)


class RecordingConnection:
    """A connection that runs nothing and remembers what it was given."""

    def __init__(self, dialect: Any) -> None:
        self.dialect = dialect
        self.ran: list[tuple[str, Any]] = []

    def exec_driver_sql(self, statement: str, parameters: Any) -> None:
        self.ran.append((statement, parameters))


@pytest.mark.parametrize("count", [0, 1, 64, 65, 200])
def test_rows_arrive_in_their_order(count: int) -> None:
    """However many rows there are, all arrive once, numbered in their order."""
    engine = sa.create_engine("sqlite://")
    rows = [(f"n{n}", n) for n in range(count)]
    with engine.begin() as connection:
        table.metadata.create_all(connection)
        RowsInsert(table).run(connection, rows)
        found = connection.execute(sa.select(table).order_by(table.c.number)).all()
    assert [tuple(row) for row in found] == [(n + 1, *row) for n, row in enumerate(rows)]


def test_rows_go_in_few_statements() -> None:
    """As many rows as a driver takes well are one statement."""
    connection = RecordingConnection(sa.create_engine("sqlite://").dialect)
    RowsInsert(table).run(connection, [("n", n) for n in range(150)])  # type: ignore[arg-type]
    assert [len(parameters) // 2 for _, parameters in connection.ran] == [64, 64, 22]


def test_few_rows_are_a_transaction_by_themselves() -> None:
    """One statement on SQLite is committed when it returns; many rows, or another database, are not
    tried."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        table.metadata.create_all(connection)
    insert = RowsInsert(table)
    with engine.connect() as connection:
        connection.connection.dbapi_connection.isolation_level = None  # type: ignore[union-attr]
        assert insert.run_alone(connection, [("a", 1), ("b", 2)])
        assert not connection.connection.dbapi_connection.in_transaction  # type: ignore[union-attr]
        assert not insert.run_alone(connection, [("n", n) for n in range(65)])
        assert connection.execute(sa.select(table.c.name)).all() == [("a",), ("b",)]
    elsewhere = RecordingConnection(postgresql.dialect())
    assert not insert.run_alone(elsewhere, [("a", 1)])  # type: ignore[arg-type]


def test_drivers_that_name_their_parameters() -> None:
    """PostgreSQL's driver gets the same values by name."""
    connection = RecordingConnection(postgresql.dialect())
    RowsInsert(table).run(connection, [("a", 1), ("b", 2), ("c", 3), ("d", 4)])  # type: ignore[arg-type]
    [(statement, parameters)] = connection.ran
    assert "%(name_m0)s" in statement
    assert parameters == {
        f"{name}_m{n}": value
        for n, row in enumerate([("a", 1), ("b", 2), ("c", 3), ("d", 4)])
        for name, value in zip(("name", "size"), row, strict=True)
    }
