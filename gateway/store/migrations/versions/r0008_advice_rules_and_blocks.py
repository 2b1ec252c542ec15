"""Advice rules, and blocks of numbers.

Counterpart: `gateway/store/shelves.py` says what each table is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "advice_rules",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("condition", WORDS, nullable=False),
        sa.Column("within_min", sa.Integer()),
        sa.Column("least_numbers", sa.Integer()),
        sa.Column("is_by_trunk", sa.Boolean()),
        sa.Column("least_score", sa.Float()),
        sa.Column("number", WORDS),
        sa.Column("is_prefix", sa.Boolean()),
        sa.Column("trunk", WORDS),
        sa.Column("effect", WORDS, nullable=False),
        sa.Column("queue", WORDS),
        sa.PrimaryKeyConstraint("id", name="pk_advice_rules"),
    )
    op.create_table(
        "blocks",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.Column("number", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_blocks"),
    )
    op.create_index("ix_blocks_number", "blocks", ["number"])
    op.create_index("ix_blocks_until", "blocks", ["until"])
    # a burst's different numbers are counted from the index alone
    op.drop_index("ix_calls_trunk_arrived_at_id", "calls")
    op.create_index("ix_calls_trunk_arrived_at_id_caller", "calls", ["trunk", "arrived_at", "id", "caller"])
