"""When the call of a disposition arrived, so that the calls of one disposition are listed without looking at all.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("dispositions", sa.Column("arrived_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_dispositions_disposition_arrived_at_call_id", "dispositions", ["disposition", "arrived_at", "call_id"]
    )
