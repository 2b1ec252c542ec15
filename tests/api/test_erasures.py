"""Erasing one person's data over the API: two people, and what it touches told beforehand."""

from dataclasses import replace

from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from tests.api.house import House
from tests.api.listener import listening
from tests.api.test_exports import recording_of
from tests.store.values import disposed, ended

NUMBER = "08123456789"


async def with_a_person(house: House) -> None:
    calls = tuple(replace(ended(number), caller=caller) for number, caller in ((1, NUMBER), (2, "+628123456789")))
    recordings = tuple(house.seals.seal(recording_of(call), b"Ogg") for call in calls)
    said = (disposed(calls[0], Disposition.PRANK),)
    await house.context.store.commit(Change(calls=calls, recordings=recordings, dispositions=said))


async def test_one_person_asks_and_sees_what_it_touches_and_another_one_confirms(house: House) -> None:
    await with_a_person(house)
    await house.post("/v1/legal-holds", {"call_id": "112-2", "reason": "LP/B/112"})
    asked = await house.post("/v1/erasures", {"number": NUMBER, "reason": "letter 17"}, token="supervisor")
    assert asked.status == 201
    assert asked.json["state"] == "asked"
    assert asked.json["touches"] == {
        **{"calls": 1, "call_ids": ["112-1"], "recordings": 1, "recording_ids": ["112-1"]},
        **{"callbacks": 0, "dispositions": 1, "blocks": 0},
        **{"left_out": [{"call_id": "112-2", "why": "LP/B/112"}], "hindrance": None},
    }
    path = f"/v1/erasures/{asked.json['id']}"
    match = {"If-Match": asked.headers["ETag"]}
    own = await house.ask("POST", f"{path}/confirm", token="supervisor", headers=match)
    assert (own.status, own.json["detail"]) == (409, "who asked for it cannot confirm it: a second person must.")
    assert (await house.ask("POST", f"{path}/confirm")).status == 428

    confirmed = await house.ask("POST", f"{path}/confirm", headers=match)
    assert (confirmed.status, confirmed.json["state"], confirmed.json["confirmed_by"]) == (200, "confirmed", "admin")
    assert (await house.delete(path)).status == 409
    assert await house.services.erasing.look() == 1

    held = (await house.get(path)).json
    assert (held["state"], held["number"], held["done_at"]) == ("held", NUMBER, None)
    assert (held["calls"], held["recordings"], held["left_out"]) == (1, 1, 1)
    assert held["touches"]["left_out"] == [{"call_id": "112-2", "why": "LP/B/112"}]
    assert (held["touches"]["calls"], held["touches"]["recordings"]) == (0, 0)
    call = (await house.get("/v1/calls/112-1")).json
    assert (call["caller"], call["recording"]) == (held["pseudonym"], None)
    assert (await house.get("/v1/calls/112-2")).json["caller"] == "+628123456789"

    hold = "/v1/legal-holds/1/lift"
    await house.post(hold, {"reason": "verdict"}, token="supervisor", headers={"If-Match": "*"})
    assert (await house.ask("POST", f"{hold}/confirm", headers={"If-Match": "*"})).status == 200
    assert await house.services.erasing.look() == 1
    done = (await house.get(path)).json
    assert (done["state"], done["number"], done["touches"]) == ("done", "", None)
    assert (done["calls"], done["recordings"], done["left_out"]) == (2, 2, 0)
    assert (await house.get("/v1/calls/112-2")).json["caller"] == held["pseudonym"]


async def test_whoever_asks_is_told_at_once_that_the_person_waits_for_the_centre(house: House) -> None:
    await with_a_person(house)
    running = replace(ended(9), caller=NUMBER, ended_at=None, outcome=None)
    await house.context.store.commit(Change(calls=(running,)))
    asked = (await house.post("/v1/erasures", {"number": NUMBER, "reason": "letter 17"}, token="supervisor")).json
    assert asked["touches"]["hindrance"] == "a call of that number goes on: wait for its end"
    refused = await house.ask("POST", f"/v1/erasures/{asked['id']}/confirm", headers={"If-Match": "*"})
    assert (refused.status, refused.json["detail"]) == (409, "a call of that number goes on: wait for its end.")


async def test_an_erasure_is_withdrawn_before_it_is_confirmed_and_not_seen_by_those_who_may_not(house: House) -> None:
    await with_a_person(house)
    asked = await house.post("/v1/erasures", {"number": NUMBER, "reason": "letter 17"})
    path = f"/v1/erasures/{asked.json['id']}"
    assert (await house.get(path, token="reader")).status == 403
    assert (await house.post("/v1/erasures", {"number": NUMBER, "reason": "twice"})).status == 409
    assert (await house.delete(path)).status == 204
    [withdrawn] = (await house.get("/v1/erasures?include_retired=true")).json["items"]
    assert (withdrawn["state"], withdrawn["number"]) == ("withdrawn", "")
    assert (await house.ask("POST", f"{path}/confirm", token="supervisor", headers={"If-Match": "*"})).status == 404


async def test_a_number_that_is_no_one_persons_is_refused(house: House) -> None:
    for number in ("112", "0000000", "anonymous", "0812 345 678"):
        refused = await house.post("/v1/erasures", {"number": number, "reason": "letter"})
        assert (refused.status, refused.fields) == (422, ["/number"])
    named = await house.post("/v1/erasures", {"number": NUMBER, "reason": f"{NUMBER} asked"})
    assert (named.status, named.fields) == (422, ["/reason"])


async def test_what_was_erased_is_told_to_nobody_who_comes_later_to_the_stream(house: House) -> None:
    """The newest events are kept in memory as they were announced, and each as it went over the wire."""
    await house.answered_call()
    async with listening(house, "0", token="admin") as before:
        while (told := await before.next())["type"] != "call.ended":
            if told["type"] == "call.arrived":
                assert told["data"]["caller"] == NUMBER
    asked = (await house.post("/v1/erasures", {"number": NUMBER, "reason": "letter 17"}, token="supervisor")).json
    await house.ask("POST", f"/v1/erasures/{asked['id']}/confirm", headers={"If-Match": "*"})
    assert await house.services.erasing.look() == 1
    async with listening(house, "0", token="admin") as later:
        while (told := await later.next())["type"] != "call.ended":
            assert NUMBER not in str(told)
            if told["type"] == "call.arrived":
                assert told["data"]["caller"] == asked["pseudonym"]
