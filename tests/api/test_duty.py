"""Operators' own actions, tokens, rules and the audit log, over HTTP."""

from datetime import timedelta

import pytest

from tests.api.house import House, Reply

REASON = {"digit": "9", "name": "istirahat"}
SHIFT = {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-11-01"}


async def hired(house: House, phone: str = "1001", name: str = "Siti") -> tuple[str, str]:
    """An operator with a place in the queue, and a token for the person: the operator's path and the token."""
    made = await house.post("/v1/operators", {"name": name, "phone": phone})
    await house.ask("PUT", f"/v1/queues/emergency/members/{phone}")
    body = {"name": name, "role": "operator", "operator_id": made.json["id"]}
    return made.headers["Location"], (await house.post("/v1/tokens", body)).json["token"]


async def test_an_operator_logs_in_and_out_pauses_and_comes_back(house: House) -> None:
    siti, token = await hired(house)
    await house.post("/v1/pause-reasons", REASON)

    paused = await house.post(f"{siti}/pause", {"reason": "istirahat"}, token=token)
    back = await house.ask("POST", f"{siti}/resume", token=token)
    out = await house.ask("POST", f"{siti}/logout", token=token)
    duty = await house.get(f"{siti}/duty", token="reader")

    assert (paused.status, paused.json["pause"]) == (200, "istirahat")
    assert (back.json["pause"], back.json["places"]) == (None, [{"queue": "emergency", "penalty": 0}])
    assert (out.json["places"], out.json["said"]) == ([], "out")
    assert duty.json == out.json
    assert not house.switchboard.held.members
    entries = (await house.get("/v1/audit?actor=Siti")).json["items"]
    assert [entry["action"] for entry in entries] == ["operator.paused", "operator.resumed", "operator.logged_out"]
    assert {entry["address"] for entry in entries} == {"127.0.0.1"}


async def test_nobody_but_a_supervisor_acts_for_another(house: House) -> None:
    siti, _ = await hired(house)
    _, budis = await hired(house, "1002", "Budi")

    refused = await house.ask("POST", f"{siti}/logout", token=budis)
    done = await house.ask("POST", f"{siti}/logout", token="supervisor")

    assert (refused.status, done.status) == (403, 200)


async def test_a_pause_that_asterisk_refuses_or_cannot_hear_is_an_error_and_is_not_stored(house: House) -> None:
    siti, token = await hired(house)
    await house.post("/v1/pause-reasons", REASON)
    house.switchboard.refuses["emergency/1001"] = "Interface not found"

    refused = await house.post(f"{siti}/pause", {"reason": "istirahat"}, token=token)
    house.switchboard.is_away = True
    unheard = await house.post(f"{siti}/pause", {"reason": "istirahat"}, token=token)

    assert (refused.status, "Interface not found" in refused.json["detail"]) == (502, True)
    assert unheard.status == 503
    house.switchboard.is_away = False
    assert (await house.get(f"{siti}/duty")).json["pause"] is None


async def test_a_pause_needs_a_reason_that_admins_keep_and_a_place(house: House) -> None:
    siti, token = await hired(house)
    await house.post("/v1/pause-reasons", REASON)
    unknown = await house.post(f"{siti}/pause", {"reason": "holiday"}, token=token)
    await house.ask("POST", f"{siti}/logout", token=token)
    nowhere = await house.post(f"{siti}/pause", {"reason": "istirahat"}, token=token)

    assert (unknown.status, unknown.fields) == (409, ["/reason"])
    assert nowhere.status == 409


async def test_a_retired_operators_token_is_known_no_more(house: House) -> None:
    siti, token = await hired(house)
    assert (await house.get("/v1/queues", token=token)).status == 200
    await house.delete(siti)
    assert (await house.get("/v1/queues", token=token)).status == 401


async def test_a_token_is_shown_once_and_can_be_taken_back(house: House) -> None:
    made = await house.post("/v1/tokens", {"name": "Ani", "role": "auditor"})
    listed = (await house.get("/v1/tokens")).json["items"]

    assert "token" not in listed[-1]
    assert (await house.get("/v1/calls", token=made.json["token"])).status == 200
    assert (await house.post("/v1/tokens", {"name": "Ani", "role": "admin"})).status == 409
    assert (await house.delete(made.headers["Location"])).status == 204
    assert (await house.get("/v1/calls", token=made.json["token"])).status == 401


async def test_the_rules_are_read_and_changed_by_version(house: House) -> None:
    before = await house.get("/v1/rules")
    changed = await house.patch("/v1/rules", {"lone_check_min": 30}, before.headers["ETag"])
    late = await house.patch("/v1/rules", {"lone_check_min": 60}, before.headers["ETag"])
    wrong = await house.patch("/v1/rules", {"missed_rings_limit": -1})

    assert (before.json["lone_check_min"], changed.json["lone_check_min"]) == (None, 30)
    assert late.status == 412
    assert (wrong.status, wrong.fields) == (422, ["/missed_rings_limit"])


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("flood_trunk_per_min", [1, 6000, None], [0, -1, 6001, 2.5, "20", True]),
        ("flood_factor", [1.5, 5, 100], [1.4, 0, 101, None, "5", 1e300]),
        ("flood_number_per_10min", [2, 1000], [1, 1001, None, 3.5, "10"]),
        ("quiet_after_min", [5, 1440], [4, 1441, None, "30"]),
    ],
)
async def test_what_is_a_flood_and_a_silence_is_kept_and_a_bad_value_is_refused_by_its_field(
    house: House, field: str, good: list[object], bad: list[object]
) -> None:
    before = await house.get("/v1/rules")
    for value in bad:
        refused = await house.patch("/v1/rules", {field: value})
        assert (refused.status, refused.fields) == (422, [f"/{field}"]), value
    assert (await house.get("/v1/rules")).json == before.json
    for value in good:
        assert (await house.patch("/v1/rules", {field: value})).json[field] == value
    assert (await house.get("/v1/rules")).json[field] == good[-1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 428),
        ({"If-Match": '"1"'}, 200),
        ({"If-Match": 'W/"1"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"2"'}, 412),
        ({"If-Match": "1"}, 422),
        ({"If-Match": '"x"'}, 412),
    ],
)
async def test_a_change_says_which_version_it_saw(house: House, headers: dict[str, str], status: int) -> None:
    made = await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})
    assert made.headers["ETag"] == '"1"'

    reply = await house.ask("PATCH", made.headers["Location"], json={"name": "Siti A"}, headers=headers)

    assert reply.status == status


async def test_a_rule_is_taken_as_calendars_write_it(house: House) -> None:
    body = {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-11-01"}
    made = await house.post("/v1/shifts", {**body, "rule": "rrule: freq=daily"})
    assert (made.status, made.json["rule"]) == (201, "FREQ=DAILY")


async def test_two_admins_who_edit_one_shift_do_not_overwrite_each_other(house: House) -> None:
    made = await house.post(
        "/v1/shifts", {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-11-01"}
    )
    seen = (await house.get(made.headers["Location"])).headers["ETag"]

    first = await house.patch(made.headers["Location"], {"overlap_min": 10}, seen)
    second = await house.patch(made.headers["Location"], {"overlap_min": 20}, seen)

    assert (first.status, second.status) == (200, 412)
    assert (await house.get(made.headers["Location"])).json["overlap_min"] == 10


async def test_the_audit_log_is_served_verified_and_filtered(house: House) -> None:
    siti, _ = await hired(house)
    await house.patch(siti, {"name": "Siti A"})

    about = (await house.get(f"/v1/audit?subject={siti.removeprefix('/v1/').replace('operators', 'operator')}")).json
    verified = (await house.get("/v1/audit/verify", token="reader")).json
    page = (await house.get("/v1/audit?limit=1")).json

    assert [entry["action"] for entry in about["items"]] == ["operator.created", "operator.changed"]
    assert about["items"][1]["before"]["name"] == "Siti"
    assert about["items"][1]["after"]["name"] == "Siti A"
    assert verified["ok"]
    assert verified["entries"] == (await house.get("/v1/audit?limit=1000")).json["items"][-1]["seq"]
    assert page["next"] == page["items"][0]["seq"] == 1
    assert (await house.get("/v1/audit", token="supervisor")).status == 200


async def test_the_table_of_roles_is_shown(house: House) -> None:
    roles = {each["role"]: each["may"] for each in (await house.get("/v1/roles")).json["items"]}

    assert set(roles) == {"admin", "supervisor", "operator", "auditor"}
    assert "make and take back tokens" in roles["admin"]
    assert "make and take back tokens" not in roles["supervisor"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/shifts", {**SHIFT, "end": "06:00"}, "/end"),
        ("/v1/shifts", {**SHIFT, "start": "6 o'clock"}, "/start"),
        ("/v1/shifts", {**SHIFT, "start": "06:00:30"}, "/start"),
        ("/v1/shifts", {**SHIFT, "start": "06:00+07:00"}, "/start"),
        ("/v1/shifts", {**SHIFT, "rule": "FREQ=SECONDLY"}, "/rule"),
        ("/v1/shifts", {**SHIFT, "rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "/rule"),
        ("/v1/shifts", {**SHIFT, "first_date": "2026-02-30"}, "/first_date"),
        ("/v1/absences", {"operator_id": 1, "from_at": "2026-11-01", "until_at": "2026-11-02T00:00:00Z"}, "/from_at"),
        ("/v1/queues", {"name": "Fire"}, "/name"),
        ("/v1/queues", {"name": "fire", "ring_s": 1}, "/ring_s"),
        ("/v1/trunks", {"name": "bolt", "carrier": "Bolt", "addresses": []}, "/addresses"),
        ("/v1/pause-reasons", {"digit": "12", "name": "x"}, "/digit"),
        ("/v1/pause-reasons", {"digit": "1", "name": "a;b|c,d"}, "/name"),
        ("/v1/tokens", {"name": "x", "role": "king"}, "/role"),
        ("/v1/tokens", {"name": "x", "role": "operator"}, "/operator_id"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_named_by_field(house: House, path: str, body: dict[str, object], field: str) -> None:
    reply: Reply = await house.post(path, body)

    assert (reply.status, reply.fields) == (422, [field])


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/assignments", {"operator_id": 9, "shift_id": 1, "queue": "emergency", "first_date": "2026-11-01",
                             "last_date": "2026-11-02"}, "/operator_id"),
        ("/v1/on-call", {"operator_id": 9, "place": 1}, "/operator_id"),
        ("/v1/swaps", {"operator_id": 9, "shift_id": 1, "date": "2026-11-01"}, "/operator_id"),
        ("/v1/trunks", {"name": "bolt", "carrier": "Bolt", "addresses": ["127.0.0.11"]}, "/addresses"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_what_is_there_is_named_by_field(
    house: House, path: str, body: dict[str, object], field: str
) -> None:
    reply: Reply = await house.post(path, body)

    assert (reply.status, reply.fields) == (409, [field])


async def test_a_trunks_password_is_told_to_nobody(house: House) -> None:
    body = {
        "name": "bolt",
        "carrier": "Bolt",
        "addresses": ["10.0.0.1"],
        "registration": {"server": "10.0.0.1", "username": "112", "password": " p4ssw0rd "},
    }
    made = await house.post("/v1/trunks", body)
    renamed = await house.patch(made.headers["Location"], {"carrier": "Bolt Ltd"})

    assert made.json["registration"] == renamed.json["registration"] == {"server": "10.0.0.1", "username": "112"}
    assert house.switchboard.held.trunks["bolt"].registration.password == "p4ssw0rd"  # type: ignore[union-attr]
    for path in ("/v1/trunks", "/v1/audit?limit=1000", "/v1/events?limit=1000"):
        assert "p4ssw0rd" not in (await house.get(path)).text


@pytest.mark.parametrize("server", ["10.0.0.1:65536", "10.0.0.1:", "2001:db8::1", "sip.example:5060:5060", ":5060"])
async def test_a_registrar_that_asterisk_could_not_read_is_refused(house: House, server: str) -> None:
    """It would go on with the registration that it has, or have none."""
    registration = {"server": server, "username": "112", "password": "p4ssw0rd"}
    reply = await house.patch("/v1/trunks/1", {"registration": registration})
    assert (reply.status, reply.fields) == (422, ["/registration/server"])
    known = await house.patch("/v1/trunks/1", {"registration": {**registration, "server": "sip-1.example.id:65535"}})
    assert known.status == 200


async def test_a_trunk_that_is_asked_no_more_and_has_no_registration_any_more_is_told_so_at_once(house: House) -> None:
    """Asterisk was looked at before the change."""
    registration = {"server": "10.0.0.1", "username": "112", "password": "p4ssw0rd"}
    await house.patch("/v1/trunks/1", {"registration": registration, "is_asked": True})
    line = house.services.line
    line.trunks_up, line.trunks_registered = {"telkomsel": False}, {"telkomsel": False}
    there = (await house.get("/v1/trunks/1")).json
    assert (there["is_up"], there["is_registered"]) == (False, False)
    gone = (await house.patch("/v1/trunks/1", {"registration": None, "is_asked": False})).json
    assert (gone["is_up"], gone["is_registered"]) == (None, None)


async def test_a_hole_that_a_change_makes_is_told_with_its_time_and_can_be_allowed(house: House) -> None:
    await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})
    await house.post("/v1/shifts", {**SHIFT, "start": "00:00", "end": "12:00"})
    await house.post("/v1/shifts", {**SHIFT, "name": "sore", "start": "12:00", "end": "00:00"})
    today = house.services.clock().date()
    for shift_id in (1, 2):
        body = {"operator_id": 1, "shift_id": shift_id, "queue": "emergency", "first_date": "2026-11-01",
                "last_date": today.replace(year=today.year + 1).isoformat()}  # fmt: skip
        assert (await house.post("/v1/assignments", body)).status == 201

    refused = await house.delete("/v1/assignments/1")
    allowed = await house.delete("/v1/assignments/1?allow_gaps=true")

    assert (refused.status, refused.fields[0]) == (409, "?allow_gaps")
    assert "0 of at least 1" in refused.json["errors"][0]["reason"]
    assert allowed.status == 204


async def test_a_swap_goes_its_way(house: House) -> None:
    _, sitis = await hired(house)
    _, budis = await hired(house, "1002", "Budi")
    await house.post("/v1/shifts", SHIFT)
    body = {
        "operator_id": 1,
        "shift_id": 1,
        "queue": "emergency",
        "first_date": "2026-12-24",
        "last_date": "2026-12-24",
    }
    await house.post("/v1/assignments", body)
    swap = {"operator_id": 1, "shift_id": 1, "date": "2026-12-24"}

    refused = await house.post("/v1/swaps", swap, token=budis)
    asked = await house.post("/v1/swaps", swap, token=sitis)
    path = asked.headers["Location"]
    taken = await house.post(f"{path}/take", {"operator_id": 2}, token=budis, headers={"If-Match": '"1"'})
    own = await house.ask("POST", f"{path}/approve", token=sitis, headers={"If-Match": "*"})
    approved = await house.ask(
        "POST", f"{path}/approve", token="supervisor", headers={"If-Match": taken.headers["ETag"]}
    )
    late = await house.ask("POST", f"{path}/withdraw", token=sitis, headers={"If-Match": "*"})

    assert approved.json["taken_by"] == 2
    assert (refused.status, asked.json["state"]) == (403, "asked")
    assert (taken.json["state"], taken.json["taken_by"]) == ("taken", 2)
    assert (own.status, approved.json["state"], late.status) == (403, "approved", 409)


async def test_an_approval_that_leaves_a_hole_is_told_and_can_be_allowed(house: House) -> None:
    _, sitis = await hired(house)
    await house.ask("DELETE", "/v1/queues/emergency/members/1001")
    await house.post("/v1/operators", {"name": "Budi", "phone": "1002"})
    tomorrow = house.services.clock().date() + timedelta(days=1)
    await house.post("/v1/shifts", SHIFT)
    one_day = {"shift_id": 1, "queue": "emergency", "first_date": str(tomorrow), "last_date": str(tomorrow)}
    await house.post("/v1/assignments", {**one_day, "operator_id": 1})
    await house.post("/v1/absences", {"operator_id": 2, "from_at": f"{tomorrow}T00:00:00Z",
                                      "until_at": f"{tomorrow}T01:00:00Z"})  # fmt: skip
    asked = await house.post("/v1/swaps", {"operator_id": 1, "shift_id": 1, "date": str(tomorrow)}, token=sitis)
    twice = await house.post("/v1/swaps", {"operator_id": 1, "shift_id": 1, "date": str(tomorrow)}, token=sitis)
    path, seen = asked.headers["Location"], {"If-Match": "*"}
    await house.ask("POST", f"{path}/take", json={"operator_id": 2}, headers=seen)

    refused = await house.ask("POST", f"{path}/approve", headers=seen)
    allowed = await house.ask("POST", f"{path}/approve?allow_gaps=true", headers=seen)

    assert twice.status == 409
    assert (refused.status, refused.fields) == (409, ["?allow_gaps"])
    assert (allowed.status, allowed.json["state"]) == (200, "approved")


async def test_who_is_rostered_is_retired_only_where_the_hole_is_allowed(house: House) -> None:
    siti = (await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})).headers["Location"]
    await house.post("/v1/shifts", SHIFT)
    tomorrow = str(house.services.clock().date() + timedelta(days=1))
    body = {"operator_id": 1, "shift_id": 1, "queue": "emergency", "first_date": tomorrow, "last_date": tomorrow}
    await house.post("/v1/assignments", body)

    refused = await house.delete(siti)
    allowed = await house.delete(f"{siti}?allow_gaps=true")

    assert (refused.status, refused.fields) == (409, ["?allow_gaps"])
    assert allowed.status == 204
