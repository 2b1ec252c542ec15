"""Bans of addresses at the SIP door; how signalling and sound travel, and
phones' secrets for SHA-256.

Counterpart: `gateway/store/shelves.py` says what each is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
ACTIVE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "bans",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.Column("address", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bans"),
    )
    for table in ("trunks", "operators"):
        op.add_column(table, sa.Column("sound_encryption", WORDS, nullable=False, server_default="none"))
    op.add_column("operators", sa.Column("digest_sha256", WORDS, nullable=False, server_default=""))
    op.add_column("trunks", sa.Column("transport", WORDS, nullable=False, server_default="udp"))
    op.create_index(
        "uq_bans_active_address", "bans", ["address"], unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )
