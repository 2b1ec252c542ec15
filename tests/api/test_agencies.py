"""Agencies over the API, and the notes that the dialplan reads of them."""

from typing import Any

import pytest

from tests.api.house import House

PHONES = [{"number": "081234567", "trunk": "telkomsel"}, {"number": "1001", "trunk": None}]
DAMKAR: dict[str, Any] = {"name": "Damkar Sidoarjo", "service": "fire", "phones": PHONES}


async def with_phone_1001(house: House) -> int:
    made = await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})
    return int(made.json["id"])


async def test_an_agencys_phones_are_noted_for_the_dialplan_and_gone_with_it(house: House) -> None:
    await with_phone_1001(house)
    made = await house.post("/v1/agencies", DAMKAR)
    assert made.status == 201
    assert made.json["phones"] == PHONES
    assert made.json["applied"]
    notes = house.switchboard.held.notes
    assert notes["agency/fire/phones"] == "081234567@telkomsel&1001"
    assert (notes["agency/fire/name"], notes["agency/fire/ring"]) == ("Damkar Sidoarjo", "20")

    path = f"/v1/agencies/{made.json['id']}"
    changed = await house.patch(path, {"phones": PHONES[:1], "ring_s": 30})
    assert changed.json["phones"] == PHONES[:1]
    assert house.switchboard.held.notes["agency/fire/phones"] == "081234567@telkomsel"

    assert (await house.delete(path)).status == 204
    assert not [note for note in house.switchboard.held.notes if note.startswith("agency/")]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"phones": []}, 422, "/phones"),
        ({"phones": [{"number": "0811", "trunk": "nobodys"}]}, 409, "/phones"),
        ({"phones": [{"number": "4711"}]}, 409, "/phones"),
        ({"phones": [*PHONES, {"number": "0811&PJSIP/1", "trunk": "telkom"}]}, 422, "/phones/2/number"),
        ({"service": "pizza"}, 422, "/service"),
        ({"ring_s": 0}, 422, "/ring_s"),
    ],
)
async def test_an_agency_that_cannot_be_is_named_by_field(
    house: House, body: dict[str, Any], status: int, field: str
) -> None:
    refused = await house.post("/v1/agencies", DAMKAR | body)
    assert refused.status == status
    assert refused.fields == [field]


async def test_each_service_has_one_agency(house: House) -> None:
    await with_phone_1001(house)
    assert (await house.post("/v1/agencies", DAMKAR)).status == 201
    assert (await house.post("/v1/agencies", DAMKAR | {"name": "Another"})).status == 409


async def test_what_an_agency_is_called_over_cannot_be_retired(house: House) -> None:
    operator = await with_phone_1001(house)
    await house.post("/v1/agencies", DAMKAR)
    trunk = next(each for each in (await house.get("/v1/trunks")).json["items"] if each["name"] == "telkomsel")
    for path in (f"/v1/operators/{operator}", f"/v1/trunks/{trunk['id']}"):
        refused = await house.delete(path)
        assert refused.status == 409
        assert "Damkar Sidoarjo" in refused.json["detail"]
