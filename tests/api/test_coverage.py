"""The roster and its coverage over HTTP: days in, who is there and what is wrong out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.facts import Queued
from gateway.domain.workload import A_WEEK, half_hour_of_week
from tests.api.house import House, answered
from tests.domain.values import JAKARTA

MONDAY = date(2026, 12, 7)
NOON = datetime(2026, 12, 7, 5, 0, tzinfo=UTC)
"""In Jakarta (UTC+7)."""
SHIFTS = {"pagi": ("06:00", "14:00"), "sore": ("14:00", "22:00"), "malam": ("22:00", "06:00")}
HALF_HOUR, WEEK = timedelta(minutes=30), timedelta(weeks=1)


class Roster:
    """Three shifts, and whoever is hired and assigned."""

    def __init__(self, house: House, shifts: dict[str, int]) -> None:
        self._house = house
        self.shifts = shifts

    async def hire(self, phone: str, name: str) -> int:
        made: int = (await self._house.post("/v1/operators", {"name": name, "phone": phone})).json["id"]
        return made

    async def assign(self, operator_id: int, shift: str, first: int = 0, last: int | None = None, **more: Any) -> None:
        body = {
            "operator_id": operator_id,
            "shift_id": self.shifts[shift],
            "queue": "emergency",
            "first_date": str(MONDAY + timedelta(days=first)),
            "last_date": str(MONDAY + timedelta(days=first if last is None else last)),
        }
        made = await self._house.post("/v1/assignments?allow_gaps=true", body | more)
        assert made.status == 201, made.text


@pytest.fixture
async def roster(house: House) -> Roster:
    """It is Monday's noon."""
    house.services.clock.at = NOON
    ids = {}
    for name, (start, end) in SHIFTS.items():
        body = {"name": name, "start": start, "end": end, "first_date": "2026-11-01", "overlap_min": 15}
        ids[name] = (await house.post("/v1/shifts", body)).json["id"]
    return Roster(house, ids)


def days(first: int = 0, last: int = 0) -> str:
    """A query for days after Monday."""
    return f"from={MONDAY + timedelta(days=first)}&to={MONDAY + timedelta(days=last)}"


async def coverage(house: House, first: int = 0, last: int = 0) -> Any:
    reply = await house.get(f"/v1/coverage?{days(first, last)}")
    assert reply.status == 200, reply.text
    return reply.json


def queue(told: Any, name: str = "emergency") -> Any:
    [found] = [each for each in told["queues"] if each["queue"] == name]
    return found


# ---------------------------------------------------------------- the roster


async def test_the_roster_of_some_days_is_who_is_to_be_there(house: House, roster: Roster) -> None:
    siti, budi = await roster.hire("1001", "Siti"), await roster.hire("1002", "Budi")
    await roster.assign(siti, "malam", penalty=5)
    await roster.assign(budi, "pagi", 0, 1)

    told = (await house.get(f"/v1/roster?{days()}", token="reader")).json

    assert {name: told[name] for name in ("from", "to", "timezone")} == {
        "from": "2026-12-07",
        "to": "2026-12-07",
        "timezone": "Asia/Jakarta",
    }
    assert [each["name"] for each in told["items"]] == ["Budi", "Siti"]
    assert told["items"][1] == {
        "operator_id": siti,
        "name": "Siti",
        "phone": "1001",
        "queue": "emergency",
        "penalty": 5,
        "shift_id": roster.shifts["malam"],
        "shift": "malam",
        "date": "2026-12-07",
        "starts_at": "2026-12-07T15:00:00Z",
        "ends_at": "2026-12-07T23:00:00Z",
        "leaves_at": "2026-12-07T23:15:00Z",
    }


async def test_it_is_without_absences_and_with_approved_swaps(house: House, roster: Roster) -> None:
    siti, budi = await roster.hire("1001", "Siti"), await roster.hire("1002", "Budi")
    await roster.assign(siti, "pagi", 0, 1)
    away = {"operator_id": siti, "from_at": "2026-12-07T02:00:00Z", "until_at": "2026-12-07T12:00:00Z"}
    assert (await house.post("/v1/absences?allow_gaps=true", away)).status == 201
    asked = await house.post(
        "/v1/swaps", {"operator_id": siti, "shift_id": roster.shifts["pagi"], "date": "2026-12-08"}
    )
    swap, match = asked.headers["Location"], {"headers": {"If-Match": "*"}}
    await house.post(f"{swap}/take", {"operator_id": budi}, **match)
    await house.ask("POST", f"{swap}/approve", **match)

    told = (await house.get(f"/v1/roster?{days(0, 1)}")).json["items"]

    assert [(each["name"], each["starts_at"][8:13], each["ends_at"][8:13]) for each in told] == [
        ("Siti", "06T23", "07T02"),
        ("Budi", "07T23", "08T07"),
    ]


async def test_who_has_retired_since_stays_on_the_roster_of_the_days_before(house: House, roster: Roster) -> None:
    siti = await roster.hire("1001", "Siti")
    await roster.assign(siti, "pagi", -2, 5)
    await house.delete(f"/v1/operators/{siti}?allow_gaps=true")

    told = (await house.get(f"/v1/roster?{days(-2, 5)}")).json["items"]

    assert [each["date"] for each in told] == ["2026-12-05", "2026-12-06", "2026-12-07"]
    counted = queue(await coverage(house, 0, 1))["rostered"]
    assert counted == [0] * 12 + [1] * 12 + [0] * 72, "retired at noon"


# ---------------------------------------------------------------- its coverage


async def test_a_day_has_48_half_hours_and_each_queue_tells_each_of_them(house: House, roster: Roster) -> None:
    await house.post("/v1/queues", {"name": "fire", "minimum": 0})
    siti, budi = await roster.hire("1001", "Siti"), await roster.hire("1002", "Budi")
    await roster.assign(siti, "pagi")
    await roster.assign(budi, "pagi")
    await roster.assign(budi, "sore", queue="fire")

    told = await coverage(house)

    assert told["half_hours"][:2] == ["2026-12-06T17:00:00Z", "2026-12-06T17:30:00Z"]
    assert len(told["half_hours"]) == 48
    assert queue(told) == {
        "queue": "emergency",
        "minimum": 1,
        "rostered": [0] * 12 + [2] * 16 + [0] * 20,
        "need": [None] * 48,
        "operators": [[]] * 12 + [[siti, budi]] * 16 + [[]] * 20,
    }
    assert queue(told, "fire")["operators"][27:29] == [[], [budi]]


async def test_the_last_day_is_told_too_and_its_night_as_far_as_it_goes(house: House, roster: Roster) -> None:
    await roster.assign(await roster.hire("1001", "Siti"), "malam", -1, 5)
    told = await coverage(house, 0, 1)
    assert len(told["half_hours"]) == 96
    assert queue(told)["rostered"] == ([1] * 12 + [0] * 32 + [1] * 4) * 2


async def test_what_is_wrong_with_a_roster_is_told_in_its_four_ways(house: House, roster: Roster) -> None:
    siti = await roster.hire("1001", "Siti")
    long = {"name": "panjang", "start": "12:00", "end": "20:00", "first_date": "2026-11-01"}
    roster.shifts["panjang"] = (await house.post("/v1/shifts", long)).json["id"]
    await roster.assign(siti, "malam", -1)
    await roster.assign(siti, "sore")
    await roster.assign(siti, "panjang")

    told = await coverage(house)

    def at(hour: int) -> str:
        return f"{datetime(2026, 12, 6, 17, tzinfo=UTC) + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}"

    assert told["holes"] == [
        {"queue": "emergency", "starts_at": at(start), "ends_at": at(end), "rostered": 0, "minimum": 1}
        for start, end in ((6, 12), (22, 24))
    ]
    [booking] = told["double_bookings"]
    assert (booking["operator_id"], booking["starts_at"], booking["ends_at"]) == (siti, at(14), at(20))
    assert [each["shift_id"] for each in booking["shifts"]] == [roster.shifts["panjang"], roster.shifts["sore"]]
    [rest] = told["short_rests"]
    assert (rest["operator_id"], rest["ends_at"], rest["rest_h"]) == (siti, at(12), 5.75)
    assert (rest["before"]["date"], rest["after"]["shift_id"]) == ("2026-12-06", roster.shifts["panjang"])
    assert told["lone_nights"] == [{"operator_id": siti, "starts_at": at(0), "ends_at": at(6)}]


async def test_a_rest_is_measured_from_a_shift_of_days_before(house: House, roster: Roster) -> None:
    await house.patch("/v1/rules", {"least_rest_h": 48})
    siti = await roster.hire("1001", "Siti")
    await roster.assign(siti, "malam", -3)  # until Saturday's morning, 06:15
    await roster.assign(siti, "pagi")
    [rest] = (await coverage(house))["short_rests"]
    assert rest["rest_h"] == 47.75


# ---------------------------------------------------------------- what the calls need


async def call(house: House, call_id: str, at: datetime, queue: str = "fire") -> None:
    """A call that was answered, and ended 30 s later."""
    facts = answered(call_id, at=at)
    await house.tell(*(replace(fact, queue=queue) if isinstance(fact, Queued) else fact for fact in facts))


async def test_the_need_is_worked_out_of_the_calls_of_eight_weeks(house: House, roster: Roster) -> None:
    house.services.clock.at = NOON - 2 * WEEK
    await house.post("/v1/queues", {"name": "fire", "minimum": 0, "wrap_up_s": 60})
    for number in range(6):  # on Mondays before, at half past nine in Jakarta
        await call(house, f"112-{number}.1", NOON - WEEK - 2.5 * timedelta(hours=1) + number * timedelta(minutes=2))
    house.services.clock.at = NOON

    told = await coverage(house, 7, 13)

    need = queue(told, "fire")["need"]
    places = [half_hour_of_week(datetime.fromisoformat(at), JAKARTA) for at in told["half_hours"]]
    assert sorted(places) == list(range(A_WEEK))
    assert [place for place, needed in zip(places, need, strict=True) if needed] == [19]
    assert need[places.index(19)] == 2, "3 calls in half an hour, 90 s each"
    assert need.count(0) == A_WEEK - 1
    assert set(queue(told)["need"]) == {None}, "nobody ever called this one"
    assert told["need_as_of"] == "2026-12-07T05:00:00Z"


async def test_a_young_queue_does_not_know_what_it_never_saw(house: House, roster: Roster) -> None:
    house.services.clock.at = NOON - timedelta(hours=3)
    await house.post("/v1/queues", {"name": "fire", "minimum": 0})
    await call(house, "112-1.1", NOON - timedelta(hours=2))
    house.services.clock.at = NOON
    need = queue(await coverage(house), "fire")["need"]
    assert need == [None] * 18 + [0, 0, 1, 0, 0, 0] + [None] * 24


async def test_the_history_is_read_once_an_hour(house: House, roster: Roster) -> None:
    await call(house, "112-1.1", NOON - timedelta(hours=2), "emergency")
    before = await coverage(house, 7, 7)
    await call(house, "112-2.1", NOON - timedelta(hours=4), "emergency")

    house.services.clock.at = NOON + timedelta(minutes=59, seconds=59)
    same = await coverage(house, 7, 7)
    house.services.clock.at = NOON + timedelta(hours=1)
    anew = await coverage(house, 7, 7)

    assert (same["need_as_of"], same["queues"]) == (before["need_as_of"], before["queues"])
    assert anew["need_as_of"] == "2026-12-07T06:00:00Z"
    assert not queue(before)["need"][16]
    assert queue(anew)["need"][16] == 1
    house.services.clock.at = NOON  # the clock was put back: nothing is as of a time to come
    assert (await coverage(house))["need_as_of"] == "2026-12-07T05:00:00Z"


# ---------------------------------------------------------------- what cannot be asked


@pytest.mark.parametrize("path", ["/v1/roster", "/v1/coverage"])
@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["?from", "?to"]),
        ("from=2026-12-07", ["?to"]),
        ("from=2026-12-07&to=2026-12-06", ["?to"]),
        ("from=2026-12-01&to=2027-02-01", ["?to"]),
        ("from=tomorrow&to=2026-12-07", ["?from"]),
        ("from=2026-12-07&to=2026-12-07T10:00:00Z", ["?to"]),
        ("from=1796601600&to=2026-12-07", ["?from"]),
        ("from=20261207&to=2026-12-07", ["?from"]),
        ("from=2026-02-30&to=2026-12-07", ["?from"]),
        ("from=0001-01-01&to=0001-01-02", ["?from", "?to"]),
        ("from=9999-12-30&to=9999-12-31", ["?from", "?to"]),
        ("from=2026-12-07&to=2026-12-07&queue=fire", ["?queue"]),
    ],
)
async def test_days_that_cannot_be_are_refused(house: House, path: str, query: str, fields: list[str]) -> None:
    reply = await house.get(f"{path}?{query}")
    assert (reply.status, reply.fields) == (422, fields)


@pytest.mark.parametrize("path", ["/v1/roster", "/v1/coverage"])
async def test_two_months_are_told_at_once_and_the_ends_of_time_too(house: House, path: str) -> None:
    for query in (
        "from=2026-12-01&to=2027-01-31",
        "from=2000-01-01&to=2000-01-01",
        "from=2199-12-31&to=2199-12-31",
    ):
        assert (await house.get(f"{path}?{query}")).status == 200


@pytest.mark.parametrize("path", ["/v1/roster", "/v1/coverage"])
async def test_who_may_see_the_roster_may_ask_and_nobody_else(house: House, path: str) -> None:
    assert (await house.get(f"{path}?{days()}", token="reader")).status == 200
    assert (await house.get(f"{path}?{days()}", token=None)).status == 401


@pytest.mark.parametrize("path", ["/v1/roster", "/v1/coverage"])
async def test_while_the_database_is_away_it_says_so(house: House, path: str) -> None:
    await house.take_database_away()
    assert (await house.get(f"{path}?{days()}")).status == 503
