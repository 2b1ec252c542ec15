"""Retention rules, what they would destroy, and legal holds over the API."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.domain.recordings import Kind, Recording, State
from tests.api.house import START, House
from tests.store.values import disposed, ended

PRANKS: dict[str, Any] = {"name": "Pranks", "place": 1, "disposition": "prank", "keep_days": 30}


async def with_recordings(house: House, count: int = 3, days: int = 40) -> None:
    """Calls of the queue that ended so many days ago, each with a sealed recording; the first was a prank."""
    at = house.context.clock() - timedelta(days=days)
    calls = [ended(number, queue="emergency", recording=f"2026/08/17/112-{number}.raw") for number in range(count)]
    recordings = [
        Recording(call.id, Kind.CALL, f"2026/08/17/{call.id}.raw", at, call_id=call.id, state=State.SEALED, ended_at=at)
        for call in calls
    ]
    await house.context.store.commit(
        Change(calls=tuple(calls), recordings=tuple(recordings), dispositions=(disposed(calls[0], Disposition.PRANK),))
    )


async def test_a_rule_is_made_changed_and_retired(house: House) -> None:
    made = await house.post("/v1/retention-rules", PRANKS)
    assert made.status == 201
    assert made.json["queue"] is None
    await house.post("/v1/retention-rules", {"name": "Ghosts", "place": 3, "disposition": "ghost", "keep_days": 7})
    await house.post("/v1/retention-rules", {"name": "Tests", "place": 2, "disposition": "test", "keep_days": 7})
    path = f"/v1/retention-rules/{made.json['id']}"
    assert (await house.patch(path, {"keep_days": 60})).json["keep_days"] == 60
    listed = (await house.get("/v1/retention-rules", token="reader")).json["items"]
    assert [each["name"] for each in listed] == ["Pranks", "Tests", "Ghosts"]
    assert (await house.delete(path)).status == 204
    assert len((await house.get("/v1/retention-rules")).json["items"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        ({"keep_days": 0}, 422, "/keep_days", "greater than or equal to 1"),
        ({"keep_days": "30"}, 422, "/keep_days", "integer"),
        ({"disposition": "joke"}, 422, "/disposition", "'prank'"),
        ({"queue": "nobodys", "place": 9}, 409, "/queue", "there is no queue nobodys"),
        ({"name": "Again", "place": 1}, 409, "/place", "is that of rule Pranks"),
        ({"place": 2, "queue": "emergency"}, 409, "/place", "rule Pranks comes before it and fits all of its calls"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_the_reason(
    house: House, body: dict[str, Any], status: int, field: str, words: str
) -> None:
    await house.post("/v1/retention-rules", PRANKS)
    refused = await house.post("/v1/retention-rules", PRANKS | {"name": "Second", "place": 2} | body)
    assert refused.status == status
    assert refused.fields == [field]
    assert words in refused.json["errors"][0]["reason"]


async def test_a_rule_that_would_keep_another_one_from_ever_deciding_is_refused(house: House) -> None:
    await house.post("/v1/retention-rules", PRANKS | {"place": 5})
    refused = await house.post("/v1/retention-rules", {"name": "All", "place": 1, "keep_days": 5})
    assert refused.status == 409
    assert "lets rule Pranks never decide" in refused.json["errors"][0]["reason"]


async def test_a_queue_that_a_rule_names_is_not_retired(house: House) -> None:
    queue = (await house.post("/v1/queues", {"name": "second"})).json["id"]
    await house.post("/v1/retention-rules", {"name": "Second", "place": 1, "queue": "second", "keep_days": 5})
    refused = await house.delete(f"/v1/queues/{queue}")
    assert (refused.status, "retention rule Second" in refused.json["detail"]) == (409, True)


async def test_an_admin_sees_what_rules_would_destroy_before_it_happens(house: House) -> None:
    await with_recordings(house)
    assert (await house.get("/v1/retention-rules/due")).json["count"] == 0
    await house.post("/v1/retention-rules", PRANKS)
    await house.post("/v1/legal-holds", {"call_id": "112-1", "reason": "LP/B/112"})

    now = (await house.get("/v1/retention-rules/due", token="reader")).json
    assert (now["count"], now["held"], now["is_complete"]) == (1, 0, True)
    assert now["rules"][0] | {"id": 0} == {
        **{"id": 0, "name": "Pranks", "keep_days": 30},
        **{"count": 1, "held": 0, "first_ids": ["112-0"]},
    }
    in_a_year = (house.context.clock() + timedelta(days=330)).strftime("%Y-%m-%dT%H:%M:%SZ")
    then = (await house.get(f"/v1/retention-rules/due?at={in_a_year}")).json
    assert [(rule["id"], rule["count"], rule["held"]) for rule in then["rules"]][1] == (None, 1, 1)
    assert await house.services.store.has_call("112-0")
    recording = await house.services.store.recording("112-0")
    assert recording is not None
    assert recording.state is State.SEALED


async def test_a_hold_is_on_a_call_that_there_is_and_says_who_set_it_and_why(house: House) -> None:
    await with_recordings(house)
    made = await house.post("/v1/legal-holds", {"call_id": "112-1", "reason": "LP/B/112"}, token="supervisor")
    assert made.status == 201
    assert made.json["set_by"] == "supervisor"
    assert made.json["recordings"] == [{"id": "112-1", "kind": "call", "state": "sealed"}]
    path = f"/v1/legal-holds/{made.json['id']}"
    assert (await house.get("/v1/legal-holds?call_id=112-1", token="reader")).json["items"][0]["reason"] == "LP/B/112"
    assert (await house.patch(path, {"reason": "LP/B/113"})).json["reason"] == "LP/B/113"
    assert (await house.patch(path, {"call_id": "112-2"})).status == 409
    assert (await house.delete(path)).status == 405

    refused = await house.post("/v1/legal-holds", {"call_id": "112-9", "reason": "LP"})
    assert (refused.status, refused.fields) == (409, ["/call_id"])
    assert (await house.post("/v1/legal-holds", {"call_id": "112-1", "reason": " "})).fields == ["/reason"]


async def test_a_hold_is_lifted_by_two_people_with_a_reason_in_the_audit_log(house: House) -> None:
    await with_recordings(house)
    path = f"/v1/legal-holds/{(await house.post('/v1/legal-holds', {'call_id': '112-1', 'reason': 'LP'})).json['id']}"
    whatever = {"If-Match": "*"}

    async def lift(body: dict[str, Any]) -> Any:
        return await house.post(f"{path}/lift", body, token="supervisor", headers=whatever)

    async def confirm(token: str) -> Any:
        return await house.ask("POST", f"{path}/lift/confirm", token=token, headers=whatever)

    for reason in ({}, {"reason": ""}, {"reason": " … "}):
        assert (await lift(reason)).fields == ["/reason"]
    early = await confirm("admin")
    assert (early.status, "nobody has asked for it" in early.json["detail"]) == (409, True)
    asked = (await lift({"reason": "verdict 88"})).json
    assert (asked["lift_asked_by"], asked["lift_reason"], asked["retired_at"]) == ("supervisor", "verdict 88", None)
    own = await confirm("supervisor")
    assert (own.status, own.json["detail"]) == (409, "who asked for it cannot confirm it: a second person must.")
    assert (await confirm("reader")).status == 403

    house.services.clock.at = house.context.clock() + timedelta(days=8)
    assert (await house.get(path)).json["lift_confirm_until"] is None
    assert (await confirm("admin")).status == 409
    await lift({"reason": "verdict 88"})
    lifted = await confirm("admin")
    assert (lifted.status, lifted.json["lifted_by"]) == (200, "admin")
    assert (await house.get("/v1/legal-holds")).json["items"] == []
    entry = (await house.get("/v1/audit?limit=1000")).json["items"][-1]
    assert (entry["action"], entry["actor"]) == ("legal_hold.retired", "admin")
    assert (entry["after"]["lift_asked_by"], entry["after"]["lift_reason"]) == ("supervisor", "verdict 88")


async def test_an_auditor_sees_holds_and_sets_none_and_an_operator_sees_none(house: House) -> None:
    hold = {"call_id": "112-1", "reason": "LP"}
    assert (await house.post("/v1/legal-holds", hold, token="reader")).status == 403
    assert (await house.post("/v1/retention-rules", PRANKS, token="supervisor")).status == 403
    siti = (await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})).json["id"]
    made = await house.post("/v1/tokens", {"name": "Siti", "role": "operator", "operator_id": siti})
    assert (await house.get("/v1/legal-holds", token=made.json["token"])).status == 403


async def test_an_admin_says_what_another_clock_shows(house: House) -> None:
    wrong = await house.post("/v1/retention-rules/clock", {"now": START.isoformat()})
    assert (wrong.status, wrong.fields) == (422, ["/now"])
    now = house.context.clock().isoformat()
    assert (await house.post("/v1/retention-rules/clock", {"now": now})).status == 204
    assert (await house.get("/v1/audit?limit=1000")).json["items"][-1]["action"] == "retention.clock_confirmed"
