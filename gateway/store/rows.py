"""Domain values to rows and back, for both ways through the store.

Counterparts: `repository.py` writes with it, `reads.py` and `repository.py` read with it.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from gateway.domain.alarms import Alarm
from gateway.domain.audit import Entry
from gateway.domain.call import Attempt, Call, Outcome, Result, Stage
from gateway.domain.callbacks import Callback, Dial, Try, Why
from gateway.domain.dispositions import Disposed
from gateway.domain.events import Event, StoredEvent
from gateway.domain.facts import DialResult, Side
from gateway.domain.holding import Member
from gateway.domain.presence import Presence
from gateway.domain.recordings import Recording, Seal
from gateway.domain.webhooks import Webhook
from gateway.store.columns import storable, storable_key

Columns = RowMapping | Mapping[str, Any]
"""A row's values by the names of its columns."""

_CALL_FIELDS = tuple(field.name for field in fields(Call) if field.name != "attempts")
_CALLBACK_FIELDS = tuple(field.name for field in fields(Callback) if field.name not in ("tries", "dials"))

_DISPOSED_FIELDS = tuple(field.name for field in fields(Disposed))
_SEAL_FIELDS = tuple(field.name for field in fields(Seal))
_RECORDING_FIELDS = tuple(field.name for field in fields(Recording) if field.name != "seal")


def numbered(seq: int, event: Event) -> StoredEvent:
    """The event as the ledger gives it back, so that what is announced is what is stored."""
    call_id = None if event.call_id is None else storable_key(event.call_id)
    return StoredEvent(seq, Event(storable(event.type), event.at, call_id, storable(event.data)))


def event_row(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {"seq": stored.seq, "type": event.type, "at": event.at, "call_id": event.call_id, "data": event.data}


def event_of(row: RowMapping) -> StoredEvent:
    return StoredEvent(row["seq"], Event(row["type"], row["at"], row["call_id"], row["data"]))


def call_row(call: Call) -> dict[str, Any]:
    row = {name: getattr(call, name) for name in _CALL_FIELDS}
    row["attempts"] = [_attempt_json(attempt) for attempt in call.attempts]
    return row


def call_of(row: Columns) -> Call:
    values: dict[str, Any] = {name: row[name] for name in _CALL_FIELDS}
    values["stage"] = Stage(row["stage"])
    values["outcome"] = None if row["outcome"] is None else Outcome(row["outcome"])
    values["hung_up_by"] = None if row["hung_up_by"] is None else Side(row["hung_up_by"])
    values["attempts"] = tuple(_attempt_of(attempt) for attempt in row["attempts"])
    return Call(**values)


def member_row(member: Member) -> dict[str, Any]:
    return {"queue": member.queue, "phone": member.phone, "penalty": member.penalty}


def presence_row(presence: Presence) -> dict[str, Any]:
    return {field.name: getattr(presence, field.name) for field in fields(presence)}


def disposition_row(disposed: Disposed) -> dict[str, Any]:
    return {name: getattr(disposed, name) for name in _DISPOSED_FIELDS}


def disposed_of(row: Columns) -> Disposed:
    return Disposed(**{name: row[name] for name in _DISPOSED_FIELDS})


def recording_row(recording: Recording) -> dict[str, Any]:
    seal = recording.seal
    row = {name: getattr(recording, name) for name in _RECORDING_FIELDS}
    return row | {name: getattr(seal, name, None) for name in _SEAL_FIELDS}


def recording_of(row: Columns) -> Recording:
    values: dict[str, Any] = {name: row[name] for name in _RECORDING_FIELDS}
    values["faults"] = tuple(row["faults"])
    is_sealed = row["sealed_at"] is not None
    return Recording(**values, seal=Seal(**{name: row[name] for name in _SEAL_FIELDS}) if is_sealed else None)


def alarm_row(alarm: Alarm) -> dict[str, Any]:
    return {field.name: getattr(alarm, field.name) for field in fields(alarm)}


def alarm_of(row: RowMapping) -> Alarm:
    return Alarm(**{field.name: row[field.name] for field in fields(Alarm)})


def entry_row(entry: Entry) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


def entry_of(row: RowMapping) -> Entry:
    return Entry(**row)


def webhook_row(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "secret": webhook.secret,
        "types": webhook.types,
        "after_seq": webhook.after_seq,
        "created_at": webhook.created_at,
        "failing_since": webhook.failing_since,
    }


def webhook_of(row: RowMapping) -> Webhook:
    return Webhook(**{**row, "types": tuple(row["types"])})


def callback_row(task: Callback) -> dict[str, Any]:
    """The row without its id, which a new one has not yet."""
    row = {name: getattr(task, name) for name in _CALLBACK_FIELDS if name != "id"}
    row["tries"] = [_try_json(each) for each in task.tries]
    row["dials"] = [_dial_json(dial) for dial in task.dials]
    return row | {name: getattr(task, name) for name in ("dialling", "is_calling", "only_trunk", "only_why")}


def callback_of(row: RowMapping) -> Callback:
    values: dict[str, Any] = {name: row[name] for name in _CALLBACK_FIELDS}
    values["tries"] = tuple(_try_of(each, row["trunk"]) for each in row["tries"])
    values["dials"] = tuple(_dial_of(dial) for dial in row["dials"])
    return Callback(**values)


def _try_json(tried: Try) -> dict[str, Any]:
    return {"call_id": tried.call_id, "at": _text(tried.at), "why": tried.why, "trunk": tried.trunk}


def _try_of(stored: Mapping[str, Any], trunk: str) -> Try:
    """`trunk` is the task's: that of tries which were stored before they had one of their own."""
    at = datetime.fromisoformat(stored["at"])
    return Try(stored["call_id"], at, Why(stored["why"]), stored.get("trunk", trunk))


def _dial_json(dial: Dial) -> dict[str, Any]:
    return {
        "id": dial.id,
        "operator_id": dial.operator_id,
        "at": _text(dial.at),
        "rung_at": _text(dial.rung_at),
        "answered_at": _text(dial.answered_at),
        "ended_at": _text(dial.ended_at),
        "result": dial.result,
        "recording": dial.recording,
    }


def _dial_of(stored: Mapping[str, Any]) -> Dial:
    return Dial(
        id=stored["id"],
        operator_id=stored["operator_id"],
        at=datetime.fromisoformat(stored["at"]),
        rung_at=_time(stored["rung_at"]),
        answered_at=_time(stored["answered_at"]),
        ended_at=_time(stored["ended_at"]),
        result=None if stored["result"] is None else DialResult(stored["result"]),
        recording=stored["recording"],
    )


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "leg": attempt.leg,
        "phone": attempt.phone,
        "rung_at": _text(attempt.rung_at),
        "answered_at": _text(attempt.answered_at),
        "left_at": _text(attempt.left_at),
        "result": attempt.result,
    }


def _attempt_of(stored: Mapping[str, Any]) -> Attempt:
    return Attempt(
        leg=stored["leg"],
        phone=stored["phone"],
        rung_at=datetime.fromisoformat(stored["rung_at"]),
        answered_at=_time(stored["answered_at"]),
        left_at=_time(stored["left_at"]),
        result=None if stored["result"] is None else Result(stored["result"]),
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
