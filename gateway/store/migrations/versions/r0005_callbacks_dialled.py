"""Callbacks that are being dialled, those of one number, and callers whom nobody can call back, each found at once;
and until when each was due first, which `due_at` no longer tells once its clock has begun anew.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=True)
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_DIALLING = sa.text("dialling IS NOT NULL")
_IMPOSSIBLE = sa.text("type = 'callback.impossible'")


def upgrade() -> None:
    op.add_column("callbacks", sa.Column("dialling", WORDS))
    op.add_column("callbacks", sa.Column("is_calling", sa.Boolean(), nullable=False, server_default=sa.false()))
    # of the rows that are there it is `due_at`: SQLite wants some value to begin with
    op.add_column("callbacks", sa.Column("first_due_at", TIME, nullable=False, server_default="1970-01-01 00:00:00"))
    op.execute("UPDATE callbacks SET first_due_at = due_at")
    op.create_index("ix_callbacks_number", "callbacks", ["number", "id"])
    op.create_index(
        "ix_callbacks_dialling", "callbacks", ["dialling"], sqlite_where=_DIALLING, postgresql_where=_DIALLING
    )
    op.create_index("ix_events_impossible", "events", ["at"], sqlite_where=_IMPOSSIBLE, postgresql_where=_IMPOSSIBLE)
