"""The roster for calendar programs: read here by the same library that any such program could use."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from tests.api.house import House, Reply
from tests.api.test_exchange import HEADER, TODAY, post, staffed
from tests.told import JAKARTA

__all__ = ["staffed"]

DECEMBER = "/v1/roster.ics?from=2026-12-01&to=2026-12-31"


def told(reply: Reply) -> list[tuple[str, datetime, datetime]]:
    """The summary, start and end of every event."""
    calendar: Any = Calendar.from_ical(reply.raw)
    return [(str(each["summary"]), each.decoded("dtstart"), each.decoded("dtend")) for each in calendar.walk("VEVENT")]


def uids(reply: Reply) -> list[str]:
    calendar: Any = Calendar.from_ical(reply.raw)
    return [str(each["uid"]) for each in calendar.walk("VEVENT")]


async def roster(house: House, *lines: str) -> None:
    """Lines without the name, such as 2026-12-01,,pagi,1001,emergency,0."""
    reply = await post(house, HEADER + "".join(f"{line},\n" for line in lines), "allow_gaps=true")
    assert reply.status == 200, reply.text


async def ids(house: House) -> dict[str, int]:
    return {each["phone"]: each["id"] for each in (await house.get("/v1/operators")).json["items"]}


async def feed_of(house: House, operator_id: int, **options: Any) -> str:
    """Where the operator's own calendar is."""
    answer = await house.ask("POST", f"/v1/operators/{operator_id}/calendar", **options)
    assert answer.status == 200, answer.text
    path: str = answer.json["path"]
    return path


async def token_of(house: House, operator_id: int, name: str) -> str:
    body = {"name": name, "role": "operator", "operator_id": operator_id}
    secret: str = (await house.post("/v1/tokens", body)).json["token"]
    return secret


def at(day: int, hour: int) -> datetime:
    """That hour in Jakarta of a day of December."""
    return datetime(2026, 12, day, hour, tzinfo=JAKARTA).astimezone(UTC)


# ---------------------------------------------------------------- everybody's


async def test_every_duty_is_an_event_with_its_own_lasting_name(staffed: House) -> None:
    await roster(staffed, "2026-12-01,2026-12-02,pagi,1001,emergency,0", "2026-12-01,,sore,1002,emergency,0")

    reply = await staffed.get(DECEMBER, token="reader")
    again = await staffed.get(DECEMBER)

    assert reply.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert told(reply) == [
        ("pagi — emergency — Siti", at(1, 6), at(1, 14)),
        ("sore — emergency — Budi", at(1, 14), at(1, 22)),
        ("pagi — emergency — Siti", at(2, 6), at(2, 14)),
    ]
    assert len(set(uids(reply))) == 3
    assert reply.raw == again.raw


async def test_a_duty_lasts_until_its_operator_leaves(staffed: House) -> None:
    await staffed.patch("/v1/shifts/1", {"overlap_min": 15})
    await roster(staffed, "2026-12-01,,pagi,1001,emergency,0")

    [(_, _, end)] = told(await staffed.get(DECEMBER))

    assert end == at(1, 14) + timedelta(minutes=15)


async def test_an_absence_cuts_an_event_in_two_with_two_names(staffed: House) -> None:
    await roster(staffed, "2026-12-01,,pagi,1001,emergency,0")
    whole = uids(await staffed.get(DECEMBER))
    siti = (await ids(staffed))["1001"]
    body = {"operator_id": siti, "from_at": "2026-12-01T09:00:00+07:00", "until_at": "2026-12-01T10:00:00+07:00"}
    assert (await staffed.post("/v1/absences?allow_gaps=true", body)).status == 201

    cut = await staffed.get(DECEMBER)

    assert [(start, end) for _, start, end in told(cut)] == [(at(1, 6), at(1, 9)), (at(1, 10), at(1, 14))]
    assert uids(cut)[0] == whole[0]
    assert len(set(uids(cut))) == 2


async def test_who_is_assigned_twice_is_on_duty_once(staffed: House) -> None:
    await roster(staffed, "2026-12-01,,pagi,1001,emergency,0")
    [kept] = (await staffed.get("/v1/assignments")).json["items"]
    body = {name: kept[name] for name in ("operator_id", "shift_id", "queue", "first_date", "last_date")}
    assert (await staffed.post("/v1/assignments", {**body, "penalty": 4})).status == 201

    assert len(told(await staffed.get(DECEMBER))) == 1


async def test_what_calendar_programs_need_is_there(staffed: House) -> None:
    calendar: Any = Calendar.from_ical((await staffed.get(DECEMBER)).raw)

    assert str(calendar["version"]) == "2.0"
    assert str(calendar["x-wr-calname"]) == "112"
    assert calendar.decoded("refresh-interval") == timedelta(minutes=15)
    assert str(calendar["x-published-ttl"]) == "PT15M"
    assert calendar.walk("VEVENT") == []


async def test_what_is_still_the_same_is_not_sent_again(staffed: House) -> None:
    await roster(staffed, "2026-12-01,,pagi,1001,emergency,0")
    etag = (await staffed.get(DECEMBER)).headers["ETag"]

    same = await staffed.get(DECEMBER, headers={"If-None-Match": f'"x", W/{etag}'})
    await roster(staffed, "2026-12-02,,pagi,1001,emergency,0")
    changed = await staffed.get(DECEMBER, headers={"If-None-Match": etag})

    assert (same.status, same.raw, same.headers["ETag"]) == (304, b"", etag)
    assert (changed.status, len(told(changed))) == (200, 2)


# ---------------------------------------------------------------- one operator's


async def test_an_operators_calendar_needs_no_token_and_holds_their_own_duties(staffed: House) -> None:
    people = await ids(staffed)
    siti = await token_of(staffed, people["1001"], "siti")
    await roster(
        staffed,
        f"{TODAY - timedelta(days=40)},{TODAY - timedelta(days=29)},pagi,1001,emergency,0",
        f"{TODAY},,sore,1002,emergency,0",
        f"{TODAY + timedelta(days=179)},{TODAY + timedelta(days=190)},pagi,1001,emergency,0",
    )

    reply = await staffed.get(await feed_of(staffed, people["1001"], token=siti), token=None)

    assert reply.status == 200
    days = [(start + timedelta(hours=7)).date() - TODAY for _, start, _ in told(reply)]
    assert [each.days for each in days] == [-30, -29, 179, 180]
    calendar: Any = Calendar.from_ical(reply.raw)
    assert str(calendar["x-wr-calname"]) == "112: Siti"


async def test_a_shift_that_was_taken_over_is_in_the_calendar_of_who_took_it(staffed: House) -> None:
    people = await ids(staffed)
    await roster(staffed, f"{TODAY + timedelta(days=1)},{TODAY + timedelta(days=2)},pagi,1001,emergency,0")
    body = {"operator_id": people["1001"], "shift_id": 1, "date": str(TODAY + timedelta(days=2))}
    swap = (await staffed.post("/v1/swaps", body)).headers["Location"]
    for step, told_to in (("take", {"operator_id": people["1002"]}), ("approve", None)):
        answer = await staffed.ask("POST", f"{swap}/{step}", json=told_to, headers={"If-Match": "*"})
        assert answer.status == 200, answer.text

    siti, budi = [
        told(await staffed.get(await feed_of(staffed, people[each]), token=None)) for each in ("1001", "1002")
    ]

    assert [summary for summary, *_ in siti] == ["pagi — emergency — Siti"]
    assert [summary for summary, *_ in budi] == ["pagi — emergency — Budi"]


async def test_a_shift_that_was_handed_on_is_in_the_calendar_of_who_has_it_last(staffed: House) -> None:
    people = await ids(staffed)
    agus = (await staffed.post("/v1/operators", {"name": "Agus", "phone": "1003"})).json["id"]
    day = TODAY + timedelta(days=2)
    await roster(staffed, f"{day},{day},pagi,1001,emergency,0")
    for giver, taker in ((people["1001"], people["1002"]), (people["1002"], agus)):
        body = {"operator_id": giver, "shift_id": 1, "date": str(day)}
        swap = (await staffed.post("/v1/swaps", body)).headers["Location"]
        for step, told_to in (("take", {"operator_id": taker}), ("approve", None)):
            answer = await staffed.ask("POST", f"{swap}/{step}", json=told_to, headers={"If-Match": "*"})
            assert answer.status == 200, answer.text

    calendars = [await staffed.get(await feed_of(staffed, each), token=None) for each in (*people.values(), agus)]

    assert [len(told(each)) for each in calendars] == [0, 0, 1]


async def test_a_wrong_key_and_an_operator_that_is_not_there_are_told_alike(staffed: House) -> None:
    people = await ids(staffed)
    siti, budi = [await feed_of(staffed, people[each]) for each in ("1001", "1002")]
    key_of_budi = budi.partition("=")[2]

    refused = [
        await staffed.get(path, token=None)
        for path in (
            f"{siti.partition('=')[0]}={key_of_budi}",
            f"{siti[:-1]}{'A' if siti[-1] != 'A' else 'B'}",
            f"{siti.partition('=')[0]}=%C3%A9",
            f"{siti.partition('=')[0]}=",
            f"/v1/operators/999/roster.ics?key={key_of_budi}",
        )
    ]

    assert {(each.status, each.raw) for each in refused} == {(404, refused[0].raw)}


async def test_only_oneself_and_who_acts_for_others_is_told_the_address(staffed: House) -> None:
    people = await ids(staffed)
    budi = await token_of(staffed, people["1002"], "budi")
    path = f"/v1/operators/{people['1001']}/calendar"

    answers = [await staffed.ask("POST", path, token=each) for each in (budi, "reader", "supervisor")]

    assert [each.status for each in answers] == [403, 403, 200]
    assert (await staffed.ask("POST", "/v1/operators/999/calendar")).status == 404


async def test_a_new_secret_for_the_phone_renews_the_address_and_retiring_ends_it(staffed: House) -> None:
    siti = (await ids(staffed))["1001"]
    old = await feed_of(staffed, siti)
    await staffed.patch(f"/v1/operators/{siti}", {"name": "Siti A."})
    still = await staffed.get(old, token=None)
    await staffed.patch(f"/v1/operators/{siti}", {"renew_secret": True})
    new = await feed_of(staffed, siti)
    statuses = [(await staffed.get(path, token=None)).status for path in (old, new)]
    await staffed.delete(f"/v1/operators/{siti}")

    assert (still.status, statuses) == (200, [404, 200])
    assert (await staffed.get(new, token=None)).status == 404


async def test_a_key_is_in_no_log_even_where_the_request_fails(
    staffed: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await feed_of(staffed, (await ids(staffed))["1001"])
    caplog.set_level(logging.DEBUG)

    def fail(*_: object) -> None:
        raise RuntimeError("something of our own")

    assert (await staffed.get(path, token=None)).status == 200
    monkeypatch.setattr("gateway.api.calendars._written", fail)
    assert (await staffed.get(path, token=None)).status == 500

    assert "request_failed" in caplog.messages
    key = path.partition("key=")[2]
    assert not [record for record in caplog.records if key in f"{record.getMessage()} {vars(record)}"]
