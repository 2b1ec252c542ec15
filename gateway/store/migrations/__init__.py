"""The schema's steps, one file each in `versions/`, carried out by Alembic inside the transaction that opens the store.

Counterpart: `gateway/store/tables.py` is what all steps together come to. To add one: a new file in `versions/` whose
`down_revision` is the newest revision so far; it runs on SQLite and on PostgreSQL.
"""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.store.tables import metadata


class SchemaTooNew(Exception):
    """The database was made by a newer gateway, and this one does not know how to use it."""


def upgrade(connection: Connection) -> None:
    """Brings the schema up to date, in the connection's transaction. Raises SchemaTooNew; nothing is changed then."""
    script = ScriptDirectory(str(Path(__file__).parent))
    known = {step.revision for step in script.walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    if set(there) == set(script.get_heads()):
        return
    if unknown := sorted(set(there) - known):
        raise SchemaTooNew(
            f"the database's schema is {', '.join(unknown)}, which this gateway does not know (its newest is "
            f"{script.get_current_head()}): install the newer gateway again, or restore the backup from before it"
        )

    def steps(revision: Any, context: MigrationContext) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=metadata)
        environment.run_migrations()
