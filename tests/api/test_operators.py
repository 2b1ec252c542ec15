"""Operators, their phones, and the queues that they are in."""

from typing import Any

import pytest

from gateway.ports import sip_digest
from tests.api.house import House

SITI = {"name": "Siti", "phone": "1001"}


async def test_a_new_operator_gets_a_phone_and_a_secret_that_is_shown_once(house: House) -> None:
    made = await house.post("/v1/operators", SITI)

    assert made.status == 201
    assert (made.json["applied"], made.json["problem"]) == (True, None)
    assert house.switchboard.held.phones["1001"].digest == sip_digest("1001", made.json["secret"])
    again = await house.get(made.headers["Location"], token="reader")
    assert again.json == {name: value for name, value in made.json.items() if name != "secret"}
    assert (await house.get("/v1/operators")).json == {"items": [again.json], "next": None}


async def test_a_phone_at_a_fixed_address_keeps_it(house: House) -> None:
    made = await house.post("/v1/operators", {**SITI, "contact": "sip:1001@127.0.0.21:5070"})

    assert made.json["contact"] == "sip:1001@127.0.0.21:5070"
    assert house.switchboard.held.phones["1001"].contact == "sip:1001@127.0.0.21:5070"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["/name", "/phone"]),
        ({"name": "Siti", "phone": "12"}, ["/phone"]),
        ({"name": "Siti", "phone": "1001\n"}, ["/phone"]),
        ({"name": "Siti", "phone": 1001}, ["/phone"]),
        ({"name": "  ", "phone": "1001"}, ["/name"]),
        ({"name": "S\x00", "phone": "1001"}, ["/name"]),
        ({"name": "S" * 81, "phone": "1001"}, ["/name"]),
        ({**SITI, "colour/x~y": 1}, ["/colour~1x~0y"]),
        ({**SITI, "contact": "1001@127.0.0.21"}, ["/contact"]),
        ({**SITI, "contact": "sip:1001@127.0.0.21:99999"}, ["/contact"]),
        ({**SITI, "contact": "sip:1001@127.0.0.21\n"}, ["/contact"]),
        ({**SITI, "contact": "sip:1001@127.0.0.999"}, ["/contact"]),
        ({**SITI, "contact": "sip:1001@127.0.0.011"}, ["/contact"]),
        ([], [""]),
    ],
)
async def test_a_body_that_cannot_be_used_is_named_by_field(house: House, body: Any, fields: list[str]) -> None:
    reply = await house.post("/v1/operators", body)

    assert (reply.status, reply.fields) == (422, fields)


async def test_a_phone_at_a_trunks_address_does_not_fit(house: House) -> None:
    reply = await house.post("/v1/operators", {**SITI, "contact": "sip:1001@127.0.0.11:5070"})

    assert (reply.status, reply.fields) == (409, ["/contact"])


async def test_a_phone_belongs_to_one_operator(house: House) -> None:
    await house.post("/v1/operators", SITI)

    reply = await house.post("/v1/operators", {"name": "Agus", "phone": "1001"})

    assert reply.status == 409
    assert "1001" in reply.json["detail"]


async def test_what_asterisk_refuses_is_told_with_its_words(house: House) -> None:
    house.switchboard.refuses["1001"] = "Invalid value"

    made = await house.post("/v1/operators", SITI)

    assert (made.status, made.json["applied"], made.json["problem"]) == (201, False, "Invalid value")


async def test_an_operator_made_while_asterisk_is_away_is_applied_later(house: House) -> None:
    house.switchboard.is_away = True
    made = await house.post("/v1/operators", SITI)
    assert (made.status, made.json["applied"]) == (201, False)
    assert "cannot be reached" in made.json["problem"]

    house.switchboard.is_away = False
    await house.context.level.look()

    assert (await house.get(made.headers["Location"])).json["applied"] is True


async def test_a_patch_changes_only_what_it_names(house: House) -> None:
    made = await house.post("/v1/operators", {**SITI, "contact": "sip:1001@127.0.0.21"})
    path = made.headers["Location"]

    renamed = await house.patch(path, {"name": "Siti Aminah"})
    freed = await house.ask(
        "PATCH",
        path,
        data=b'{"contact": null}',
        headers={"Content-Type": "application/merge-patch+json", "If-Match": renamed.headers["ETag"]},
    )
    unchanged = await house.patch(path, {})

    assert (renamed.json["name"], renamed.json["contact"], renamed.json["secret"]) == (
        "Siti Aminah",
        "sip:1001@127.0.0.21",
        None,
    )
    assert (freed.json["name"], freed.json["contact"]) == ("Siti Aminah", None)
    assert unchanged.json == {**freed.json, "version": 4}


async def test_a_new_secret_ends_the_old_one(house: House) -> None:
    made = await house.post("/v1/operators", SITI)

    changed = await house.patch(made.headers["Location"], {"renew_secret": True})

    assert changed.json["secret"] != made.json["secret"]
    assert house.switchboard.held.phones["1001"].digest == sip_digest("1001", changed.json["secret"])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": None}, 422, "/name"),
        ({"phone": "1002"}, 409, "/phone"),
        ({"home_queues": ["water"]}, 409, "/home_queues"),
        ({"contact": "sip:1@127.0.0.12"}, 409, "/contact"),
        ({"renew_secret": "yes"}, 422, "/renew_secret"),
    ],
)
async def test_a_patch_that_cannot_be_used_is_named_by_field(house: House, body: Any, status: int, field: str) -> None:
    made = await house.post("/v1/operators", SITI)

    reply = await house.patch(made.headers["Location"], body)

    assert (reply.status, reply.fields) == (status, [field])


async def test_a_retired_operator_is_gone_from_the_list_and_from_asterisk(house: House) -> None:
    made = await house.post("/v1/operators", SITI)
    await house.ask("PUT", "/v1/queues/emergency/members/1001")

    assert (await house.delete(made.headers["Location"])).status == 204

    assert (await house.get("/v1/operators")).json["items"] == []
    assert not house.switchboard.held.phones
    assert not house.switchboard.held.members
    assert (await house.get(made.headers["Location"])).status == 404
    assert (await house.delete(made.headers["Location"])).status == 404
    assert (await house.patch(made.headers["Location"], {})).status == 404


async def test_a_phone_is_put_into_a_queue_and_taken_out(house: House) -> None:
    await house.post("/v1/operators", SITI)
    house.services.line.stand("1001", "free")

    put = await house.ask("PUT", "/v1/queues/emergency/members/1001")
    changed = await house.ask("PUT", "/v1/queues/emergency/members/1001", json={"penalty": 5})

    member = {"phone": "1001", "penalty": 5, "standing": True, "state": "free", "applied": True, "problem": None}
    assert (put.status, put.json) == (201, {**member, "penalty": 0})
    assert (changed.status, changed.json) == (200, member)
    assert house.switchboard.held.members[("emergency", "1001")].penalty == 5
    assert (await house.get("/v1/queues")).json["items"][0]["members"] == [member]
    assert (await house.get("/v1/operators")).json["items"][0]["state"] == "free"
    assert (await house.ask("DELETE", "/v1/queues/emergency/members/1001")).status == 204
    assert (await house.ask("DELETE", "/v1/queues/emergency/members/1001")).status == 404
    assert (await house.get("/v1/queues")).json["items"][0]["members"] == []


async def test_a_place_that_asterisk_refuses_is_told_with_its_words(house: House) -> None:
    await house.post("/v1/operators", SITI)
    house.switchboard.refuses["emergency/1001"] = "Unable to add interface"

    put = await house.ask("PUT", "/v1/queues/emergency/members/1001")

    assert (put.json["applied"], put.json["problem"]) == (False, "Unable to add interface")


@pytest.mark.parametrize("path", ["/v1/queues/sales/members/1001", "/v1/queues/emergency/members/1002"])
async def test_an_unknown_queue_or_phone_is_a_404(house: House, path: str) -> None:
    await house.post("/v1/operators", SITI)

    assert (await house.ask("PUT", path)).status == 404
    assert (await house.ask("DELETE", path)).status == 404


async def test_a_bad_penalty_or_phone_is_named(house: House) -> None:
    penalty = await house.ask("PUT", "/v1/queues/emergency/members/1001", json={"penalty": -1})
    phone = await house.ask("PUT", "/v1/queues/emergency/members/siti")

    assert (penalty.status, penalty.fields) == (422, ["/penalty"])
    assert (phone.status, phone.fields) == (422, ["{phone}"])
