"""Indexes from which a report counts a month of calls, and what they were.

Counterpart: `gateway/store/report_reads.py` reads it. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_OVER = sa.text("outcome IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_calls_report",
        "calls",
        ["arrived_at", "outcome", "trunk", "queue", "answered_at", "operator_id", "id", "relieved_by"],
        sqlite_where=_OVER,
        postgresql_where=_OVER,
    )
    op.create_index("ix_dispositions_set_at_call_id_disposition", "dispositions", ["set_at", "call_id", "disposition"])
