"""The roster drives a real Asterisk: at each boundary, through restarts, against hands that meddle; phones that go
away."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import sip
from tests.calls.phones import a_phone
from tests.centre import Api, RealCentre, real_centre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

JAKARTA = ZoneInfo("Asia/Jakarta")
WITHIN_S = 5.0
"""Members are right again so soon, whatever happened; where the gateway starts, from when it is linked to Asterisk: how
long a process takes until then is the machine's affair."""
MEMBER = re.compile(r"^\s+(\d+) \(PJSIP/\d+\)(.*)$", re.MULTILINE)
SHIFTS = {"pagi": (6, 14), "sore": (14, 22), "malam": (22, 30)}


@pytest.fixture
def own_centre() -> Iterator[RealCentre]:
    with real_centre() as centre:
        centre.with_clock()
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


def members(centre: RealCentre, queue: str = "emergency") -> set[str]:
    """The members of the queue, as Asterisk's own console shows them."""
    return {phone for phone, _ in MEMBER.findall(centre.cli(f"queue show {queue}"))}


async def within(is_so: Callable[[], bool], limit_s: float = WITHIN_S) -> float:
    """Waits until it is so, and returns after how many seconds; fails where that is too long."""
    began = time.monotonic()
    while not is_so():
        took_s = time.monotonic() - began
        assert took_s < limit_s, f"not so after {took_s:.1f} s"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def hire(api: Api, *phones: str) -> dict[str, int]:
    """Operators without a place in any queue; returns their ids by phone."""
    return {phone: (await api.operator(phone, None, name=f"Petugas {phone}", queue=""))["id"] for phone in phones}


async def three_shifts(api: Api, first: date) -> None:
    for name, (start, end) in SHIFTS.items():
        body = {
            "name": name,
            "start": f"{start:02}:00",
            "end": f"{end % 24:02}:00",
            "first_date": first.isoformat(),
            "overlap_min": 0,
        }
        await api.send("POST", "/v1/shifts", body, status=201)


def a_week(first: date, phones: list[str]) -> tuple[str, dict[tuple[date, str], set[str]]]:
    """A roster for seven days, two people a shift, as CSV; and who works when, worked out here."""
    rows, works = ["date,shift,phone,queue,penalty"], {}
    for day in range(7):
        for place, shift in enumerate(SHIFTS):
            who = [phones[(day + 2 * place + number) % len(phones)] for number in range(2)]
            works[first + timedelta(days=day), shift] = set(who)
            rows += [
                f"{first + timedelta(days=day)},{shift},{phone},emergency,{number}" for number, phone in enumerate(who)
            ]
    return "\n".join(rows) + "\n", works


def on_duty(works: dict[tuple[date, str], set[str]], at: datetime) -> set[str]:
    """Who works at that time of Jakarta's wall clock."""
    found = set()
    for (day, shift), who in works.items():
        midnight = datetime(day.year, day.month, day.day, tzinfo=JAKARTA)
        start, end = SHIFTS[shift]
        if midnight + timedelta(hours=start) <= at < midnight + timedelta(hours=end):
            found |= who
    return found


async def import_csv(api: Api, text: str) -> None:
    headers = {"Content-Type": "text/csv"}
    url = "/v1/roster/import?allow_gaps=true"
    async with api.session.post(url, data=text.encode(), headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_at_each_boundary_of_a_week_the_members_are_the_rosters(own_centre: RealCentre) -> None:
    centre = own_centre
    await centre.ready()
    first = datetime.now(JAKARTA).date() + timedelta(days=3)
    phones = [str(number) for number in range(1001, 1008)]
    text, works = a_week(first, phones)
    midnight = datetime(first.year, first.month, first.day, tzinfo=JAKARTA)
    boundaries = [midnight + timedelta(hours=6 + 8 * number) for number in range(22)]
    assert on_duty(works, boundaries[0] - timedelta(seconds=1)) == set()
    slowest_s = 0.0
    async with centre.api() as api:
        await hire(api, *phones)
        await three_shifts(api, first)
        await import_csv(api, text)
        assert members(centre) == set()
        for boundary in boundaries:
            for at in (boundary - timedelta(seconds=20), boundary + timedelta(seconds=1)):
                centre.set_clock(at - datetime.now(UTC))
                expected = on_duty(works, at)
                slowest_s = max(slowest_s, await within(lambda expected=expected: members(centre) == expected))  # type: ignore[misc]
        assert members(centre) == set()
        # the clock leaps back into the middle of the week
        at = boundaries[9] + timedelta(hours=1)
        centre.set_clock(at - datetime.now(UTC))
        await within(lambda: members(centre) == on_duty(works, at))
    print(f"{len(boundaries)} boundaries, the slowest after {slowest_s:.2f} s")


@pytest.fixture
async def at_noon(own_centre: RealCentre) -> AsyncIterator[tuple[RealCentre, Api]]:
    """A centre with three shifts, where it is just past noon of the roster's first day; nobody is assigned yet."""
    centre = own_centre
    await centre.ready()
    first = datetime.now(JAKARTA).date()
    noon = datetime(first.year, first.month, first.day, 12, tzinfo=JAKARTA)
    centre.set_clock(noon - datetime.now(UTC))
    async with centre.api() as api:
        await three_shifts(api, first)
        yield centre, api


async def assign(api: Api, operator_id: int, shift_id: int = 1, *, penalty: int = 0) -> None:
    today = datetime.now(JAKARTA).date()
    body = {
        "operator_id": operator_id,
        "shift_id": shift_id,
        "queue": "emergency",
        "penalty": penalty,
        "first_date": (today - timedelta(days=0)).isoformat(),
        "last_date": (today + timedelta(days=5)).isoformat(),
    }
    await api.send("POST", "/v1/assignments", body, status=201)


def leap(centre: RealCentre, hour: float) -> None:
    """Has it be that hour of the roster's first day."""
    first = datetime.now(JAKARTA).date()
    midnight = datetime(first.year, first.month, first.day, tzinfo=JAKARTA)
    centre.set_clock(midnight + timedelta(hours=hour) - datetime.now(UTC))


async def test_a_talking_operator_stays_until_the_call_ends(at_noon: tuple[RealCentre, Api]) -> None:
    centre, api = at_noon
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        siti = await api.operator("1001", phone, queue="")
        await assign(api, siti["id"])
        await within(lambda: members(centre) == {"1001"})
        async with Sipp.caller(sip.caller_talks(hold_ms=9000), centre.sip_port) as caller:
            async with asyncio.timeout(10):
                while not [call for call in await api.calls() if call["answered_at"]]:
                    await asyncio.sleep(0.1)
            leap(centre, 14.01)
            await within(lambda: "shift over" in centre.cli("queue show emergency"))
            assert members(centre) == {"1001"}
            result = await caller.result()
            assert result.failed == 0
        await within(lambda: members(centre) == set())
    (call,) = await api.ended_calls(1)
    assert (call["outcome"], call["hung_up_by"], call["operator_name"]) == ("answered", "caller", "Siti")
    assert call["talk_s"] > 7


async def test_members_are_right_again_after_restarts_and_against_meddling_hands(
    at_noon: tuple[RealCentre, Api],
) -> None:
    centre, api = at_noon
    people = await hire(api, "1001", "1002", "1003")
    for operator_id in people.values():
        await assign(api, operator_id)
    everybody = set(people)
    took_s = {"assigned": await within(lambda: members(centre) == everybody)}

    centre.cli("queue remove member PJSIP/1001 from emergency")
    centre.cli("queue add member PJSIP/9999 to emergency")
    centre.cli("queue pause member PJSIP/1002 queue emergency reason hand")
    took_s["by hand"] = await within(
        lambda: members(centre) == everybody and "paused" not in centre.cli("queue show emergency")
    )
    for _ in range(3):  # the first may be put right by a look that what was done before had called for
        centre.cli("queue set penalty 7 on PJSIP/1002 in emergency")
        took_s["a penalty by hand"] = await within(lambda: "with penalty 7" not in centre.cli("queue show emergency"))

    centre.stop_asterisk(9)
    centre.start_asterisk()
    took_s["Asterisk killed"] = await within(lambda: members(centre) == everybody)

    centre.stop_gateway(9)
    centre.cli("queue remove member PJSIP/1003 from emergency")
    centre.start_gateway()
    await centre.ready()
    took_s["gateway killed"] = await within(lambda: members(centre) == everybody)

    # both are away while the shift ends
    centre.stop_gateway(9)
    centre.stop_asterisk(9)
    leap(centre, 14.01)
    centre.start_asterisk()
    centre.start_gateway()
    await centre.ready()
    took_s["both, over a boundary"] = await within(lambda: members(centre) == set())
    print({what: round(seconds, 2) for what, seconds in took_s.items()})


@asynccontextmanager
async def a_call(centre: RealCentre, hold_ms: int) -> AsyncIterator[Sipp]:
    async with Sipp.caller(sip.caller_talks(hold_ms=hold_ms), centre.sip_port) as caller:
        yield caller


async def test_a_phone_that_unregisters_is_out_of_rotation_and_the_call_goes_to_the_next(
    at_noon: tuple[RealCentre, Api],
) -> None:
    centre, api = at_noon
    siti = await api.operator("1001", None, queue="")
    async with Sipp(sip.phone_answers(), address="127.0.0.22") as phone:
        budi = await api.operator("1002", phone, name="Budi", queue="")
        await assign(api, siti["id"])
        await assign(api, budi["id"], penalty=1)
        async with a_phone(centre, "1001", siti["secret"]) as sitis:
            await within(lambda: "1001 (PJSIP/1001)" in centre.cli("queue show emergency"))
            await within(lambda: "(Unavailable)" not in centre.cli("queue show emergency"))
            await sitis.agent.unregister()
            await within(lambda: "(Unavailable)" in centre.cli("queue show emergency"))
            async with a_call(centre, 4000) as caller:
                assert (await caller.result()).failed == 0
    (call,) = await api.ended_calls(1)
    assert (call["outcome"], call["operator"]) == ("answered", "1002")
    assert [attempt["phone"] for attempt in call["attempts"]] == ["1002"]


async def test_a_phone_that_vanishes_in_the_middle_of_a_call_gives_the_caller_to_the_next(
    at_noon: tuple[RealCentre, Api],
) -> None:
    """It answers, and then sends nothing any more: no sound, no BYE, no answer."""
    centre, api = at_noon
    wizard = centre.settings.asterisk_dir / "etc/pjsip_wizard.conf"
    wizard.write_text(wizard.read_text().replace("endpoint/rtp_timeout = 30", "endpoint/rtp_timeout = 3"))
    centre.cli("module reload res_pjsip.so")
    async with (
        Sipp(sip.phone_answers(), address="127.0.0.21") as dead,
        Sipp(sip.phone_rings(), address="127.0.0.22") as living,
    ):
        siti = await api.operator("1001", dead, queue="")
        budi = await api.operator("1002", living, name="Budi", queue="")
        await assign(api, siti["id"])
        await assign(api, budi["id"], penalty=1)
        async with a_call(centre, 9000) as caller:
            assert (await caller.result()).failed == 0
    (call,) = await api.ended_calls(1)
    rung = [(attempt["phone"], attempt["result"]) for attempt in call["attempts"]]
    assert rung[0] == ("1001", "answered")
    assert ("1002", "caller_left") in rung or ("1001", "answered") in rung[1:]
    assert call["hung_up_by"] == "caller"
    told = [each["type"] for each in (await api.get(f"/v1/calls/{call['id']}/events"))["items"]]
    assert "call.queue_left" in told
    assert told.count("call.queued") >= 2
