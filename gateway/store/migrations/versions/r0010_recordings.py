"""Recordings, how long they are kept, and legal holds.

Counterpart: `gateway/store/tables.py` and `shelves.py` say what each table is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)

_UNSEALED = sa.text("state IN ('running', 'over')")
_LASTING = sa.text("state IN ('over', 'sealed', 'lost')")
_LOST = sa.text("state = 'lost'")


def upgrade() -> None:
    op.add_column("rules", sa.Column("keep_recordings_days", sa.Integer(), nullable=False, server_default="365"))
    _recordings()
    op.create_table(
        "retention_rules",
        *_kept("retention_rules"),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("disposition", WORDS),
        sa.Column("queue", WORDS),
        sa.Column("keep_days", sa.Integer(), nullable=False),
    )
    op.create_table(
        "legal_holds",
        *_kept("legal_holds"),
        sa.Column("call_id", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("set_by", WORDS, nullable=False),
    )
    op.create_index("ix_legal_holds_call_id", "legal_holds", ["call_id"])
    op.create_table(
        "erasures",
        *_kept("erasures"),
        sa.Column("number", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("asked_by", WORDS, nullable=False),
        sa.Column("pseudonym", WORDS, nullable=False),
        sa.Column("confirmed_by", WORDS, nullable=False),
        sa.Column("confirmed_at", TIME),
        sa.Column("done_at", TIME),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("recordings", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
    )
    op.create_table(
        "trusted_times",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trusted_times"),
    )


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("file", WORDS, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("call_id", WORDS),
        sa.Column("dial_id", WORDS),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("expected_s", sa.Float()),
        sa.Column("talk_s", sa.Float()),
        sa.Column("sound_s", sa.Float()),
        sa.Column("left_dbfs", sa.Float()),
        sa.Column("right_dbfs", sa.Float()),
        sa.Column("problem", WORDS),
        sa.Column("problem_at", TIME),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("try_at", TIME),
        sa.Column("destroyed_at", TIME),
        sa.Column("certificate", WORDS),
        sa.Column("sealed_at", TIME),
        sa.Column("stored", WORDS),
        sa.Column("stored_bytes", NUMBER),
        sa.Column("sound_sha256", WORDS),
        sa.Column("raw_sha256", WORDS),
        sa.Column("manifest_sha256", WORDS),
        sa.Column("entry", sa.Integer()),
        sa.Column("key", WORDS),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
    )
    op.create_index("ix_recordings_started_at_id", "recordings", ["started_at", "id"])
    op.create_index("ix_recordings_call_id", "recordings", ["call_id"])
    op.create_index(
        "ix_recordings_unsealed",
        "recordings",
        ["started_at"],
        sqlite_where=_UNSEALED,
        postgresql_where=_UNSEALED,
    )
    op.create_index(
        "ix_recordings_lasting",
        "recordings",
        ["started_at", "id"],
        sqlite_where=_LASTING,
        postgresql_where=_LASTING,
    )
    op.create_index("ix_recordings_lost", "recordings", ["problem_at"], sqlite_where=_LOST, postgresql_where=_LOST)


def _kept(table: str) -> tuple[sa.Column[object] | sa.PrimaryKeyConstraint, ...]:
    return (
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
