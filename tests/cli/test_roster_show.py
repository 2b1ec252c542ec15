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
