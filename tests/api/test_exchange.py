"""The roster as a file over HTTP: imported whole or not at all, exported so that nothing is lost."""

import asyncio
import csv
import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.api import exchange, routes
from gateway.domain.roster import Assignment
from tests.api.house import House, Reply, until

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
"""Ten in the morning in Jakarta."""
TODAY = date(2026, 11, 25)
HEADER = "date,until,shift,phone,queue,penalty,name\r\n"
DECEMBER = f"{HEADER}2026-12-01,2026-12-31,pagi,1001,emergency,,Siti\r\n2026-12-02,,sore,1002,emergency,5,Budi\r\n"
GAPS = "allow_gaps=true"


@pytest.fixture
async def staffed(house: House) -> House:
    """Siti (1001) and Budi (1002), two shifts, and a clock that stands."""
    house.services.clock.at = NOW
    for phone, name in (("1001", "Siti"), ("1002", "Budi")):
        assert (await house.post("/v1/operators", {"name": name, "phone": phone})).status == 201
    for name, start, end in (("pagi", "06:00", "14:00"), ("sore", "14:00", "22:00")):
        body = {"name": name, "start": start, "end": end, "first_date": "2026-01-01"}
        assert (await house.post("/v1/shifts", body)).status == 201
    return house


async def post(house: House, text: str | bytes, query: str = "", *, media: str = "text/csv", **options: Any) -> Reply:
    data = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    path = f"/v1/roster/import?{query}" if query else "/v1/roster/import"
    return await house.ask("POST", path, data=data, headers={"Content-Type": media}, **options)


async def kept(house: House) -> list[tuple[str, str, int]]:
    """First and last day and penalty of every assignment in use."""
    found = (await house.get("/v1/assignments?limit=1000")).json["items"]
    return sorted((each["first_date"], each["last_date"], each["penalty"]) for each in found)


def counts(reply: Reply) -> dict[str, int]:
    return {name: reply.json[name] for name in ("lines", "added", "retired", "cut", "unchanged")}


# ---------------------------------------------------------------- what is taken


async def test_files_that_are_taken_over_do_not_wait_without_end(staffed: House) -> None:
    """Whatever tells of calls waits for those that came before it."""
    async with staffed.services.saving.turn:
        waiting = [asyncio.create_task(post(staffed, DECEMBER, GAPS)) for _ in range(3)]
        await until(lambda: exchange._places._value == 0)  # type: ignore[attr-defined]
        refused = await post(staffed, DECEMBER, GAPS)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert [each.status for each in await asyncio.gather(*waiting)] == [200] * 3
    assert (await post(staffed, DECEMBER, GAPS)).json["unchanged"] == 2


async def test_a_file_becomes_assignments_and_a_second_time_nothing(staffed: House) -> None:
    first = await post(staffed, DECEMBER)
    again = await post(staffed, DECEMBER)

    assert first.status == 200, first.text
    assert counts(first) == {"lines": 2, "added": 2, "retired": 0, "cut": 0, "unchanged": 0}
    assert counts(again) == {"lines": 2, "added": 0, "retired": 0, "cut": 0, "unchanged": 2}
    assert await kept(staffed) == [("2026-12-01", "2026-12-31", 0), ("2026-12-02", "2026-12-02", 5)]


async def test_a_dry_run_tells_the_same_and_stores_nothing(staffed: House) -> None:
    before = staffed.services.feed.newest

    dry = await post(staffed, DECEMBER, "dry_run=true")

    assert (dry.status, dry.json["dry_run"]) == (200, True)
    assert counts(dry)["added"] == 2
    assert await kept(staffed) == []
    assert staffed.services.feed.newest == before


async def test_one_wrong_line_keeps_all_others_out_and_every_one_is_named(staffed: House) -> None:
    text = DECEMBER + "2026-12-40,,pagi,1001,emergency,,\n2026-12-03,,malam,1009,fire,,\n"

    refused = await post(staffed, text)

    assert (refused.status, refused.json["detail"]) == (422, "Nothing was imported: 2 lines are wrong.")
    assert [(each["field"], each["reason"]) for each in refused.json["errors"]] == [
        ("line 4, column date", "2026-12-40 is no day of the calendar"),
        ("line 5, column phone", "no operator has phone 1009"),
        ("line 5, column queue", "there is no queue fire"),
        ("line 5, column shift", "there is no shift malam"),
    ]
    assert await kept(staffed) == []


async def test_of_very_many_faults_the_first_are_named_and_the_rest_counted(staffed: House) -> None:
    refused = await post(staffed, HEADER + "2026-12-01,,malam,1001,emergency,,\n" * 130)

    assert refused.status == 422
    assert len(refused.json["errors"]) == 101
    assert refused.json["errors"][-1] == {"field": "faults", "reason": "and 30 more"}


async def test_anothers_name_is_a_warning_and_no_obstacle(staffed: House) -> None:
    told = await post(staffed, HEADER + "2026-12-01,,pagi,1001,emergency,,Budi\n")

    assert (told.status, told.json["added"]) == (200, 1)
    assert told.json["warnings"] == [{"field": "line 2, column name", "reason": "phone 1001 is Siti's"}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2025-12-01,,pagi,1001,emergency,,", "shift pagi does not take place on any day of this line"),
        ("2199-12-30,2199-12-31,pagi,1001,emergency,,", None),
        ("2026-12-01,2029-12-05,pagi,1001,emergency,,", "2029-12-05 is more than 1098 days after 2026-12-01"),
    ],
)
async def test_what_no_assignment_can_be_no_line_can_be(staffed: House, line: str, reason: str | None) -> None:
    cells = line.split(",")
    ids = {each["phone"]: each["id"] for each in (await staffed.get("/v1/operators")).json["items"]}
    body = {
        "operator_id": ids["1001"],
        "shift_id": 1,
        "queue": "emergency",
        "first_date": cells[0],
        "last_date": cells[1] or cells[0],
    }

    imported = await post(staffed, HEADER + line + "\n", "dry_run=true")
    posted = await staffed.post(f"/v1/assignments?{GAPS}", body)

    assert (imported.status == 200) is (posted.status == 201) is (reason is None), imported.text + posted.text
    if reason:
        assert imported.json["errors"][0]["reason"].startswith(reason)


async def test_ten_thousand_lines_are_taken_in_reasonable_time(staffed: House) -> None:
    for number in range(2, 30):
        await staffed.post("/v1/operators", {"name": f"Petugas {number}", "phone": f"{1001 + number}"})
    people = [each["phone"] for each in (await staffed.get("/v1/operators?limit=1000")).json["items"]]
    days = [TODAY + timedelta(days=1 + number) for number in range(10_000 // len(people) // 2 + 1)]
    lines = [f"{day},,{shift},{phone},emergency,," for day in days for shift in ("pagi", "sore") for phone in people]
    text = HEADER + "\n".join(lines[:10_000]) + "\n"
    began = asyncio.get_running_loop().time()

    made = await post(staffed, text, GAPS)
    again = await post(staffed, text, "replace=true")
    other = await post(staffed, text.replace(",emergency,,", ",emergency,1,"), f"replace=true&{GAPS}")
    took_s = asyncio.get_running_loop().time() - began

    assert counts(made) == {"lines": 10_000, "added": 10_000, "retired": 0, "cut": 0, "unchanged": 0}
    assert counts(again)["unchanged"] == 10_000
    assert (other.json["added"], other.json["retired"]) == (10_000, 10_000)
    assert took_s < 30


# ---------------------------------------------------------------- replacing


async def test_replacing_keeps_what_lies_outside_of_the_files_days(staffed: House) -> None:
    await post(staffed, DECEMBER)
    text = HEADER + "2026-12-10,,pagi,1002,emergency,,\n2026-12-12,,pagi,1001,emergency,,\n"

    only_added = await post(staffed, text, "dry_run=true")
    replaced = await post(staffed, text, "replace=true")

    assert (only_added.json["added"], only_added.json["retired"]) == (1, 0)
    assert counts(replaced) == {"lines": 2, "added": 2, "retired": 1, "cut": 1, "unchanged": 0}
    assert await kept(staffed) == [
        ("2026-12-01", "2026-12-09", 0),
        ("2026-12-02", "2026-12-02", 5),
        ("2026-12-10", "2026-12-10", 0),
        ("2026-12-12", "2026-12-12", 0),
        ("2026-12-13", "2026-12-31", 0),
    ]


async def test_replacing_says_nothing_about_queues_that_the_file_does_not_name(staffed: House) -> None:
    await staffed.post("/v1/queues", {"name": "medical"})
    await post(staffed, DECEMBER)

    replaced = await post(staffed, HEADER + "2026-12-02,,pagi,1001,medical,,\n", "replace=true")

    assert (replaced.json["added"], replaced.json["retired"]) == (1, 0)


# ---------------------------------------------------------------- holes


async def test_a_file_that_leaves_a_hole_is_refused_as_one_assignment_would_be(staffed: House) -> None:
    tomorrow = TODAY + timedelta(days=1)
    await post(staffed, f"{HEADER}{tomorrow},{tomorrow + timedelta(days=1)},pagi,1001,emergency,,\n")
    text = f"{HEADER}{tomorrow},,sore,1001,emergency,,\n{tomorrow + timedelta(days=1)},,pagi,1001,emergency,,\n"

    dry = await post(staffed, text, "replace=true&dry_run=true")
    refused = await post(staffed, text, "replace=true")
    unchanged = await kept(staffed)
    taken = await post(staffed, text, f"replace=true&{GAPS}")

    hole = {
        "queue": "emergency",
        "starts_at": "2026-11-25T23:00:00Z",
        "ends_at": "2026-11-26T07:00:00Z",
        "rostered": 0,
        "minimum": 1,
    }
    assert (dry.status, dry.json["holes"]) == (200, [hole])
    assert (refused.status, refused.fields) == (409, ["?allow_gaps"])
    assert "2026-11-25T23:00Z to 2026-11-26T07:00Z: 0 of at least 1" in refused.json["errors"][0]["reason"]
    assert len(unchanged) == 1
    assert (taken.status, taken.json["holes"]) == (200, [hole])


# ---------------------------------------------------------------- who, and what is told of it


async def test_only_who_plans_may_import_and_who_sees_the_roster_may_export(staffed: House) -> None:
    refused = await post(staffed, DECEMBER, token="reader")
    taken = await post(staffed, DECEMBER, token="supervisor")
    seen = await staffed.get("/v1/roster.csv", token="reader")

    assert (refused.status, taken.status, seen.status) == (403, 200, 200)


async def test_an_import_is_one_deed_from_which_before_and_after_can_be_told(staffed: House) -> None:
    await post(staffed, DECEMBER)
    newest = staffed.services.feed.newest
    text = HEADER + "2026-12-10,,pagi,1002,emergency,,\n"
    await post(staffed, text, "replace=true", token="supervisor")

    events = (await staffed.get(f"/v1/events?after={newest}")).json["items"]
    entries = (await staffed.get("/v1/audit?limit=1000")).json["items"]
    everything = await staffed.context.store.kept(Assignment, include_retired=True)

    [event] = events
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    assert event["type"] == "roster.imported"
    assert event["data"] == {
        "first_date": "2026-12-10",
        "last_date": "2026-12-10",
        "queues": ["emergency"],
        "replaces": True,
        "lines": 1,
        "added": 1,
        "retired": 1,
        "cut": 1,
        "unchanged": 0,
        "sha256": sha256,
        "by": "supervisor",
    }
    entry = entries[-1]
    assert (entry["action"], entry["subject"]) == ("roster.imported", "roster/2026-12-10/2026-12-10")
    assert entry["note"] == f"lines 1, added 1, retired 1, cut 1, unchanged 0, sha256 {sha256}, retired ids 1"
    assert [each.id for each in everything if each.retired_at == NOW] == [1]
    assert (await staffed.get("/v1/audit/verify")).json["broken_at"] is None


async def test_asterisk_has_what_begins_now_at_once(staffed: House) -> None:
    await post(staffed, f"{HEADER}{TODAY},,pagi,1001,emergency,3,\n")

    assert staffed.switchboard.held.members[("emergency", "1001")].penalty == 3


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("data", "media", "status", "detail"),
    [
        (DECEMBER, "application/json", 415, "The body must be text/csv, in UTF-8."),
        (DECEMBER, "text/csv; charset=windows-1252", 415, "The body must be text/csv, in UTF-8."),
        (b"date,name\n2026-12-01,Jos\xe9\n", "text/csv", 400, "The body is not text in UTF-8: its byte 25 cannot"),
        (b"\xff\xfed\x00a\x00", "text/csv", 400, "The body is not text in UTF-8: its byte 1 cannot be read."),
        (b"a" * (4 * 2**20 + 1), "text/csv", 413, "The body is larger than 4 MiB."),
        (b"", "text/csv", 422, "Nothing was imported: 1 line is wrong."),
    ],
    ids=["JSON", "charset", "latin-1", "UTF-16", "large", "empty"],
)
async def test_a_body_that_cannot_be_a_file_is_refused(
    staffed: House, data: str | bytes, media: str, status: int, detail: str
) -> None:
    refused = await post(staffed, data, media=media)

    assert (refused.status, refused.json["detail"][: len(detail)]) == (status, detail)


async def test_a_body_larger_than_others_may_be_is_taken(staffed: House) -> None:
    blank = " " * 100 + "\n"

    taken = await post(staffed, DECEMBER + blank * 1000, media="text/csv; charset=UTF-8")

    assert (taken.status, taken.json["added"]) == (200, 2)


async def test_a_body_that_does_not_come_is_not_waited_for(staffed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "BODY_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", staffed.server.port)
    writer.write(
        b"POST /v1/roster/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Type: text/csv\r\n"
        b"Content-Length: 100\r\n\r\ndate,"
    )

    head = await asyncio.wait_for(reader.readline(), 10)

    writer.close()
    assert head.startswith(b"HTTP/1.1 408 ")


def test_the_document_says_that_the_body_is_csv(house: House) -> None:
    operation = house.document["paths"]["/v1/roster/import"]["post"]

    assert operation["requestBody"] == {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    assert {"400", "408", "409", "413", "415", "422"} <= set(operation["responses"])


# ---------------------------------------------------------------- export


async def test_what_is_exported_is_what_is_kept_and_importing_it_again_changes_nothing(staffed: House) -> None:
    await post(staffed, DECEMBER + "2026-11-01,2026-11-30,pagi,1002,emergency,1,\n", GAPS)
    before = await kept(staffed)

    told = await staffed.get("/v1/roster.csv?from=2026-11-20&to=2026-12-10")
    again = await post(staffed, told.raw, "replace=true")

    assert told.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert told.headers["Content-Disposition"] == 'attachment; filename="roster-2026-11-20-2026-12-10.csv"'
    assert told.text == (
        HEADER
        + "2026-11-20,2026-11-30,pagi,1002,emergency,1,Budi\r\n"
        + "2026-12-01,2026-12-10,pagi,1001,emergency,0,Siti\r\n"
        + "2026-12-02,,sore,1002,emergency,5,Budi\r\n"
    )
    assert counts(again) == {"lines": 3, "added": 0, "retired": 0, "cut": 0, "unchanged": 3}
    assert await kept(staffed) == before


async def test_four_weeks_from_today_are_exported_if_no_days_are_named(staffed: House) -> None:
    await post(staffed, f"{HEADER}{TODAY - timedelta(days=5)},2027-03-01,pagi,1001,emergency,,\n")

    told = await staffed.get("/v1/roster.csv")

    [_, row] = list(csv.reader(io.StringIO(told.text)))
    assert row[:2] == ["2026-11-25", "2026-12-22"]


async def test_an_empty_roster_is_a_header_which_can_be_imported(staffed: House) -> None:
    told = await staffed.get("/v1/roster.csv")

    assert told.text == HEADER
    assert counts(await post(staffed, told.raw, "replace=true"))["lines"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-12-02&to=2026-12-01", "?to"),
        ("from=2026-01-01&to=2027-02-05", "?to"),
        ("from=01/12/2026", "?from"),
        ("from=0001-01-01", "?from"),
        ("first=2026-12-01", "?first"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/roster.csv", "/v1/roster.ics"])
async def test_days_that_cannot_be_told_are_refused(staffed: House, path: str, query: str, field: str) -> None:
    refused = await staffed.get(f"{path}?{query}")

    assert (refused.status, refused.fields) == (422, [field])
