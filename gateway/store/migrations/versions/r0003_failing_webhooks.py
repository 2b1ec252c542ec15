"""Since when a webhook's receiver fails, so that a restart does not make it look well.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("failing_since", sa.DateTime(timezone=True)))
