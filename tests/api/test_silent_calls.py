"""Callers who do not speak, over HTTP."""

from datetime import timedelta

from gateway.domain.call import Stage
from tests.api.house import START, House, answered
from tests.api.test_duty import hired

PATH = "/v1/calls/112-1.1/ask-for-key"


async def test_a_caller_is_asked_for_a_key_by_who_talks_with_him_or_a_supervisor(house: House) -> None:
    _, siti = await hired(house)
    _, budi = await hired(house, "1002", "Budi")
    *running, _, _ = answered(at=START.replace(year=2030))
    await house.tell(*running)
    assert house.context.centre.running_calls["112-1.1"].stage is Stage.TALKING

    statuses = [(await house.ask("POST", PATH, token=token)).status for token in (siti, budi, "supervisor", "reader")]

    assert statuses == [204, 403, 204, 403]
    assert house.switchboard.asked == [("112-1.1", "Siti"), ("112-1.1", "supervisor")]
    house.switchboard.is_away = True
    assert (await house.ask("POST", PATH)).status == 503


async def test_a_call_that_is_over_or_not_there_cannot_be_asked(house: House) -> None:
    assert (await house.ask("POST", PATH)).status == 404
    await house.answered_call()
    reply = await house.ask("POST", PATH)
    assert (reply.status, reply.json["detail"]) == (409, "Nobody talks with this caller now.")


async def test_the_board_shows_whose_caller_is_silent(house: House) -> None:
    await hired(house)
    now = house.context.clock()
    *running, _, _ = answered(at=now - timedelta(seconds=30))
    await house.tell(*running)
    house.services.line.stand("1001", "talking")
    house.services.listens_since = now - timedelta(hours=1)
    for house.services.clock.now_s in (0.0, 10.0):
        await house.context.listening.look()

    board = (await house.get("/v1/board")).json
    assert [each["is_caller_silent"] for each in board["operators"]] == [True]
