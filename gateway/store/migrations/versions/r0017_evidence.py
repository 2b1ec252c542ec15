"""What a recording's sound lacks, kept whatever else comes and goes; and the nights in which the vault was verified,
found in the ledger at once.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

IS_VERIFIED = sa.text("type = 'vault.verified'")


def upgrade() -> None:
    op.add_column("recordings", sa.Column("faults", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index("ix_events_verified", "events", ["at"], sqlite_where=IS_VERIFIED, postgresql_where=IS_VERIFIED)
