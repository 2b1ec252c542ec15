"""What a call was, callbacks, agencies; who took a call in the fallback, and what he left there.

Counterpart: `gateway/store/tables.py` and `shelves.py` say what each table is for. This file stays as it is for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)

_ACTIVE = sa.text("retired_at IS NULL")
_OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.add_column("calls", sa.Column("agency", WORDS))
    op.add_column("calls", sa.Column("message", WORDS))
    op.add_column("calls", sa.Column("spoke_at", TIME))
    op.add_column("queues", sa.Column("max_waiting", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("rules", sa.Column("callback_target_min", sa.Integer(), nullable=False, server_default="10"))
    _dispositions()
    _callbacks()
    _agencies()


def _dispositions() -> None:
    op.create_table(
        "dispositions",
        sa.Column("call_id", WORDS, nullable=False),
        sa.Column("caller", WORDS, nullable=False),
        sa.Column("disposition", WORDS, nullable=False),
        sa.Column("category", WORDS),
        sa.Column("note", WORDS, nullable=False),
        sa.Column("operator_id", NUMBER),
        sa.Column("set_by", WORDS, nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_dispositions"),
    )
    op.create_index("ix_dispositions_caller_set_at", "dispositions", ["caller", "set_at"])


def _callbacks() -> None:
    op.create_table(
        "callbacks",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", WORDS, nullable=False),
        sa.Column("trunk", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("tries", sa.JSON(), nullable=False),
        sa.Column("try_count", sa.Integer(), nullable=False),
        sa.Column("last_try_at", TIME, nullable=False),
        sa.Column("claimed_by", NUMBER),
        sa.Column("claimed_at", TIME),
        sa.Column("first_dialled_at", TIME),
        sa.Column("dials", sa.JSON(), nullable=False),
        sa.Column("closed_at", TIME),
        sa.Column("closed_by", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_callbacks"),
    )
    op.create_index(
        "uq_callbacks_open_number", "callbacks", ["number"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_callbacks_open_due_at", "callbacks", ["due_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_callbacks_opened_at", "callbacks", ["opened_at"])


def _agencies() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("service", WORDS, nullable=False),
        sa.Column("phones", sa.JSON(), nullable=False),
        sa.Column("ring_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agencies"),
    )
    op.create_index(
        "uq_agencies_active_service",
        "agencies",
        ["service"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
