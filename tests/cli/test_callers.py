"""`gateway112 callback …`, `agency …` and `block …`: what becomes of callers whom no operator answers at once."""

import re

from tests.api.house import House
from tests.api.test_callbacks import unheard
from tests.cli.typed import Typed

# ---------------------------------------------------------------- callbacks


async def test_who_waits_to_be_called_is_listed_taken_and_dialled(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    await unheard(house)
    await unheard(house, "112-1.2", hour=1)

    listed = await typed.good("callback list")
    claimed = await typed.good("callback claim 1 1001")
    dialled = await typed.good("callback dial 1 1001")

    assert listed.row("1")[:3] == ["1", "081234567", "2"]
    assert "LATE" in listed.out
    assert "Callback 1 of 081234567 is in the hands of Siti." in claimed.words
    assert "Callback 1 of 081234567 is called: Siti's phone rings now." in dialled.words
    assert [(dial.phone, dial.number) for dial in house.switchboard.diallings] == [("1001", "081234567")]
    assert "Siti claimed" in (await typed.good("callback list")).words


async def test_a_callback_is_closed_with_what_came_of_it(house: House, typed: Typed) -> None:
    await unheard(house)
    await unheard(house, "112-1.2", "081234568")

    reached = await typed.good("callback reached 1", "fire at the market")
    given_up = await typed.good("callback give-up 2", "five tries")

    assert "Callback 1 of 081234567 is done: somebody spoke with the caller." in reached.words
    assert "Callback 2 of 081234568 is given up." in given_up.words
    assert (await typed.good("callback list")).words == "Nobody waits to be called back."
    assert [each["reason"] for each in (await typed.good("callback list --all --json")).json["items"]] == [
        "five tries",
        "fire at the market",
    ]


async def test_many_callbacks_are_counted_first_and_then_given_up(house: House, typed: Typed) -> None:
    for number in range(3):
        await unheard(house, f"112-1.{number}", f"08123456{number}")
    await unheard(house, "112-1.9", "081234562", hour=1)
    line = "callback give-up-many forged --trunk telkomsel --since 2026-08-17T10:00 --until 2026-08-17T10:30"

    counted = await typed.good(line)
    wrong = await typed(f"{line} --expect 30")
    done = await typed.good(f"{line} --expect 2")

    assert "2 callbacks are so. To give them up, say the same with --expect 2." in counted.words
    assert wrong.status == 1
    assert "2 callbacks are so, and not 30" in wrong.words
    assert "2 callbacks are given up." in done.words
    assert "No callback in nobody's hands is so." in (await typed.good(line)).words
    assert (await typed.good("callback list --least-tries 2")).row("3")[1] == "081234562"
    assert (await typed("callback list --since yesterday")).status == 2


async def test_a_callback_that_is_not_there_is_told(typed: Typed) -> None:
    said = await typed("callback claim 9 1001")

    assert said.status == 1
    assert "There is no operator with the phone 1001." in said.words


# ---------------------------------------------------------------- agencies


async def test_an_agency_is_made_changed_and_taken_off_the_menu(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1201")

    made = await typed.good("agency set fire", "Damkar", "1201", "0318921111@telkomsel")
    changed = await typed.good("agency set fire", "Damkar Sidoarjo", "1201", "--ring-s", "30")
    listed = await typed.good("agency list")
    await typed.good("agency set fire", "Damkar Sidoarjo", "0318921111@telkomsel")
    assert (await typed.good("agency list")).row("1")[-2:] == ["30", "yes"], "what is not named stays"
    retired = await typed.good("agency retire fire")

    assert made.row("duty phones") == ["duty", "phones", "1201,", "0318921111@telkomsel"]
    assert made.row("in Asterisk") == ["in", "Asterisk", "yes"]
    assert "Damkar Sidoarjo is the agency for fire." in changed.words
    assert listed.row("1") == ["1", "fire", "Damkar", "Sidoarjo", "1201", "30", "yes"]
    assert "The menu offers fire no more." in retired.words
    assert "There are no agencies" in (await typed.good("agency list")).words


async def test_a_duty_phone_that_cannot_be_is_named(typed: Typed) -> None:
    over_no_trunk = await typed("agency set fire Damkar 0318921111@nowhere")
    half = await typed("agency set fire Damkar 0318921111@")
    gone = await typed("agency retire fire")

    assert over_no_trunk.status == 1
    assert "nowhere" in over_no_trunk.words
    assert half.status == 2
    assert "0318921111@ is neither a phone nor NUMBER@TRUNK" in half.words
    assert "There is no agency for fire." in gone.words


# ---------------------------------------------------------------- blocks


async def test_a_number_is_blocked_for_some_hours_and_freed(house: House, typed: Typed) -> None:
    made = await typed.good("block set 081299900001", "40 silent calls in an hour", "--hours", "2")
    listed = await typed.good("block list")
    lifted = await typed.good("block lift 081299900001")

    assert re.search(r"081299900001 is blocked until \d{4}-\d\d-\d\d \d\d:\d\d", made.words)
    assert "BLOCKED" in listed.row("081299900001")
    assert "081299900001 is blocked no more." in lifted.words
    assert (await typed.good("block list")).words == "No number is blocked."
    assert "over" in (await typed.good("block list --all")).row("081299900001")


async def test_a_block_that_asterisk_does_not_hold_is_a_failure_that_says_so(house: House, typed: Typed) -> None:
    house.switchboard.refuses["block/081299900001"] = "Database file is locked"
    made = await typed("block set 081299900001 pranks")
    assert made.status == 1
    assert "Asterisk does not hold it yet: Database file is locked." in made.words


async def test_what_asterisk_has_not_let_go_of_is_a_failure_that_says_so(house: House, typed: Typed) -> None:
    """Whoever is told that a carrier is banned no more does not look again."""
    await typed.good("block set 081299900001 pranks")
    await typed.good("ban set 203.0.113.5 guesses")
    await typed.good("operator add Siti 1201")
    await typed.good("agency set fire Damkar 0318921111@telkomsel")
    house.switchboard.is_away = True
    for words, done in (
        ("block lift 081299900001", "081299900001 is blocked no more."),
        ("ban lift 203.0.113.5", "203.0.113.5 is banned no more."),
        ("operator retire 1201", "Siti is no operator any more"),
        ("agency retire fire", "The menu offers fire no more."),
    ):
        said = await typed(words)
        assert said.status == 1
        assert done in said.words
        assert "Asterisk has not let go of it yet: Asterisk cannot be reached" in said.words


async def test_a_place_that_asterisk_refuses_is_a_failure_that_says_so(house: House, typed: Typed) -> None:
    house.switchboard.refuses["emergency/1201"] = "Unable to add interface"
    added = await typed("operator add Siti 1201 --queue emergency")
    joined = await typed("queue join emergency 1201")
    for said in (added, joined):
        assert (said.status, "has a place in queue emergency at any hour" in said.words) == (1, True)
        assert "Asterisk does not hold it yet: Unable to add interface." in said.words
    assert "password" in added.words
    assert "NOT YET: Unable to add interface" in (await typed.good("queue list")).words


async def test_a_place_that_asterisk_has_not_let_go_of_is_a_failure_that_says_so(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1201 --queue emergency")
    house.switchboard.refuses["emergency/1201"] = "Unable to remove interface"
    for words, done in (
        ("queue leave emergency 1201", "when the roster says so, and at no other time"),
        ("operator retire 1201", "Siti is no operator any more"),
    ):
        said = await typed(words)
        assert (said.status, done in said.words) == (1, True)
        assert "Asterisk has not let go of it yet: Unable to remove interface." in said.words


async def test_a_block_of_more_than_a_day_is_refused_with_the_reason(typed: Typed) -> None:
    too_long = await typed("block set 081299900001 pranks --hours 48")
    nobody = await typed("block lift 081299900001")

    assert too_long.status == 1
    assert "until" in too_long.err
    assert "081299900001 is not blocked." in nobody.words


# ---------------------------------------------------------------- bans


async def test_an_address_is_kept_out_for_some_hours_and_let_in_again(house: House, typed: Typed) -> None:
    made = await typed.good("ban set 203.0.113.5", "a sweep at night", "--hours", "2")
    listed = await typed.good("ban list")
    plain = await typed.good("ban list --plain")
    lifted = await typed.good("ban lift 203.0.113.5")
    again = await typed("ban lift 203.0.113.5")

    assert re.search(r"203\.0\.113\.5 is kept out until \d{4}-\d\d-\d\d \d\d:\d\d", made.words)
    assert "BANNED" in listed.row("203.0.113.5")
    assert plain.words == "203.0.113.5"
    assert "203.0.113.5 is banned no more." in lifted.words
    assert (await typed.good("ban list")).words == "No address is banned."
    assert again.status == 1
    assert "203.0.113.5 is not banned." in again.words
