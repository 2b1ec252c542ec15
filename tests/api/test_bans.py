"""Bans over the API: seen, made by hand, lifted; and none of a trunk or of a phone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.house import House


def ban(address: str = "203.0.113.5", hours: float = 1) -> dict[str, Any]:
    until = datetime.now(UTC) + timedelta(hours=hours)
    return {"address": address, "reason": "a sweep at night", "until": until.isoformat()}


async def test_an_address_is_banned_listed_and_lifted(house: House) -> None:
    made = await house.post("/v1/bans", ban())
    assert made.status == 201
    assert made.json["in_force"]
    assert house.switchboard.held.banned == {"203.0.113.5"}
    listed = (await house.get("/v1/bans")).json["items"]
    assert [each["address"] for each in listed] == ["203.0.113.5"]
    assert (await house.delete(f"/v1/bans/{made.json['id']}")).status == 204
    assert not house.switchboard.held.banned
    assert (await house.get("/v1/bans")).json["items"] == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.11", 409),
        ("10.0.0.0/8", 422),
        ("::", 422),
        ("....", 422),
        ("1.2.3.4;x", 422),
    ],
)
async def test_what_cannot_be_banned_is_refused_and_the_field_named(house: House, address: str, status: int) -> None:
    refused = await house.post("/v1/bans", ban(address))
    assert refused.status == status
    assert refused.json["errors"][0]["field"] == "/address"


async def test_a_ban_ends_within_a_week_and_stands_once(house: House) -> None:
    assert (await house.post("/v1/bans", ban(hours=169))).status == 422
    assert (await house.post("/v1/bans", ban())).status == 201
    assert (await house.post("/v1/bans", ban())).status == 409


async def test_a_ban_that_asterisk_refuses_says_so(house: House) -> None:
    house.switchboard.refuses["bans"] = "File is locked"
    made = await house.post("/v1/bans", ban())
    assert (made.status, made.json["applied"], made.json["problem"]) == (201, False, "File is locked")
