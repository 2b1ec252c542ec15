"""`gateway112 roster show` against the true API: who is there, and what is missing."""

from datetime import UTC, datetime

from tests.api.house import House
from tests.cli.typed import Typed

MONDAY_NOON = datetime(2026, 12, 7, 5, 0, tzinfo=UTC)
"""In Jakarta (UTC+7)."""


async def rostered(house: House) -> None:
    """Siti works each night of a week; the queue needs one person at any time."""
    house.services.clock.at = MONDAY_NOON
    night = {"name": "malam", "start": "22:00", "end": "06:00", "first_date": "2026-12-01"}
    shift_id = (await house.post("/v1/shifts", night)).json["id"]
    operator_id = (await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})).json["id"]
    body = {
        "operator_id": operator_id,
        "shift_id": shift_id,
        "queue": "emergency",
        "first_date": "2026-12-07",
        "last_date": "2026-12-13",
    }
    assert (await house.post("/v1/assignments?allow_gaps=true", body)).status == 201


async def test_a_week_is_shown_with_its_people_and_its_holes(house: House, typed: Typed) -> None:
    await rostered(house)

    said = await typed.good("roster show --week 2026-W50")

    assert said.row("malam")[1:] == ["│Siti"] * 7
    # by day nobody comes: 16 hours on each of seven days, and six of the first night, which nobody began
    assert "Queue emergency: at least 1 at any time, BELOW THAT for 118 h" in said.words
    assert "NOBODY" in said.out


async def test_the_last_night_is_whole_also_after_midnight(house: House, typed: Typed) -> None:
    await rostered(house)
    said = await typed.good("roster show --from 2026-12-12 --to 2026-12-12")
    assert said.row("malam")[1:] == ["│Siti"]


async def test_who_has_a_place_at_any_hour_is_named_and_can_give_it_up(house: House, typed: Typed) -> None:
    await rostered(house)
    await typed.good("queue join emergency 1001")
    covered = await typed.good("roster show --week 2026-W50")
    await typed.good("queue leave emergency 1001")
    left = await typed.good("roster show --week 2026-W50")

    assert "At any hour, whatever the roster says: 1001" in covered.words
    assert "NOBODY" not in covered.out
    assert "At any hour" not in left.words
    assert "NOBODY" in left.out


async def test_a_roster_that_is_hard_on_people_is_said(house: House, typed: Typed) -> None:
    await rostered(house)
    await house.post("/v1/shifts", {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-12-01"})
    await house.post("/v1/shifts", {"name": "rapat", "start": "05:00", "end": "07:00", "first_date": "2026-12-01"})
    await typed.good("assign 1001 pagi 2026-12-08")
    await typed.good("assign 1001 rapat 2026-12-09")

    said = await typed.good("roster show --week 2026-W50")

    assert "Siti rests only 0 h before the shift of 2026-12-08 06:00." in said.words
    assert "Siti works two shifts at once from 2026-12-09 05:00 until 2026-12-09 06:00." in said.words
