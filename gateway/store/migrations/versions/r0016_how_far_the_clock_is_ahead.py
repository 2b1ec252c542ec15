"""How far the clock that recordings are destroyed by has run ahead of what is known to have passed.

Counterpart: `gateway/store/tables.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("trusted_times", sa.Column("ahead_s", sa.Float(), nullable=False, server_default="0"))
    op.add_column("trusted_times", sa.Column("boot", WORDS, nullable=False, server_default=""))
    op.add_column("trusted_times", sa.Column("up_s", sa.Float(), nullable=False, server_default="0"))
