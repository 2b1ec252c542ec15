"""Recordings of calls back found by their dials, and those whose destruction has begun, without going through all.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

IS_OF_A_DIAL = sa.text("dial_id IS NOT NULL")
IS_BEGUN = sa.text("destroyed_at IS NOT NULL AND state IN ('over', 'sealed', 'lost')")


def upgrade() -> None:
    for name, columns, condition in (
        ("ix_recordings_dial_id", ["dial_id"], IS_OF_A_DIAL),
        ("ix_recordings_begun", ["started_at", "id"], IS_BEGUN),
    ):
        op.create_index(name, "recordings", columns, sqlite_where=condition, postgresql_where=condition)
