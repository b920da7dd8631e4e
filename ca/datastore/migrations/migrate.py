"""Bringing a database to the present schema when the server starts."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, column, inspect, select, table

from finial.spiffe.refusal import Kind, Refusal

HEAD: Final = "0004"

_version = table("alembic_version", column("version_num"))


def migrate(engine: Engine, target: str = HEAD) -> None:
    """Bring the schema to `target` in one transaction; nothing is done when it is there.

    Raises: Refusal of kind PRECONDITION when a newer program has been here.
    """
    with engine.begin() as connection:
        found = _revision(connection)
        if found > HEAD:
            raise Refusal(
                Kind.PRECONDITION,
                f"the database has schema {found}, but this program knows none after {HEAD}",
                field="database",
                value=found,
                remedy="start the newer version of the program",
            )
        if found < target:
            _upgrade(connection, target)


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table(_version.name):
        return ""
    return connection.execute(select(_version)).scalar_one_or_none() or ""


def _upgrade(connection: Connection, target: str) -> None:
    # Alembic takes a tenth of a second to import, which only a start that migrates has to spend.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, target)
