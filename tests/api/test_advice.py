"""Advice rules and their dry run, blocks, and what is known of a number."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.api import advice_rules
from gateway.domain.advice_rules import MOST_RULES
from gateway.domain.dispositions import Disposition
from gateway.domain.facts import CallerLeft, Entered, Side, TrunkAnswered
from gateway.store.database import writing
from gateway.store.tables import dispositions
from tests.api.house import START, House

CUT = {"name": "Cut", "place": 5, "condition": "cut_recently", "within_min": 5, "effect": "first"}
BEGINS = {"condition": "number", "within_min": None, "is_prefix": True}
CALLER = "08123456789"
DAY = {"from": "2026-08-17T00:00:00Z", "to": "2026-08-18T00:00:00Z"}


def soon(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def abandoned(house: House, number: int, caller: str = CALLER, **given: Any) -> None:
    """A call that its caller gave up after 10 s, `number` minutes after the start."""
    at = START + timedelta(minutes=number)
    call_id = f"112-{number}.{caller}"
    end = at + timedelta(seconds=10)
    await house.tell(
        Entered(call_id, at, given.get("trunk", "telkomsel"), caller),
        TrunkAnswered(call_id, at),
        CallerLeft(call_id, end, 16, Side.CALLER),
    )


async def pranks(
    house: House, count: int, caller: str = CALLER, at: datetime | None = None, trunk: str | None = None
) -> None:
    at = at or datetime.now(UTC)
    rows = [
        {
            **{"call_id": f"p{number}.{caller}", "caller": caller, "disposition": Disposition.PRANK, "category": None},
            **{"note": "", "operator_id": 1, "set_by": "Siti", "set_at": at - timedelta(seconds=number)},
            "trunk": trunk,
        }
        for number in range(count)
    ]
    async with writing(house.engine) as connection:
        await connection.execute(insert(dispositions), rows)


async def test_a_first_start_brings_rules_that_are_all_on_and_can_be_changed(house: House) -> None:
    rules = (await house.get("/v1/advice-rules")).json["items"]

    assert [(rule["place"], rule["condition"], rule["effect"], rule["is_on"]) for rule in rules] == [
        (10, "cut_recently", "first", True),
        (20, "location_attached", "earlier", True),
        (30, "open_callback", "earlier", True),
        (40, "tried_again", "earlier", True),
        (50, "many_numbers", "normal", True),
        (60, "nuisance", "later", True),
    ]
    changed = await house.patch(f"/v1/advice-rules/{rules[0]['id']}", {"is_on": False, "within_min": 3}, '"1"')
    assert (changed.status, changed.json["within_min"], changed.headers["ETag"]) == (200, 3, '"2"')
    assert (await house.delete(f"/v1/advice-rules/{rules[5]['id']}")).status == 204
    assert (await house.post("/v1/advice-rules", CUT)).status == 201


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"condition": "weather"}, 422, "/condition"),
        ({"within_min": 0}, 422, "/within_min"),
        ({"within_min": None}, 422, "/within_min"),
        ({"effect": "later"}, 422, "/effect"),
        ({"effect": "never"}, 422, "/effect"),
        ({"trunk": "telkom"}, 422, "/trunk"),
        ({"queue": "nowhere"}, 409, "/queue"),
        ({"name": "a,b"}, 422, "/name"),
        (BEGINS | {"number": "0812", "effect": "later"}, 422, "/number"),
        (BEGINS | {"number": ""}, 422, "/number"),
        (BEGINS | {"number": "112", "is_prefix": False, "effect": "later"}, 422, "/number"),
        ({"condition": "trunk", "within_min": None, "trunk": "nobody"}, 409, "/trunk"),
    ],
)
async def test_a_rule_that_is_written_wrong_is_refused_by_its_field(
    house: House, change: dict[str, Any], status: int, field: str
) -> None:
    reply = await house.post("/v1/advice-rules", CUT | change)
    assert (reply.status, reply.fields) == (status, [field]), reply.text
    tried = await house.post("/v1/advice-rules/dry-run", {**DAY, "rules": [CUT | change]})
    assert (tried.status, tried.fields) == (status, [f"/rules/0{field}"]), tried.text


async def test_a_dry_run_tells_what_each_rule_would_have_done_to_past_calls(house: House) -> None:
    await abandoned(house, 0)
    await abandoned(house, 3)
    await abandoned(house, 30)
    await house.answered_call(at=START + timedelta(minutes=31), caller="0811")

    kept = (await house.post("/v1/advice-rules/dry-run", DAY)).json
    told = {rule["name"]: (rule["matched"], rule["decided"], len(rule["examples"])) for rule in kept["rules"]}

    assert (kept["calls"], kept["first"], kept["earlier"], kept["unadvised"]) == (4, 1, 1, 2)
    assert kept["is_complete"]
    assert told["Cut a moment ago"] == (1, 1, 1)
    assert told["Second try"] == (1, 0, 0)
    assert told["Callback open"] == (2, 1, 1)
    alone = (await house.post("/v1/advice-rules/dry-run", {**DAY, "rules": [CUT | {"within_min": 60}]})).json
    assert [(rule["id"], rule["name"], rule["decided"]) for rule in alone["rules"]] == [(None, "Cut", 2)]
    assert [each["arrived_at"] for each in alone["rules"][0]["examples"]] == [
        "2026-08-17T03:03:00Z",
        "2026-08-17T03:30:00Z",
    ]
    beside = {**DAY, "rules": [CUT | {"within_min": 60}], "beside_kept": True}
    assert len((await house.post("/v1/advice-rules/dry-run", beside)).json["rules"]) == 7


async def test_a_dry_run_counts_its_calls_however_many_came_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice_rules, "MOST_CALLS", 2)
    for number in range(5):
        await abandoned(house, 5 * number)
    since = (START + timedelta(minutes=15)).isoformat()
    body = {"from": since, "to": DAY["to"], "rules": [CUT | {"within_min": 1440}]}
    told = (await house.post("/v1/advice-rules/dry-run", body)).json
    assert (told["calls"], told["first"], told["is_complete"]) == (2, 2, True)


async def test_the_dry_run_is_no_rules_id(house: House) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        async with house.session.request(method, house.url("/v1/advice-rules/dry-run")) as reply:
            assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "/from"),
        ({**DAY, "to": "2026-08-16T00:00:00Z"}, "/to"),
        ({**DAY, "to": "2026-10-01T00:00:00Z"}, "/to"),
        ({**DAY, "rules": []}, "/rules"),
    ],
)
async def test_a_dry_run_has_a_beginning_an_end_and_a_bound(house: House, body: dict[str, Any], field: str) -> None:
    reply = await house.post("/v1/advice-rules/dry-run", body)
    assert (reply.status, reply.fields[0]) == (422, field)


async def test_a_block_is_an_admins_act_with_a_reason_and_an_end(house: House) -> None:
    body = {"number": CALLER, "reason": "200 calls in an hour", "until": soon(2)}

    assert (await house.post("/v1/blocks", body, token="supervisor")).status == 403
    made = await house.post("/v1/blocks", body)

    assert (made.status, made.json["in_force"]) == (201, True)
    assert f"block/{CALLER}" in house.switchboard.held.notes
    assert (await house.post("/v1/blocks", body)).fields == ["/number"]
    for number in (CALLER, "%2B628123456789"):
        assert (await house.get(f"/v1/blocks?number={number}")).json["items"] == [made.json]
    assert (await house.post("/v1/blocks", body | {"number": "628123456789"})).fields == ["/number"]
    entries = (await house.get("/v1/audit")).json["items"]
    assert [entry["action"] for entry in entries if entry["subject"] == "block/1"] == ["block.created"]
    assert (await house.delete("/v1/blocks/1")).status == 204
    assert f"block/{CALLER}" not in house.switchboard.held.notes


async def test_a_block_that_asterisk_refuses_says_so_and_its_number_is_told_to_nobody_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.switchboard.refuses[f"block/{CALLER}"] = "Database file is locked"
    made = await house.post("/v1/blocks", {"number": CALLER, "reason": "x", "until": soon(2)})
    assert (made.status, made.json["applied"], made.json["problem"]) == (201, False, "Database file is locked")
    assert not (await house.get(f"/v1/numbers/{CALLER}")).json["block"]["applied"]

    health = await house.get("/v1/health", token=None)  # the page is open to everybody
    assert health.json["problems"] == ["Asterisk refused: block"]
    assert CALLER[1:] not in health.text + caplog.text
    assert "command_refused" in caplog.text

    house.switchboard.refuses.clear()
    await house.context.level.look()
    assert (await house.get("/v1/blocks/1")).json["applied"]


async def test_a_block_is_not_prolonged_past_a_day(house: House) -> None:
    made = await house.post("/v1/blocks", {"number": CALLER, "reason": "x", "until": soon(2)})
    longer = await house.patch("/v1/blocks/1", {"until": soon(23)}, made.headers["ETag"])
    assert longer.status == 200
    too_long = await house.patch("/v1/blocks/1", {"until": soon(24.5)}, longer.headers["ETag"])
    assert (too_long.status, too_long.fields) == (422, ["/until"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"until": soon(25)}, "/until"),
        ({"until": soon(-1)}, "/until"),
        ({"reason": " "}, "/reason"),
        ({"number": "anonymous"}, "/number"),
        ({"number": "112"}, "/number"),
        ({"number": "0000000000"}, "/number"),
        ({"number": "08*"}, "/number"),
        ({"number": "0812/../x"}, "/number"),
    ],
)
async def test_a_block_that_cannot_be_is_refused(house: House, change: dict[str, Any], field: str) -> None:
    body = {"number": CALLER, "reason": "x", "until": soon(2)}
    reply = await house.post("/v1/blocks", body | change)
    assert (reply.status, reply.fields) == (422, [field])


async def test_what_is_known_of_a_number(house: House) -> None:
    await abandoned(house, 0)
    await pranks(house, 3)
    await house.post("/v1/blocks", {"number": CALLER, "reason": "x", "until": soon(2)})

    told = (await house.get(f"/v1/numbers/{CALLER}", token="supervisor")).json

    assert told["reputation"]["score"] == pytest.approx(3, abs=0.01)
    assert [(each["disposition"], each["said_by"], each["weight"]) for each in told["reputation"]["dispositions"]] == [
        ("prank", "Siti", 1.0)
    ] * 3
    assert (told["block"]["reason"], told["open_callback"]["try_count"], told["is_withheld"]) == ("x", 1, False)
    assert [(each["outcome"], each["wait_s"]) for each in told["last_calls"]] == [("abandoned", 10.0)]


async def test_a_number_is_known_by_whatever_spelling_and_tells_where_its_pranks_came_in(house: House) -> None:
    await abandoned(house, 0)
    await pranks(house, 2)
    await pranks(house, 2, trunk="xlsmart", caller="+628123456789")
    told = (await house.get("/v1/numbers/628123456789")).json
    assert sorted(each["trunk"] or "" for each in told["reputation"]["dispositions"]) == ["", "", "xlsmart", "xlsmart"]
    assert told["reputation"]["score"] == pytest.approx(4, abs=0.01)
    assert told["open_callback"]["try_count"] == 1


async def test_a_dry_run_tries_a_rule_also_beside_as_many_as_may_be(house: House) -> None:
    for _ in range(MOST_RULES - 6):
        assert (await house.post("/v1/advice-rules", CUT)).status == 201
    refused = await house.post("/v1/advice-rules", CUT)
    assert (refused.status, "as many as may be" in refused.text) == (409, True)
    assert (await house.post("/v1/advice-rules/dry-run", {**DAY, "rules": [CUT], "beside_kept": True})).status == 200


async def test_a_number_has_its_callback_also_where_the_carrier_writes_separators(house: House) -> None:
    await abandoned(house, 0, caller="0812-345.6789")
    told = (await house.get("/v1/numbers/0812-345.6789")).json
    assert (told["open_callback"]["try_count"], told["is_withheld"], len(told["last_calls"])) == (1, False, 1)


async def test_a_number_that_never_called_has_nothing_and_a_withheld_one_no_reputation(house: House) -> None:
    await pranks(house, 3, caller="anonymous")
    await pranks(house, 3, caller="112")
    for number, is_withheld in (("%2B6281200", False), ("anonymous", True), ("112", True)):
        told = (await house.get(f"/v1/numbers/{number}")).json
        assert (told["is_withheld"], told["last_calls"], told["block"]) == (is_withheld, [], None)
        assert told["reputation"] == {"score": 0.0, "dispositions": []}
    assert (await house.get("/v1/numbers/a%20b")).status == 422
