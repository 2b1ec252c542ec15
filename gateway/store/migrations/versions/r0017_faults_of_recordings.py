"""What a recording's sound lacks, kept whatever else comes and goes.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("recordings", sa.Column("faults", sa.JSON(), nullable=False, server_default="[]"))
