"""Callbacks that are being dialled, those of one number, and callers whom nobody can call back, each found at once.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_DIALLING = sa.text("dialling IS NOT NULL")
_IMPOSSIBLE = sa.text("type = 'callback.impossible'")


def upgrade() -> None:
    op.add_column("callbacks", sa.Column("dialling", WORDS))
    op.create_index("ix_callbacks_number", "callbacks", ["number", "id"])
    op.create_index(
        "ix_callbacks_dialling", "callbacks", ["dialling"], sqlite_where=_DIALLING, postgresql_where=_DIALLING
    )
    op.create_index("ix_events_impossible", "events", ["at"], sqlite_where=_IMPOSSIBLE, postgresql_where=_IMPOSSIBLE)
