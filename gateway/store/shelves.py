"""The shelves: one table for each kind of thing that admins keep, one column for each of its fields.

Counterpart: `gateway/domain/kept.py` says what they share; `repository.py` puts things on their shelves and takes them
down by `Shelf` alone, whatever their kind.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Identity, Index, Integer, RowMapping, Table, text

from gateway.domain.advice_rules import AdviceRule, Condition, Effect
from gateway.domain.agencies import Agency, DutyPhone, Service
from gateway.domain.bans import Ban
from gateway.domain.blocks import Block
from gateway.domain.books import PauseReason, Rules
from gateway.domain.dispositions import Disposition
from gateway.domain.encryption import SoundEncryption, Transport
from gateway.domain.erasing import Erasure
from gateway.domain.kept import Kept
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue, Strategy
from gateway.domain.retention import LegalHold, RetentionRule
from gateway.domain.roster import Absence, Assignment, OnCall, Swap, SwapState
from gateway.domain.shifts import Shift
from gateway.domain.tokens import Role, Token
from gateway.domain.trunks import Registration, Trunk
from gateway.store.columns import (
    Day,
    Key,
    Number,
    OneOf,
    Shaped,
    UtcTime,
    WallTime,
    Words,
    several_days,
    several_words,
)
from gateway.store.tables import metadata

_ACTIVE = text("retired_at IS NULL")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one kind is kept. `unique` names the field that no two active ones share, None where there is no such."""

    kind: type[Kept]
    table: Table
    unique: str | None

    def row(self, thing: Kept) -> dict[str, Any]:
        """The thing's row, without the id."""
        return {field.name: getattr(thing, field.name) for field in fields(thing) if field.name != "id"}

    def thing(self, row: RowMapping) -> Kept:
        return self.kind(**row)


def _shelf(kind: type[Kept], name: str, *columns: Column[Any], unique: str | None = None) -> Shelf:
    table = Table(
        name,
        metadata,
        Column("id", Number, Identity(), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("created_at", UtcTime, nullable=False),
        Column("retired_at", UtcTime),
        *columns,
    )
    if unique:
        Index(
            f"uq_{name}_active_{unique}", table.c[unique], unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE
        )
    return Shelf(kind, table, unique)


def _registration() -> Shaped:
    return Shaped(asdict, lambda found: Registration(**found))


def _duty_phones() -> Shaped:
    return Shaped(
        lambda phones: [asdict(each) for each in phones], lambda found: tuple(DutyPhone(**each) for each in found)
    )


_ALL: Final = (
    _shelf(
        Operator,
        "operators",
        Column("name", Words, nullable=False),
        Column("phone", Key, nullable=False),
        Column("digest", Words, nullable=False),
        Column("contact", Words),
        Column("skills", several_words(), nullable=False),
        Column("languages", several_words(), nullable=False),
        Column("home_queues", several_words(), nullable=False),
        Column("digest_sha256", Words, nullable=False),
        Column("sound_encryption", OneOf(SoundEncryption), nullable=False),
        unique="phone",
    ),
    _shelf(
        Queue,
        "queues",
        Column("name", Key, nullable=False),
        Column("strategy", OneOf(Strategy), nullable=False),
        Column("ring_s", Integer, nullable=False),
        Column("wrap_up_s", Integer, nullable=False),
        Column("max_wait_s", Integer, nullable=False),
        Column("max_waiting", Integer, nullable=False),
        Column("weight", Integer, nullable=False),
        Column("service_level_s", Integer, nullable=False),
        Column("minimum", Integer, nullable=False),
        Column("announces_position", Boolean, nullable=False),
        Column("music", Words),
        unique="name",
    ),
    _shelf(
        Trunk,
        "trunks",
        Column("name", Key, nullable=False),
        Column("carrier", Words, nullable=False),
        Column("addresses", several_words(), nullable=False),
        Column("port", Integer, nullable=False),
        Column("codecs", several_words(), nullable=False),
        Column("queue", Words),
        Column("channels", Integer),
        Column("is_asked", Boolean, nullable=False),
        Column("registration", _registration()),
        Column("transport", OneOf(Transport), nullable=False),
        Column("sound_encryption", OneOf(SoundEncryption), nullable=False),
        unique="name",
    ),
    _shelf(
        Shift,
        "shifts",
        Column("name", Key, nullable=False),
        Column("start", WallTime, nullable=False),
        Column("end", WallTime, nullable=False),
        Column("rule", Words, nullable=False),
        Column("first_date", Day, nullable=False),
        Column("last_date", Day),
        Column("exceptions", several_days(), nullable=False),
        Column("overlap_min", Integer, nullable=False),
        unique="name",
    ),
    _shelf(
        Assignment,
        "assignments",
        Column("operator_id", Number, nullable=False, index=True),
        Column("shift_id", Number, nullable=False),
        Column("queue", Key, nullable=False),
        Column("penalty", Integer, nullable=False),
        Column("first_date", Day, nullable=False),
        Column("last_date", Day, nullable=False, index=True),
    ),
    _shelf(
        Absence,
        "absences",
        Column("operator_id", Number, nullable=False, index=True),
        Column("from_at", UtcTime, nullable=False),
        Column("until_at", UtcTime, nullable=False, index=True),
        Column("reason", Words, nullable=False),
    ),
    _shelf(
        Swap,
        "swaps",
        Column("operator_id", Number, nullable=False),
        Column("shift_id", Number, nullable=False),
        Column("date", Day, nullable=False, index=True),
        Column("state", OneOf(SwapState), nullable=False),
        Column("taken_by", Number),
        Column("note", Words, nullable=False),
    ),
    _shelf(
        OnCall,
        "on_call",
        Column("operator_id", Number, nullable=False),
        Column("place", Integer, nullable=False),
        Column("queues", several_words(), nullable=False),
        Column("number", Words),
        Column("trunk", Words),
        Column("from_at", UtcTime),
        Column("until_at", UtcTime),
    ),
    _shelf(
        PauseReason,
        "pause_reasons",
        Column("digit", Key, nullable=False),
        Column("name", Words, nullable=False),
        unique="digit",
    ),
    _shelf(
        Rules,
        "rules",
        Column("missed_rings_limit", Integer, nullable=False),
        Column("least_rest_h", Float, nullable=False),
        Column("gap_horizon_days", Integer, nullable=False),
        Column("short_after_s", Integer, nullable=False),
        Column("on_call_ring_s", Integer, nullable=False),
        Column("on_call_again_min", Integer, nullable=False),
        Column("lone_check_min", Integer),
        Column("lone_answer_s", Integer, nullable=False),
        Column("callback_target_min", Integer, nullable=False),
        Column("callback_abroad", Boolean, nullable=False),
        Column("flood_trunk_per_min", Integer),
        Column("flood_factor", Float, nullable=False),
        Column("flood_number_per_10min", Integer, nullable=False),
        Column("quiet_after_min", Integer, nullable=False),
        Column("keep_recordings_days", Integer, nullable=False),
    ),
    _shelf(
        Agency,
        "agencies",
        Column("name", Words, nullable=False),
        Column("service", OneOf(Service), nullable=False),
        Column("phones", _duty_phones(), nullable=False),
        Column("ring_s", Integer, nullable=False),
        unique="service",
    ),
    _shelf(
        AdviceRule,
        "advice_rules",
        Column("name", Words, nullable=False),
        Column("place", Integer, nullable=False),
        Column("is_on", Boolean, nullable=False),
        Column("condition", OneOf(Condition), nullable=False),
        Column("within_min", Integer),
        Column("least_numbers", Integer),
        Column("is_by_trunk", Boolean),
        Column("least_score", Float),
        Column("number", Words),
        Column("is_prefix", Boolean),
        Column("trunk", Words),
        Column("effect", OneOf(Effect), nullable=False),
        Column("queue", Words),
    ),
    _shelf(
        Block,
        "blocks",
        Column("number", Key, nullable=False, index=True),
        Column("reason", Words, nullable=False),
        Column("until", UtcTime, nullable=False, index=True),
    ),
    _shelf(
        Ban,
        "bans",
        Column("address", Key, nullable=False),
        Column("reason", Words, nullable=False),
        Column("until", UtcTime, nullable=False),
        unique="address",
    ),
    _shelf(
        RetentionRule,
        "retention_rules",
        Column("name", Words, nullable=False),
        Column("place", Integer, nullable=False),
        Column("disposition", OneOf(Disposition)),
        Column("queue", Words),
        Column("keep_days", Integer, nullable=False),
    ),
    _shelf(
        LegalHold,
        "legal_holds",
        Column("call_id", Key, nullable=False, index=True),
        Column("reason", Words, nullable=False),
        Column("set_by", Words, nullable=False),
        Column("lift_reason", Words, nullable=False),
        Column("lift_asked_by", Words, nullable=False),
        Column("lift_asked_at", UtcTime),
        Column("lifted_by", Words, nullable=False),
    ),
    _shelf(
        Erasure,
        "erasures",
        Column("number", Key, nullable=False),
        Column("reason", Words, nullable=False),
        Column("asked_by", Words, nullable=False),
        Column("pseudonym", Key, nullable=False),
        Column("confirmed_by", Words, nullable=False),
        Column("confirmed_at", UtcTime),
        Column("done_at", UtcTime),
        Column("calls", Integer, nullable=False),
        Column("recordings", Integer, nullable=False),
        Column("left_out", Integer, nullable=False),
    ),
    _shelf(
        Token,
        "tokens",
        Column("name", Key, nullable=False),
        Column("role", OneOf(Role), nullable=False),
        Column("operator_id", Number),
        Column("token_hash", Key, nullable=False, unique=True),
        Column("valid_days", Integer),
        Column("expires_at", UtcTime),
        Column("previous_hash", Key, index=True),
        Column("previous_until", UtcTime),
        unique="name",
    ),
)

SHELVES: Final[Mapping[type[Kept], Shelf]] = {shelf.kind: shelf for shelf in _ALL}
