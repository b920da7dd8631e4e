"""Opening databases of other ages and other owners."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ca.datastore.datastore import Datastore
from ca.datastore.engine.connect import connect_writer
from ca.datastore.ledger import IssuedFilter
from ca.datastore.migrations.migrate import HEAD, migrate
from ca.datastore.tables import metadata
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.datastore import TRUST_DOMAIN, entry, opened, svid, url


def schema(connection: sa.Connection) -> dict[str, object]:
    found = sa.inspect(connection)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((i["name"], i["column_names"]) for i in found.get_indexes(name)),
            sorted(u["column_names"] for u in found.get_unique_constraints(name)),
            sorted((f["constrained_columns"], f["options"]) for f in found.get_foreign_keys(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def refused_opening(folder: Path, trust_domain: TrustDomain = TRUST_DOMAIN) -> Refusal:
    with pytest.raises(Refusal) as refused:
        asyncio.run(Datastore.open(url(folder), StandingClock(), trust_domain))
    return refused.value


def test_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    """The schema that the migrations come to is the one the program works with."""
    migrated = connect_writer(url(tmp_path))
    migrate(migrated)
    declared = sa.create_engine("sqlite://")
    with migrated.begin() as one, declared.begin() as other:
        metadata.create_all(other)
        assert schema(one) == schema(other)
    migrated.dispose()


def test_tables_are_words_that_postgresql_knows() -> None:
    """Nothing in the schema is SQLite's alone; rows are numbered by PostgreSQL itself."""
    dialect = postgresql.dialect()
    made = {
        table.name: str(sa.schema.CreateTable(table).compile(dialect=dialect))
        for table in metadata.sorted_tables
    }
    assert "number BIGSERIAL" in made["issued"]
    assert "digest BYTEA" in made["entries"]


def test_older_database_is_brought_up_to_date(tmp_path: Path) -> None:
    """A database of the first schema keeps its entries and gets what came later."""
    engine = connect_writer(url(tmp_path))
    migrate(engine, "0001")
    with engine.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
        assert "entries" in tables
        assert "issued" not in tables
        connection.exec_driver_sql(
            "INSERT INTO entries VALUES ('web', x'00', 'spiffe://example.org/web',"
            " 'spiffe://example.org/spire/agent/x509pop/one', '[\"unix:uid:1000\"]',"
            " 0, 0, 0, 0, 0, 0, '', '', 0, 0, '', 3, 5)"
        )
    engine.dispose()

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            [found] = await datastore.load_entries()
            assert (found.id, found.revision_number) == ("web", 3)
            await datastore.record_issued([svid("1")])
            assert len((await datastore.list_issued(IssuedFilter())).items) == 1

    asyncio.run(act())


def test_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A migration is one transaction: after a failure the old schema is still whole."""
    engine = connect_writer(url(tmp_path))
    migrate(engine, "0001")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE issued_by_expiry (x TEXT)")
    with pytest.raises(sa.exc.OperationalError):
        migrate(engine)
    with engine.begin() as connection:
        assert "issued" not in sa.inspect(connection).get_table_names()
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        assert version == "0001"
        connection.exec_driver_sql("DROP TABLE issued_by_expiry")
    migrate(engine)
    engine.dispose()


def test_newer_database_is_refused(tmp_path: Path) -> None:
    """A database that a newer program has changed is not touched."""
    engine = connect_writer(url(tmp_path))
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    refusal = refused_opening(tmp_path)
    assert refusal.kind is Kind.PRECONDITION
    assert refusal.detail == (
        f"the database has schema 9999, but this program knows none after {HEAD}"
    )


def test_database_of_another_trust_domain_is_refused(tmp_path: Path) -> None:
    """A database remembers its trust domain and serves no other."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("web")])

    asyncio.run(act())
    refusal = refused_opening(tmp_path, TrustDomain("other.example"))
    assert refusal.kind is Kind.PRECONDITION
    assert refusal.detail == (
        "the database belongs to the trust domain example.org, not other.example"
    )


def test_older_database_of_another_trust_domain_is_left_alone(tmp_path: Path) -> None:
    """Another trust domain's database is refused before anything in it is migrated."""
    engine = connect_writer(url(tmp_path))
    migrate(engine, "0001")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO facts VALUES ('trust_domain', 'other.example')")
    assert refused_opening(tmp_path).kind is Kind.PRECONDITION
    with engine.begin() as connection:
        assert "issued" not in sa.inspect(connection).get_table_names()
    engine.dispose()


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else is refused in words, and left as it is."""
    file = tmp_path / "ca.sqlite"
    file.write_text("this is a letter, not a database; " * 40)
    before = file.read_bytes()
    refusal = refused_opening(tmp_path)
    assert (refusal.kind, refusal.detail) == (
        Kind.UNAVAILABLE,
        "the file is not a database of this program",
    )
    assert file.read_bytes() == before


def test_database_is_private_and_durable(tmp_path: Path) -> None:
    """The database and its journals are the owner's alone, and every commit reaches the disk."""

    async def act() -> None:
        async with opened(tmp_path) as datastore:
            await datastore.create_entries([entry("web")])
            assert modes(tmp_path) == {0o600}
            with sqlite3.connect(tmp_path / "ca.sqlite") as plain:
                assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    asyncio.run(act())


@pytest.mark.parametrize(
    "address", ["", "no address", "sqlite://", "sqlite:///:memory:", "nosuch://x", "postgresql://x"]
)
def test_unusable_address_is_refused(address: str) -> None:
    """An address that names no database file is refused, a database in memory too."""
    with pytest.raises(Refusal) as refused:
        connect_writer(address)
    assert (refused.value.kind, refused.value.field) == (Kind.INVALID, "database")


def test_missing_folder_and_symbolic_link_are_refused(tmp_path: Path) -> None:
    """A file that cannot be made, or that is a link to elsewhere, is refused."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("none/ca.sqlite", "link"):
        with pytest.raises(Refusal) as refused:
            connect_writer(f"sqlite:///{tmp_path}/{name}")
        assert refused.value.kind is Kind.UNAVAILABLE
    assert not (tmp_path / "elsewhere").exists()
