"""`gateway112 queue …`, `trunk …`, `shift …`, `assign` and `alarms`: what a centre is set up with."""

from datetime import UTC, datetime

import pytest

from gateway.domain.alarms import Alarm
from gateway.domain.change import Change
from tests.api.house import House, answered
from tests.cli.typed import Typed

# ---------------------------------------------------------------- queues


async def test_a_queue_is_made_with_what_is_named_and_the_usual_for_the_rest(house: House, typed: Typed) -> None:
    said = await typed.good("queue add medical --minimum 2 --ring-s 20 --announces-position true --strategy ringall")

    made = house.switchboard.held.queues["medical"]
    assert (made.ring_s, made.announces_position, made.strategy) == (20, True, "ringall")
    assert said.row("minimum") == ["minimum", "2"]
    assert said.row("in Asterisk") == ["in", "Asterisk", "yes"]
    assert (await typed.good("queue list")).row("medical")[:3] == ["medical", "2", "nobody"]


async def test_a_queue_is_changed_where_it_is_named_and_stays_elsewhere(house: House, typed: Typed) -> None:
    await typed.good("queue add medical --ring-s 20 --music tenang")

    await typed.good("queue set medical minimum=3 music=null")

    [made] = [each for each in (await house.get("/v1/queues")).json["items"] if each["name"] == "medical"]
    assert (made["minimum"], made["ring_s"], made["music"]) == (3, 20, None)


async def test_each_setting_that_a_queue_cannot_have_is_named(typed: Typed) -> None:
    said = await typed("queue set emergency ring_s=1 colour=red")

    assert said.status == 1
    assert said.err.splitlines()[0] == (
        "gateway112 queue set: The request cannot be used. Remedy: correct what is named below."
    )
    assert sorted(line.split(":")[0] for line in said.err.splitlines()[1:]) == ["  colour", "  ring_s"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("queue set emergency --minimum 1", "argument --minimum: write minimum=1 here, without the dashes"),
        ("queue set emergency ring_s=20 --wrap-up-s=5", "argument --wrap-up-s: write wrap_up_s=5 here"),
        ("queue set emergency minimum 1", "minimum is not KEY=VALUE, such as minimum=2"),
    ],
)
async def test_who_changes_a_queue_by_options_is_told_how_it_is_written(typed: Typed, line: str, said: str) -> None:
    told = await typed(line)
    assert told.status == 2
    assert said in told.words


async def test_the_list_of_queues_tells_who_is_there_now(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001 --queue emergency")
    house.services.line.stand("1001", "free")

    assert "1001 free" in " ".join((await typed.good("queue list")).row("emergency"))


# ---------------------------------------------------------------- trunks


async def test_a_trunk_is_made_and_listed_with_what_came_in_over_it(house: House, typed: Typed) -> None:
    made = await typed.good("trunk add smartfren", "Smartfren Telecom", "10.20.0.5", "10.20.1.0/28")
    await house.tell(*answered(trunk="smartfren"))

    listed = await typed.good("trunk list")

    assert house.switchboard.held.trunks["smartfren"].addresses == ("10.20.0.5", "10.20.1.0/28")
    assert made.row("calls go to") == ["calls", "go", "to", "10.20.0.5,", "port", "5060"]
    assert "10.20.1.0/28" in listed.out
    assert "1" in listed.row("smartfren")
    assert "never" in listed.row("telkomsel")


async def test_an_address_of_another_trunk_is_refused_with_its_name(typed: Typed) -> None:
    said = await typed("trunk add smartfren Smartfren 127.0.0.11")

    assert said.status == 1
    assert "  addresses: 127.0.0.11/32 belongs to trunk telkomsel: calls could not be told apart" in said.err


# ---------------------------------------------------------------- shifts and who works them


async def test_a_shift_begins_today_if_nothing_else_is_said(typed: Typed) -> None:
    said = await typed.good("shift add night 22:00 6:00")

    assert "Shift night: 22:00 to 06:00 on the next day, every day, from 20" in said.words
    assert (await typed.good("shift list")).row("night")[:4] == ["night", "22-06", "every", "day"]


async def test_a_shift_of_some_days_shows_its_rule(typed: Typed) -> None:
    await typed.good("shift add office 08:00 16:00 --rule FREQ=WEEKLY;BYDAY=MO,TU --from 2026-11-23")

    listed = await typed.good("shift list")

    assert listed.row("office")[:4] == ["office", "08-16", "FREQ=WEEKLY", "2026-11-23"]
    assert "BYDAY=MO,TU" in listed.out


async def test_a_rule_that_cannot_be_is_named(typed: Typed) -> None:
    said = await typed("shift add office 08:00 16:00 --rule FREQ=NEVER")

    assert said.status == 1
    assert "  rule: FREQ must be one of" in said.err


async def test_an_operator_is_assigned_by_the_names_that_people_use(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    await typed.good("shift add morning 06:00 14:00 --from 2026-11-01")
    await typed.good("queue add medical")

    week = await typed.good("assign 1001 morning 2026-11-23 2026-11-29")
    day = await typed.good("assign 1001 morning 2026-12-01 --queue medical --penalty 5")

    assert week.out == "Siti works morning in queue emergency, 23 to 29 November 2026.\n"
    assert day.out == "Siti works morning in queue medical, 1 December 2026.\n"
    kept = [
        (each["queue"], each["penalty"], each["first_date"], each["last_date"])
        for each in (await house.get("/v1/assignments")).json["items"]
    ]
    assert kept == [("emergency", 0, "2026-11-23", "2026-11-29"), ("medical", 5, "2026-12-01", "2026-12-01")]


async def test_a_shift_that_is_not_there_is_said(typed: Typed) -> None:
    await typed.good("operator add Siti 1001")

    said = await typed("assign 1001 noon 2026-11-23")

    assert said.status == 1
    assert "There is no shift noon. Remedy: see those that are there with `gateway112 shift list`." in said.err


# ---------------------------------------------------------------- alarms


async def test_alarms_that_stand_are_told_and_those_that_are_over_only_when_asked_for(
    house: House, typed: Typed
) -> None:
    raised = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
    over = Alarm("hole", "medical", "nobody tomorrow", raised, datetime(2026, 11, 25, 4, 0, tzinfo=UTC))
    assert "No alarm stands." in (await typed.good("alarms")).out
    await house.services.saving.save(
        Change(alarms=(Alarm("short", "emergency", "0 of at least 1 are there", raised), over))
    )

    now, all_of_them = await typed.good("alarms"), await typed.good("alarms --all")

    assert "Alarms: 1 stand now (times of Asia/Jakarta)" in now.out
    assert now.row("short")[:5] == ["short", "emergency", "2026-11-25", "10:00", "STANDS"]
    assert "medical" not in now.out
    assert all_of_them.row("hole")[:6] == ["hole", "medical", "2026-11-25", "10:00", "2026-11-25", "11:00"]


@pytest.mark.parametrize("line", ["operator list", "queue list", "trunk list", "shift list", "alarms", "token list"])
async def test_every_list_can_be_had_as_the_api_tells_it(typed: Typed, line: str) -> None:
    said = await typed.good(f"{line} --json")

    assert set(said.json) == {"items", "next"}
