"""Operators, queues and rosters: what admins keep, with versions; presences, alarms, the audit log.

Counterpart: `gateway/store/tables.py` and `shelves.py` say what each table is for. This file stays as it is for ever.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)

_ACTIVE = sa.text("retired_at IS NULL")
_STANDS = sa.text("cleared_at IS NULL")


def upgrade() -> None:
    op.add_column("calls", sa.Column("operator_id", NUMBER))
    op.add_column("calls", sa.Column("operator_name", WORDS))
    op.add_column("journal_positions", sa.Column("tail", WORDS, nullable=False, server_default=""))
    _operators()
    _set_up()
    _roster()
    _people()
    _watch()
    _audit()


def _kept(name: str, *columns: sa.schema.SchemaItem, unique: str | None = None) -> None:
    op.create_table(
        name,
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retired_at", TIME),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    if unique:
        op.create_index(
            f"uq_{name}_active_{unique}",
            name,
            [unique],
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        )


def _words(name: str) -> "sa.Column[Any]":
    return sa.Column(name, WORDS, nullable=False)


def _number(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Integer(), nullable=False)


def _json(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.JSON(), nullable=False)


def _operators() -> None:
    op.add_column("operators", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    for name in ("skills", "languages", "home_queues"):
        op.add_column("operators", sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))


def _set_up() -> None:
    _kept(
        "queues",
        *(_words("name"), _words("strategy")),
        *(_number("ring_s"), _number("wrap_up_s"), _number("max_wait_s")),
        *(_number("weight"), _number("service_level_s"), _number("minimum")),
        sa.Column("announces_position", sa.Boolean(), nullable=False),
        sa.Column("music", WORDS),
        unique="name",
    )
    _kept(
        "trunks",
        *(_words("name"), _words("carrier"), _json("addresses"), _number("port"), _json("codecs")),
        sa.Column("queue", WORDS),
        sa.Column("channels", sa.Integer()),
        sa.Column("is_asked", sa.Boolean(), nullable=False),
        sa.Column("registration", sa.JSON()),
        unique="name",
    )
    _kept("pause_reasons", _words("digit"), _words("name"), unique="digit")
    _kept(
        "rules",
        _number("missed_rings_limit"),
        sa.Column("least_rest_h", sa.Float(), nullable=False),
        *(_number("gap_horizon_days"), _number("short_after_s")),
        *(_number("on_call_ring_s"), _number("on_call_again_min")),
        sa.Column("lone_check_min", sa.Integer()),
        _number("lone_answer_s"),
    )


def _roster() -> None:
    _kept(
        "shifts",
        *(_words("name"), _words("start"), _words("end"), _words("rule"), _words("first_date")),
        sa.Column("last_date", WORDS),
        *(_json("exceptions"), _number("overlap_min")),
        unique="name",
    )
    _kept(
        "assignments",
        sa.Column("operator_id", NUMBER, nullable=False),
        sa.Column("shift_id", NUMBER, nullable=False),
        *(_words("queue"), _number("penalty"), _words("first_date"), _words("last_date")),
    )
    op.create_index("ix_assignments_operator_id", "assignments", ["operator_id"])
    op.create_index("ix_assignments_last_date", "assignments", ["last_date"])
    _kept(
        "absences",
        sa.Column("operator_id", NUMBER, nullable=False),
        sa.Column("from_at", TIME, nullable=False),
        sa.Column("until_at", TIME, nullable=False),
        _words("reason"),
    )
    op.create_index("ix_absences_operator_id", "absences", ["operator_id"])
    op.create_index("ix_absences_until_at", "absences", ["until_at"])
    _kept(
        "swaps",
        sa.Column("operator_id", NUMBER, nullable=False),
        sa.Column("shift_id", NUMBER, nullable=False),
        *(_words("date"), _words("state")),
        sa.Column("taken_by", NUMBER),
        _words("note"),
    )
    op.create_index("ix_swaps_date", "swaps", ["date"])
    _kept(
        "on_call",
        sa.Column("operator_id", NUMBER, nullable=False),
        *(_number("place"), _json("queues")),
        *(sa.Column("number", WORDS), sa.Column("trunk", WORDS)),
        *(sa.Column("from_at", TIME), sa.Column("until_at", TIME)),
    )


def _people() -> None:
    # until now there was one token, the admin's, which each start writes anew from its file
    op.drop_table("tokens")
    _kept(
        "tokens",
        *(_words("name"), _words("role")),
        sa.Column("operator_id", NUMBER),
        _words("token_hash"),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
        unique="name",
    )
    op.create_table(
        "presences",
        sa.Column("operator_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("said", WORDS),
        sa.Column("said_at", TIME),
        sa.Column("until", TIME),
        _json("queues"),
        sa.Column("pause", WORDS),
        sa.Column("paused_at", TIME),
        _number("misses"),
        sa.PrimaryKeyConstraint("operator_id", name="pk_presences"),
    )


def _watch() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", NUMBER, sa.Identity(), nullable=False),
        *(_words("kind"), _words("subject"), _words("detail")),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("cleared_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index(
        "uq_alarms_standing",
        "alarms",
        ["kind", "subject"],
        unique=True,
        sqlite_where=_STANDS,
        postgresql_where=_STANDS,
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        *(_words("actor"), _words("role"), _words("address"), _words("action"), _words("subject")),
        *(_words("before"), _words("after"), _words("note"), _words("previous"), _words("hash")),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_subject_seq", "audit", ["subject", "seq"])
    op.create_index("ix_audit_actor_seq", "audit", ["actor", "seq"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is never changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_never_changes BEFORE UPDATE OR DELETE ON audit "
            "FOR EACH ROW EXECUTE FUNCTION audit_is_never_changed()"
        )
    else:
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_never_{deed.lower()}s BEFORE {deed} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END"
            )
