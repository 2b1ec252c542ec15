"""`gateway112 operator …`."""

from datetime import timedelta

import pytest

from gateway.cli import client
from gateway.domain.places import Place
from gateway.ports import sip_digest
from tests.api.house import House
from tests.cli.typed import Typed


async def test_an_operator_is_made_and_the_password_is_shown_for_the_softphone(house: House, typed: Typed) -> None:
    said = await typed.good("operator add Siti 1001")

    secret = said.row("password")[-1]
    assert house.switchboard.held.phones["1001"].digest == sip_digest("1001", secret)
    assert said.out.startswith("Siti has phone 1001.")
    assert said.row("user name") == ["user", "name", "1001"]
    assert said.row("server") == ["server", "127.0.0.1:5060,", "UDP", "or", "TCP"]
    assert "set sip.host in gateway.toml" in said.words


async def test_a_name_of_several_words_and_a_fixed_address_are_kept(house: House, typed: Typed) -> None:
    await typed.good("operator add --contact sip:1001@127.0.0.21:5070 1001", "1001")
    await typed.good("operator add", "Siti Aminah", "1002")

    listed = await typed.good("operator list")

    assert "Operators: 2" in listed.out
    assert "sip:1001@127.0.0.21:5070" in listed.row("1001")
    assert listed.row("1002")[:6] == ["1002", "Siti", "Aminah", "in", "no", "queue"]


async def test_an_operator_can_get_a_standing_place_at_once(house: House, typed: Typed) -> None:
    await typed.good("queue add medical")
    said = await typed.good("operator add Siti 1001 --queue emergency --queue medical")

    assert set(house.switchboard.held.members) == {("emergency", "1001"), ("medical", "1001")}
    assert "a place in queue medical at any hour" in said.words


async def test_nothing_is_made_where_a_queue_is_not_there(house: House, typed: Typed) -> None:
    said = await typed("operator add Siti 1001 --queue sales")

    assert said.status == 1
    assert "There is no queue sales. Remedy: name one of emergency" in said.err
    assert not house.switchboard.held.phones


async def test_what_asterisk_does_not_hold_yet_is_said_with_its_words(house: House, typed: Typed) -> None:
    house.switchboard.refuses["1001"] = "Invalid value"

    said = await typed.good("operator add Siti 1001")

    assert "Asterisk does not hold the phone yet: Invalid value" in said.words
    assert "NOT YET: Invalid value" in (await typed.good("operator list")).words


async def test_a_phone_that_is_taken_is_a_failure_in_one_sentence(typed: Typed) -> None:
    await typed.good("operator add Siti 1001")

    said = await typed("operator add Agus 1001")

    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "gateway112 operator add: Phone 1001 belongs to another operator. Remedy: choose another one, or end first "
        "what stands in the way.\n"
    )


async def test_a_new_password_ends_the_old_one(house: House, typed: Typed) -> None:
    first = (await typed.good("operator add Siti 1001")).row("password")[-1]

    second = (await typed.good("operator secret 1001")).row("password")[-1]

    assert second != first
    assert house.switchboard.held.phones["1001"].digest == sip_digest("1001", second)


async def test_a_retired_operator_is_gone_and_the_phone_is_free(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")

    said = await typed.good("operator retire 1001")

    assert said.out == "Siti is no operator any more; phone 1001 is free.\n"
    assert not house.switchboard.held.phones
    assert "There are no operators yet" in (await typed.good("operator list")).out


async def test_who_is_rostered_is_retired_only_where_the_hole_is_allowed(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    tomorrow = str(house.services.clock().date() + timedelta(days=1))
    shift = {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": tomorrow}
    assert (await house.post("/v1/shifts", shift)).status == 201
    body = {"operator_id": 1, "shift_id": 1, "queue": "emergency", "first_date": tomorrow, "last_date": tomorrow}
    assert (await house.post("/v1/assignments", body)).status == 201

    refused = await typed("operator retire 1001")
    said = await typed.good("operator retire 1001 --allow-gaps")

    assert (refused.status, refused.out) == (1, "")
    assert "Without Siti the roster would have holes" in refused.err
    assert said.out == "Siti is no operator any more; phone 1001 is free.\n"


async def test_logging_in_and_out_pausing_and_coming_back_are_told_as_they_now_are(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    reason = (await house.post("/v1/pause-reasons", {"digit": "9", "name": "break"})).json["name"]

    came = await typed.good("operator login 1001")
    paused = await typed.good("operator pause 1001", reason)
    back = await typed.good("operator resume 1001")
    gone = await typed.good("operator logout 1001")

    assert came.out.startswith("Siti is on duty in emergency, and is rung; the roster has its say again at ")
    assert "Siti is on duty in emergency, and paused: break" in paused.words
    assert "Siti is on duty in emergency, and is rung" in back.words
    assert gone.out.startswith("Siti is off duty")
    assert not house.switchboard.held.members


async def test_a_reason_that_the_centre_does_not_keep_is_named_with_those_that_it_does(
    house: House, typed: Typed
) -> None:
    await typed.good("operator add Siti 1001")
    await house.post("/v1/pause-reasons", {"digit": "9", "name": "break"})

    said = await typed("operator pause 1001 sleep")

    assert said.status == 1
    assert (
        said.err.splitlines()[1] == "  reason: is not among Istirahat, Makan, Sholat, Toilet, Rapat, Tugas lain, break"
    )


async def test_an_action_that_asterisk_cannot_do_now_is_a_failure(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001 --queue emergency")
    await house.post("/v1/pause-reasons", {"digit": "9", "name": "break"})
    house.switchboard.is_away = True

    said = await typed("operator pause 1001 break")

    assert said.status == 1
    assert "Asterisk cannot be reached. Remedy:" in said.err


async def test_a_phone_that_nobody_has_is_said_and_how_to_see_the_others(typed: Typed) -> None:
    said = await typed("operator pause 1009 break")

    assert said.status == 1
    assert said.err == (
        "gateway112 operator pause: There is no operator with the phone 1009. "
        "Remedy: see those that are there with `gateway112 operator list`.\n"
    )


async def test_the_list_goes_on_over_many_pages(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    for phone in ("1001", "1002", "1003"):
        await typed.good("operator add Siti", phone)
    monkeypatch.setattr(client, "PAGE", 2)

    listed = await typed.good("operator list --json")

    assert [each["phone"] for each in listed.json["items"]] == ["1001", "1002", "1003"]
    assert listed.json["next"] is None


async def test_who_logs_in_at_a_phone_that_is_not_there_is_told_so(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    house.services.line.places = [Place("emergency", "1001", "unavailable")]

    said = await typed.good("operator login 1001")

    assert "on duty in emergency, but NOT rung: phone 1001 is not registered" in said.words
