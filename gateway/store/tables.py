"""The tables, as the code of today uses them.

Counterpart: `migrations/`, which makes them in a database step by step; a test holds the two equal. JSON columns are
JSON and not JSONB on PostgreSQL: the order of names and the digits of numbers stay as they were written.
"""

from sqlalchemy import JSON, Boolean, Column, Float, Identity, Index, Integer, MetaData, Table, desc, func, text

from gateway.domain.callbacks import State, Why
from gateway.domain.dispositions import Category, Disposition
from gateway.domain.presence import Said
from gateway.domain.recordings import Kind
from gateway.domain.recordings import State as SoundState
from gateway.store.columns import Key, Number, OneOf, UtcTime, Words, several_words

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)

events = Table(
    "events",
    metadata,
    # numbered by the repository: a database's own sequence leaves a hole wherever a transaction fails
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("type", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("call_id", Key),
    Column("data", JSON, nullable=False),
    Index("ix_events_call_id_seq", "call_id", "seq"),
)
"""The ledger. Rows are added and never changed."""

calls = Table(
    "calls",
    metadata,
    Column("id", Key, primary_key=True),
    Column("trunk", Key, nullable=False),
    Column("caller", Key, nullable=False),
    Column("arrived_at", UtcTime, nullable=False),
    Column("stage", Words, nullable=False),
    Column("caller_name", Words, nullable=False),
    Column("dialled", Words, nullable=False),
    Column("sip_call_id", Words, nullable=False),
    Column("diversion", Words, nullable=False),
    Column("access_network", Words, nullable=False),
    Column("geolocation", Words, nullable=False),
    Column("location", Words, nullable=False),
    Column("greeted_at", UtcTime),
    Column("queued_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("queue", Key),
    Column("priority", Number, nullable=False),
    Column("operator", Key),
    Column("operator_id", Number),
    Column("operator_name", Words),
    Column("relieved_by", Words),
    Column("agency", Words),
    Column("message", Words),
    Column("spoke_at", UtcTime),
    Column("attempts", JSON, nullable=False),
    Column("outcome", Key),
    Column("hung_up_by", Words),
    Column("cause", Number),
    Column("recording", Words),
)
"""Calls as they are now: one row each, one column for each field of `domain.call.Call`."""

# each filter of the list of calls walks an index of its own, newest call first; the trunk at the end of the second
# lets calls be counted by outcome, without the probe's, from the index alone
Index("ix_calls_arrived_at_id", calls.c.arrived_at, calls.c.id)
Index("ix_calls_outcome_arrived_at_id_trunk", calls.c.outcome, calls.c.arrived_at, calls.c.id, calls.c.trunk)
# the caller at its end lets the different numbers of a burst be counted for each advice from the index alone
Index("ix_calls_trunk_arrived_at_id_caller", calls.c.trunk, calls.c.arrived_at, calls.c.id, calls.c.caller)
Index("ix_calls_operator_arrived_at_id", calls.c.operator, calls.c.arrived_at, calls.c.id)
Index("ix_calls_caller_arrived_at_id", calls.c.caller, calls.c.arrived_at, calls.c.id)

# a report counts a month of calls from this alone: one more entry a call, made when it is over
_OVER = text("outcome IS NOT NULL")
_COUNTED = ("arrived_at", "outcome", "trunk", "queue", "answered_at", "operator_id", "id", "relieved_by")
Index(
    "ix_calls_report",
    *(calls.c[name] for name in _COUNTED),
    sqlite_where=_OVER,
    postgresql_where=_OVER,
)

_RUNNING = text("ended_at IS NULL")
Index("ix_calls_running", calls.c.trunk, sqlite_where=_RUNNING, postgresql_where=_RUNNING)

journal_positions = Table(
    "journal_positions",
    metadata,
    Column("segment", Key, primary_key=True),
    Column("offset", Number, nullable=False),
    Column("tail", Words, nullable=False),
)
"""How far each journal segment is stored: in bytes, and the time of the record that ends there."""

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", Number, Identity(), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("source", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("raw", Words, nullable=False),
)
"""Records that could not be used, kept whole."""

members = Table(
    "members",
    metadata,
    Column("queue", Key, primary_key=True),
    Column("phone", Key, primary_key=True),
    Column("penalty", Integer, nullable=False),
)
"""Phones' standing places in queues: whatever the roster says."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("url", Words, nullable=False),
    Column("secret", Words, nullable=False),
    Column("types", JSON, nullable=False),
    Column("after_seq", Number, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("failing_since", UtcTime),
)
"""Receivers of events, and how far each has come."""

presences = Table(
    "presences",
    metadata,
    Column("operator_id", Number, primary_key=True, autoincrement=False),
    Column("said", OneOf(Said)),
    Column("said_at", UtcTime),
    Column("until", UtcTime),
    Column("queues", several_words(), nullable=False),
    Column("pause", Words),
    Column("paused_at", UtcTime),
    Column("misses", Integer, nullable=False),
)
"""What each operator said last about being there."""

dispositions = Table(
    "dispositions",
    metadata,
    Column("call_id", Key, primary_key=True),
    Column("caller", Key, nullable=False),
    Column("disposition", OneOf(Disposition), nullable=False),
    Column("category", OneOf(Category)),
    Column("note", Words, nullable=False),
    Column("operator_id", Number),
    Column("set_by", Words, nullable=False),
    Column("set_at", UtcTime, nullable=False),
    # the call's own, copied by the repository: so the calls of one disposition are walked by an index, and what was
    # said of a number is read with its trunk from this table alone
    Column("arrived_at", UtcTime),
    Column("trunk", Key),
    Index("ix_dispositions_caller_set_at", "caller", "set_at"),
    Index("ix_dispositions_disposition_arrived_at_call_id", "disposition", "arrived_at", "call_id"),
    # a report reads what was said since its first day from this alone
    Index("ix_dispositions_set_at_call_id_disposition", "set_at", "call_id", "disposition"),
)
"""What calls were, as people said; one row a call."""

CAME_AT = func.coalesce(dispositions.c.arrived_at, dispositions.c.set_at, type_=UtcTime)
"""When the call of a disposition arrived; as good as known where it was stored without that."""

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Number, Identity(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("number", Key, nullable=False),
    Column("trunk", Words, nullable=False),
    Column("state", OneOf(State), nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("first_due_at", UtcTime, nullable=False),
    Column("tries", JSON, nullable=False),
    Column("try_count", Integer, nullable=False),
    Column("last_try_at", UtcTime, nullable=False),
    Column("claimed_by", Number),
    Column("claimed_at", UtcTime),
    Column("first_dialled_at", UtcTime),
    Column("dials", JSON, nullable=False),
    Column("dialling", Words),
    Column("is_calling", Boolean, nullable=False),
    Column("only_trunk", Words),
    Column("only_why", OneOf(Why)),
    Column("closed_at", UtcTime),
    Column("closed_by", Words, nullable=False),
    Column("reason", Words, nullable=False),
)
"""Callers whom nobody heard, one open task a number. `dialling` is the dial that goes on, one of `dials`; `is_calling`
says whether the number itself is called by it. `only_trunk` and `only_why` are what all its tries have in common."""

_OPEN = text("closed_at IS NULL")
Index("uq_callbacks_open_number", callbacks.c.number, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("ix_callbacks_open_due_at", callbacks.c.due_at, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("ix_callbacks_opened_at", callbacks.c.opened_at)
Index("ix_callbacks_number", callbacks.c.number, callbacks.c.id)

_DIALLING = text("dialling IS NOT NULL")
Index("ix_callbacks_dialling", callbacks.c.dialling, sqlite_where=_DIALLING, postgresql_where=_DIALLING)

IS_IMPOSSIBLE = text("type = 'callback.impossible'")
"""As the index has it: a bound value would not be seen to be the same."""
Index("ix_events_impossible", events.c.at, sqlite_where=IS_IMPOSSIBLE, postgresql_where=IS_IMPOSSIBLE)
IS_VERIFIED = text("type = 'vault.verified'")
"""As the index has it."""
Index("ix_events_verified", events.c.at, sqlite_where=IS_VERIFIED, postgresql_where=IS_VERIFIED)

recordings = Table(
    "recordings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", OneOf(Kind), nullable=False),
    Column("file", Words, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("call_id", Key),
    Column("dial_id", Key),
    Column("state", OneOf(SoundState), nullable=False),
    Column("ended_at", UtcTime),
    Column("expected_s", Float),
    Column("talk_s", Float),
    Column("sound_s", Float),
    Column("left_dbfs", Float),
    Column("right_dbfs", Float),
    Column("problem", Words),
    Column("problem_at", UtcTime),
    Column("faults", JSON, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("try_at", UtcTime),
    Column("destroyed_at", UtcTime),
    Column("certificate", Words),
    # the seal: none of these before it is there
    Column("sealed_at", UtcTime),
    Column("stored", Words),
    Column("stored_bytes", Number),
    Column("sound_sha256", Words),
    Column("raw_sha256", Words),
    Column("manifest_sha256", Words),
    Column("entry", Integer),
    Column("key", Words),
    Index("ix_recordings_started_at_id", "started_at", "id"),
    Index("ix_recordings_call_id", "call_id"),
)
"""Files of sound, one row each, one column for each field of `domain.recordings.Recording` and of its `Seal`."""

IS_UNSEALED = text("state IN ('running', 'over')")
"""As the index has it: a bound value would not be seen to be the same."""
Index("ix_recordings_unsealed", recordings.c.started_at, sqlite_where=IS_UNSEALED, postgresql_where=IS_UNSEALED)

IS_LOST = text("state = 'lost'")
"""As the index has it."""
Index("ix_recordings_lost", recordings.c.problem_at, sqlite_where=IS_LOST, postgresql_where=IS_LOST)

IS_LASTING = text("state IN ('over', 'sealed', 'lost')")
"""Of a recording: it may still be destroyed. As the index has it."""
Index(
    "ix_recordings_lasting",
    recordings.c.started_at,
    recordings.c.id,
    sqlite_where=IS_LASTING,
    postgresql_where=IS_LASTING,
)

IS_BEGUN = text(f"destroyed_at IS NOT NULL AND {IS_LASTING}")
"""Of a recording: its destruction has begun. As the index has it."""
Index(
    "ix_recordings_begun",
    recordings.c.started_at,
    recordings.c.id,
    sqlite_where=IS_BEGUN,
    postgresql_where=IS_BEGUN,
)

IS_OF_A_DIAL = text("dial_id IS NOT NULL")
Index("ix_recordings_dial_id", recordings.c.dial_id, sqlite_where=IS_OF_A_DIAL, postgresql_where=IS_OF_A_DIAL)

trusted_times = Table(
    "trusted_times",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("ahead_s", Float, nullable=False, server_default="0"),
    Column("boot", Words, nullable=False, server_default=""),
    Column("up_s", Float, nullable=False, server_default="0"),
)
"""One row: the last time of the clock that was believed, where recordings are destroyed by it; how much further it had
gone by then than is known to have passed; and how long the machine had been running, since which start."""

sightings = Table(
    "sightings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
)
"""One row: until when a gateway saw what happens in Asterisk, within a few seconds."""

blind_times = Table(
    "blind_times",
    metadata,
    Column("id", Number, Identity(), primary_key=True),
    Column("why", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    Column("untold", JSON, nullable=False),
)
"""The times in which it did not, one column for each field of `domain.sight.BlindTime`."""

alarms = Table(
    "alarms",
    metadata,
    Column("id", Number, Identity(), primary_key=True),
    Column("kind", Key, nullable=False),
    Column("subject", Key, nullable=False),
    Column("detail", Words, nullable=False),
    Column("raised_at", UtcTime, nullable=False),
    Column("cleared_at", UtcTime),
)
"""Alarms, those that are over too."""

_STANDS = text("cleared_at IS NULL")
Index(
    "uq_alarms_standing", alarms.c.kind, alarms.c.subject, unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS
)

token_uses = Table(
    "token_uses",
    metadata,
    Column("token_id", Number, primary_key=True, autoincrement=False),
    Column("used_at", UtcTime, nullable=False),
)
"""When each token was last used, to within a minute. It is no change of the token: neither version nor event."""

audit = Table(
    "audit",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Key, nullable=False),
    Column("role", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("action", Key, nullable=False),
    Column("subject", Key, nullable=False),
    Column("before", Words, nullable=False),
    Column("after", Words, nullable=False),
    Column("note", Words, nullable=False),
    Column("previous", Words, nullable=False),
    Column("hash", Words, nullable=False),
    Index("ix_audit_subject_seq", "subject", "seq"),
    Index("ix_audit_actor_seq", "actor", "seq"),
)
"""The audit log. Rows are added and never changed: a trigger of the database refuses anything else."""

NEWEST_CALL_FIRST = (desc(calls.c.arrived_at), desc(calls.c.id))
