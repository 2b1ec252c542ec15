"""The roster for calendar programs (iCalendar, RFC 5545): everybody's, and each operator's own, to subscribe to.

Counterparts: `gateway/domain/roster.py` for what a duty is, `exchange.py` for the same roster in a spreadsheet.

A calendar program asks again and again and knows nothing of bearer tokens: an operator's own feed is opened by a key in
its address. The key is worked out and never stored: from the centre's calendar secret, the operator's id and the digest
of the phone's password, so that it ends with the operator, and a new password (`renew_secret`) renews it too. Without
`var/calendar-secret` the next start renews every key.

Times are UTC: each program shows them by the clock of whoever looks.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import hdrs, web
from icalendar import Calendar, Event
from pydantic import Field, StringConstraints

from gateway.api.apart import apart
from gateway.api.auth import refuse_foreign
from gateway.api.context import Context
from gateway.api.exchange import SomeDaysQuery, days_of
from gateway.api.models import Parameters, Told
from gateway.api.problems import Problem
from gateway.api.resources import ThingPath
from gateway.api.routes import route
from gateway.domain.coverage import serves
from gateway.domain.operators import Operator
from gateway.domain.roster import Duty, Plan, SwapState
from gateway.domain.tokens import May, Token

ICS = "text/calendar"
MOST_DAYS = 100
"""Of everybody's calendar: writing a day of 60 people takes about 10 ms."""
AGAIN = timedelta(minutes=15)
"""How often a calendar program should ask."""
DAYS_BACK, DAYS_AHEAD = timedelta(days=30), timedelta(days=180)
"""What an operator's own feed holds around today."""


class SeenHeaders(Parameters):
    if_none_match: Annotated[
        str | None,
        StringConstraints(max_length=1000),
        Field(alias="If-None-Match", description="The ETag of what you have: 304 where it is still the same."),
    ] = None


class KeyQuery(Parameters):
    key: Annotated[
        str, StringConstraints(max_length=100), Field(description="As POST /v1/operators/{id}/calendar tells it.")
    ]


class CalendarModel(Told):
    """Where a calendar program finds an operator's duties. Whoever knows it can read them."""

    path: Annotated[str, Field(description="To be put behind this API's address.")]


async def get_calendar(context: Context, query: SomeDaysQuery, headers: SeenHeaders) -> web.StreamResponse:
    """Everybody's duties on those days, without absences and with swaps that were approved, as iCalendar. Each lasts
    until its operator leaves. 100 days at most."""
    first, last = days_of(context, query, MOST_DAYS)
    plan = await context.bookkeeper.plan(first, last)
    everybody = {each.id: each for each in await context.store.kept(Operator, include_retired=True)}
    books = replace(await context.bookkeeper.books(), operators=everybody)

    def written() -> bytes:
        return _written(context, "112", plan, (duty for duty in plan.duties if serves(books, duty)), everybody)

    return _answer(await apart(written), headers)


async def get_operator_calendar(
    context: Context, path: ThingPath, query: KeyQuery, headers: SeenHeaders
) -> web.StreamResponse:
    """One operator's duties, from 30 days ago to 180 days from now, as iCalendar. It is opened by the key and by
    nothing else; a wrong key and an operator that is not there are told alike."""
    books = await context.bookkeeper.at_hand()
    operator = books.operators.get(path.id)
    if not hmac.compare_digest(_key(context, path.id, operator), query.key.encode("utf-8", "replace")) or not operator:
        raise Problem(404, "There is no such calendar: the address is wrong, or was renewed.")
    today = context.clock().astimezone(context.bookkeeper.zone).date()
    plan = _of(await context.bookkeeper.plan(today - DAYS_BACK, today + DAYS_AHEAD), operator)

    name, people = f"112: {operator.name}", {operator.id: operator}

    def written() -> bytes:
        return _written(context, name, plan, (duty for duty in plan.duties if duty.operator_id in people), people)

    return _answer(await apart(written), headers)


async def tell_operator_calendar(context: Context, path: ThingPath, token: Token) -> CalendarModel:
    """Tells the address of an operator's calendar, for a program that subscribes to it. A new secret for the phone
    (renew_secret) renews it; the old one ends at once."""
    refuse_foreign(token, path.id)
    operator = await context.office.find(Operator, path.id)
    return CalendarModel(path=f"/v1/operators/{operator.id}/roster.ics?key={_key(context, path.id, operator).decode()}")


def _key(context: Context, operator_id: int, operator: Operator | None) -> bytes:
    about = f"{operator_id}:{operator.digest if operator else ''}".encode()
    return urlsafe_b64encode(hmac.digest(context.calendar_secret, about, "sha256")).rstrip(b"=")


def _of(plan: Plan, operator: Operator) -> Plan:
    """The plan with no more assignments than those that can become this operator's duties."""
    taken = {
        (swap.shift_id, swap.date)
        for swap in plan.swaps
        if swap.state is SwapState.APPROVED and swap.taken_by == operator.id
    }
    own = (
        each
        for each in plan.assignments
        if each.operator_id == operator.id
        or any(each.shift_id == shift_id and each.first_date <= day <= each.last_date for shift_id, day in taken)
    )
    return replace(plan, assignments=tuple(own))


def _written(context: Context, name: str, plan: Plan, duties: Iterable[Duty], people: Mapping[int, Operator]) -> bytes:
    """The calendar as bytes, the same for the same duties."""
    centre = hmac.new(context.calendar_secret, b"centre", hashlib.sha256).hexdigest()[:16]
    made = Calendar()
    made.add("version", "2.0")
    made.add("prodid", "-//Gateway 112//Roster//EN")
    made.add("x-wr-calname", name)
    made.add("refresh-interval", AGAIN, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT15M")
    parts: dict[str, set[datetime]] = {}
    for duty in duties:
        about = f"{duty.date}-{duty.shift_id}-{duty.queue}-{duty.operator_id}"
        there = parts.setdefault(about, set())
        if duty.starts_at in there:
            continue  # assigned twice, and on duty once
        there.add(duty.starts_at)
        shift = plan.shifts[duty.shift_id]
        event = Event()
        event.add("uid", f"{about}-{len(there)}@{centre}.gateway112")
        event.add("dtstamp", shift.created_at.astimezone(UTC))  # the same each time, so that the whole has an ETag
        event.add("dtstart", duty.starts_at)
        event.add("dtend", duty.leaves_at)
        event.add("summary", f"{shift.name} — {duty.queue} — {people[duty.operator_id].name}")
        made.add_component(event)
    body: bytes = made.to_ical(sorted=False)
    return body


def _answer(body: bytes, headers: SeenHeaders) -> web.Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    common = {hdrs.ETAG: etag, hdrs.CACHE_CONTROL: "private, no-cache"}
    seen = {each.strip().removeprefix("W/") for each in (headers.if_none_match or "").split(",")}
    if seen & {etag, "*"}:
        return web.Response(status=304, headers=common)
    return web.Response(body=body, content_type=ICS, charset="utf-8", headers=common)


ROUTES = (
    route(
        "GET",
        "/v1/roster.ics",
        get_calendar,
        "The roster as a calendar",
        may=May.SEE_ROSTER,
        statuses=(200, 304),
        media_type=ICS,
        subject="roster",
    ),
    route(
        "GET",
        "/v1/operators/{id}/roster.ics",
        get_operator_calendar,
        "An operator's calendar, by its key",
        may=None,
        statuses=(200, 304),
        problems=(503,),
        media_type=ICS,
        subject="roster",
    ),
    route(
        "POST",
        "/v1/operators/{id}/calendar",
        tell_operator_calendar,
        "The address of an operator's calendar",
        may=May.ACT_FOR_SELF,
        subject="roster",
    ),
)
