"""The schema's steps, one file each in `versions/`, carried out by Alembic inside the transaction that opens the store.

Counterpart: `gateway/store/tables.py` is what all steps together come to. To add one: a new file in `versions/` whose
`down_revision` is the newest revision so far; it runs on SQLite and on PostgreSQL. A step only adds (tables, indexes,
columns that may be left out): so a gateway of the version before can go on with what it made, and a backup of any
version before is restored by this one.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway import __version__
from gateway.store.tables import metadata


class SchemaTooNew(Exception):
    """The database was made by a newer gateway, and this one does not know how to use it."""


def refuse_newer(connection: Connection) -> None:
    """Raises SchemaTooNew where the schema is none that this gateway knows. Changes nothing."""
    refuse(schema_of(connection))


def schema_of(connection: Connection) -> tuple[str, ...]:
    """The schema's revision, as it stands in the database; empty where there is none yet."""
    return MigrationContext.configure(connection).get_current_heads()


def refuse(there: Collection[str]) -> None:
    """Raises SchemaTooNew where one of those revisions is none that this gateway knows."""
    script = _script()
    known = {step.revision for step in script.walk_revisions()}
    if unknown := sorted(set(there) - known):
        raise SchemaTooNew(
            f"the database's schema is {', '.join(unknown)}, which this gateway does not know (version {__version__}, "
            f"its newest is {script.get_current_head()}): install the newer gateway again, or restore the backup from "
            f"before it"
        )


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))


def upgrade(connection: Connection, to: str = "head") -> None:
    """Brings the schema up to date, or to that revision, in the connection's transaction. Raises SchemaTooNew; nothing
    is changed then."""
    script = _script()
    there = schema_of(connection)
    if set(there) == set(script.get_heads()):
        return
    refuse(there)

    def steps(revision: Any, context: MigrationContext) -> Any:
        return script._upgrade_revs(to, revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=metadata)
        environment.run_migrations()
