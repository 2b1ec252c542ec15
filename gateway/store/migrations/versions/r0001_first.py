"""The first schema: the ledger, calls, the journal's positions, and what admins keep.

Counterpart: `gateway/store/tables.py` says what each table is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _ledger()
    _calls()
    _journal()
    _people()
    _outside()


def _ledger() -> None:
    op.create_table(
        "events",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("type", WORDS, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("call_id", WORDS),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.create_index("ix_events_call_id_seq", "events", ["call_id", "seq"])


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("trunk", WORDS, nullable=False),
        sa.Column("caller", WORDS, nullable=False),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("stage", WORDS, nullable=False),
        sa.Column("caller_name", WORDS, nullable=False),
        sa.Column("dialled", WORDS, nullable=False),
        sa.Column("sip_call_id", WORDS, nullable=False),
        sa.Column("diversion", WORDS, nullable=False),
        sa.Column("access_network", WORDS, nullable=False),
        sa.Column("geolocation", WORDS, nullable=False),
        sa.Column("location", WORDS, nullable=False),
        sa.Column("greeted_at", TIME),
        sa.Column("queued_at", TIME),
        sa.Column("answered_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("queue", WORDS),
        sa.Column("priority", NUMBER, nullable=False),
        sa.Column("operator", WORDS),
        sa.Column("relieved_by", WORDS),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("outcome", WORDS),
        sa.Column("hung_up_by", WORDS),
        sa.Column("cause", NUMBER),
        sa.Column("recording", WORDS),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_arrived_at_id", "calls", ["arrived_at", "id"])
    op.create_index("ix_calls_outcome_arrived_at_id_trunk", "calls", ["outcome", "arrived_at", "id", "trunk"])
    for name in ("trunk", "operator", "caller"):
        op.create_index(f"ix_calls_{name}_arrived_at_id", "calls", [name, "arrived_at", "id"])
    running = sa.text("ended_at IS NULL")
    op.create_index("ix_calls_running", "calls", ["trunk"], sqlite_where=running, postgresql_where=running)


def _journal() -> None:
    op.create_table(
        "journal_positions",
        sa.Column("segment", WORDS, nullable=False),
        sa.Column("offset", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("segment", name="pk_journal_positions"),
    )
    op.create_table(
        "set_aside",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("raw", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_set_aside"),
    )


def _people() -> None:
    op.create_table(
        "operators",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("phone", WORDS, nullable=False),
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("contact", WORDS),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_operators"),
    )
    active = sa.text("retired_at IS NULL")
    op.create_index(
        "uq_operators_active_phone", "operators", ["phone"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_table(
        "members",
        sa.Column("queue", WORDS, nullable=False),
        sa.Column("phone", WORDS, nullable=False),
        sa.Column("penalty", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("queue", "phone", name="pk_members"),
    )


def _outside() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("url", WORDS, nullable=False),
        sa.Column("secret", WORDS, nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("after_seq", NUMBER, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_table(
        "tokens",
        sa.Column("token_hash", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("role", WORDS, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_tokens"),
        sa.UniqueConstraint("name", name="uq_tokens_name"),
    )
