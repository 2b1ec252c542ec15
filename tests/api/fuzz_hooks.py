"""What schemathesis is told of the API beyond its OpenAPI document: how the formats look, and which fields depend on
one another (JSON Schema has no word for "the end is not the start"). A request that is good by both must be taken.

Counterpart: `test_fuzz.py` runs it, with this file as its hooks.
"""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

import schemathesis
from hypothesis import strategies as st

from gateway.domain.event_types import EVENT_TYPES
from gateway.domain.numbers import is_nobodys
from gateway.recurrence import FREQUENCIES
from gateway.store import cursors
from gateway.store.call_list import cursor_of
from tests.store.values import a_call

SEEDED = 1
"""The id of the operator, the shift and the like that the house has from the start."""

_DAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, unique=True)
_ADDRESSES = st.builds("198.18.{}.{}".format, st.integers(0, 255), st.integers(1, 254))
_HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,10}\.id", fullmatch=True)

FORMATS = {
    "date": st.dates(date(2000, 1, 1), date(2199, 12, 31)).map(date.isoformat),
    "date-time": st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001
        datetime.isoformat
    ),
    "rrule": st.builds("FREQ={};INTERVAL={}".format, st.sampled_from(FREQUENCIES), st.integers(1, 12))
    | st.builds("FREQ=WEEKLY;BYDAY={}".format, _DAYS.map(",".join)),
    "ip-network": _ADDRESSES | st.builds("198.19.{}.0/24".format, st.integers(0, 255)),
    "sip-uri": st.builds("sip:{}@{}:{}".format, st.integers(100, 999_999), _HOSTS, st.integers(1, 65535)),
    "uri": st.builds("http://127.0.0.{}:9/{}".format, st.integers(1, 254), st.integers(0, 9999)),
    "event-type": st.sampled_from(list(EVENT_TYPES)),
    "trunk-name": st.sampled_from(["telkomsel", "indosat"]),
    "queue-name": st.just("emergency"),
    "cursor": st.integers(1, 10**6).map(lambda number: cursor_of(a_call(number))),
    "callback-cursor": st.integers(1, 10**6).map(
        lambda number: cursors.written(datetime(2026, 8, 17, tzinfo=UTC), str(number))
    ),
}
for name, strategy in FORMATS.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Makes what is good by the document good as a whole, and has it name what is there."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if isinstance(case.body, dict) and isinstance(case.body.get("reason"), str):
        case.body["reason"] = f"letter {case.body['reason']}"[:80].strip()
    if case.headers and "If-Match" in case.headers and len(case.headers["If-Match"]) % 2:
        case.headers["If-Match"] = "*"
    if case.path.startswith(("/v1/recordings", "/v1/calls", "/v1/callbacks")):
        _agree_listening(case)
    elif case.query and case.query.keys() & {"from", "to"}:
        case.query.update({"from": "2027-01-01", "to": "2027-01-20"})
    if case.path == "/v1/dispositions/missing" and case.query:
        case.query.update({"since": "2026-08-01T00:00:00Z", "until": "2026-08-31T00:00:00Z"})
    if case.path == "/v1/roster/import":
        case.body = "date,until,shift,phone,queue,penalty\n2027-01-01,2027-01-31,pagi,1001,emergency,0\n"
    elif isinstance(case.body, dict) and case.path.startswith("/v1/blocks"):
        if "until" in case.body:
            case.body["until"] = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        if is_nobodys(str(case.body.get("number", ""))):
            case.body["number"] = "0811"
    elif isinstance(case.body, dict) and case.path.startswith("/v1/bans"):
        if "until" in case.body:
            case.body["until"] = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        if "address" in case.body:
            case.body["address"] = f"203.0.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    elif isinstance(case.body, dict) and case.path == "/v1/advice-rules/dry-run":
        case.body.update({"from": "2026-08-17T00:00:00Z", "to": "2026-08-18T00:00:00Z"})
        for rule in case.body.get("rules") or ():
            _agree_rule(rule)
    elif isinstance(case.body, dict) and case.path.startswith("/v1/advice-rules"):
        _agree_rule(case.body)
    elif isinstance(case.body, dict) and case.path == "/v1/retention-rules/clock":
        case.body["now"] = datetime.now(UTC).isoformat()
    elif isinstance(case.body, dict) and case.path == "/v1/erasures":
        case.body.update(number=f"08{secrets.randbelow(10**9):09}", reason="letter")
    elif isinstance(case.body, dict) and case.path.startswith("/v1/retention-rules"):
        pass  # a disposition stands alone here
    elif isinstance(case.body, dict):
        _agree(case.body)


def _agree_listening(case: schemathesis.Case) -> None:
    """Whoever listens says why, in the query or in the header, and a part ends after it begins."""
    if case.path.rpartition("/")[2] in ("audio", "slice", "recall", "recording", "message"):
        (case.headers or {}).pop("Reason", None)
        case.query = {**(case.query or {}), "reason": "complaint 12 of 2026"}
    if case.path == "/v1/recordings/{id}/slice":
        case.query = {**(case.query or {}), "from": 0, "to": 1}


def _agree_rule(body: dict[str, Any]) -> None:
    """A condition is named with its parameters, and an effect that it can have."""
    needs = ("within_min", "least_numbers", "is_by_trunk", "least_score", "number", "is_prefix", "trunk")
    if body.keys() & {"condition", "effect", "queue", *needs}:
        body.update(dict.fromkeys(needs), condition="tried_again", within_min=body.get("within_min") or 5)
        body.update(effect="earlier", queue=None)


def _agree(body: dict[str, Any]) -> None:
    """Fields that depend on one another are named together: a patch of one of them would meet what it cannot know."""
    if isinstance(body.get("operator_id"), int) or body.get("role") == "operator":
        body["operator_id"] = SEEDED
    if "disposition" in body:
        body["category"] = "fire" if body["disposition"] == "emergency" else None
    if body.keys() & {"number", "trunk"}:
        body.update(number=None, trunk=None)
    if body.keys() & {"from_at", "until_at"}:
        body.update(from_at="2027-01-01T00:00:00Z", until_at="2027-02-01T00:00:00+07:00")
    if body.keys() & {"start", "end"}:
        body.update(start="06:00", end=body["end"] if body.get("end", "06:00") != "06:00" else "14:00")
    if body.keys() & {"first_date", "last_date", "rule", "exceptions"}:
        body.update(first_date="2027-01-01", last_date="2029-12-31")
        if "exceptions" in body:
            body["exceptions"] = ["2027-06-01"]
