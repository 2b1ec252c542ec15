"""Tokens that expire and rotate, and when each was last used.

Counterpart: `gateway/store/tables.py` and `shelves.py`. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("tokens", sa.Column("valid_days", sa.Integer()))
    op.add_column("tokens", sa.Column("expires_at", TIME))
    op.add_column("tokens", sa.Column("previous_hash", WORDS))
    op.add_column("tokens", sa.Column("previous_until", TIME))
    op.create_index("ix_tokens_previous_hash", "tokens", ["previous_hash"])
    op.create_table(
        "token_uses",
        sa.Column("token_id", NUMBER, nullable=False),
        sa.Column("used_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_token_uses"),
    )
