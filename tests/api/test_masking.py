"""Callers' numbers: whole for those who must call back, masked for those who look after them."""

import re

import pytest

from gateway.api import application
from gateway.domain.alarms import Alarm
from gateway.domain.change import Change
from gateway.domain.events import Event
from gateway.domain.facts import CallerLeft, Described, Entered, Side, TrunkAnswered
from gateway.domain.recordings import Kind, Recording, State
from gateway.domain.tokens import MAY, May, Role
from tests.api.house import START, House, answered

NUMBER = "08123456789"
MASKED = "0812****789"
PATHS = {
    "/v1/advice-rules/{id}": "7",
    "/v1/calls/{id}": "112-1.1",
    "/v1/calls/{id}/events": "112-1.1",
    "/v1/recordings/{id}": "112-1.1",
    "/v1/recordings/{id}/waveform": "112-1.1",
    "/v1/numbers/{number}": NUMBER,
}
QUERIES = {
    "/v1/recordings/{id}/slice": "?from=0&to=1&reason=a+complaint",
    "/v1/events": "?limit=1000",
    "/v1/audit": "?limit=1000",
}
ELSEWHERE = {
    "/v1/recordings/{id}/audio",
    "/v1/recordings/{id}/slice",
    "/v1/calls/{id}/recording",
    "/v1/calls/{id}/message",
    "/v1/calls/{id}/recall",
    "/v1/callbacks/{id}/dials/{dial}/recording",
}
"""These send sound, and no text."""


@pytest.fixture
async def known(house: House) -> House:
    """A house in which that number stands wherever one can."""
    at = START
    house.sound("112-1.1.raw", 1.0)
    await house.answered_call(caller=NUMBER, recording="112-1.1.raw")
    await house.tell(*answered("112-1.3", caller="08990001112")[:1])
    await house.tell(
        Described(
            "112-1.3", at, NUMBER, NUMBER, "112", f"{NUMBER}@carrier", f"<sip:{NUMBER}@x>", "", "", f"tel:{NUMBER}"
        ),
        Entered("112-1.2", at, "telkomsel", NUMBER),
        TrunkAnswered("112-1.2", at),
        CallerLeft("112-1.2", at, 16, Side.CALLER),
    )
    note = f"a child at {NUMBER}; his mother is at 0812 3456 789"
    await house.ask("PUT", "/v1/calls/112-1.1/disposition", json={"disposition": "prank", "note": note})
    house.services.clock.at = START
    made = await house.post(
        "/v1/blocks", {"number": NUMBER, "reason": f"{NUMBER} again", "until": "2026-08-17T04:00:00Z"}
    )
    assert made.status == 201, made.text
    rule = {"name": "That one", "place": 5, "condition": "number", "number": NUMBER, "is_prefix": False}
    assert (await house.post("/v1/advice-rules", {**rule, "effect": "first"})).status == 201
    alarm = Alarm("flood_number", NUMBER, f"{NUMBER} called 20 times in 10 minutes", START)
    told = Event("alarm.raised", START, data={"kind": alarm.kind, "subject": alarm.subject, "detail": alarm.detail})
    recording = Recording(
        "112-1.1", Kind.CALL, "112-1.1.raw", START, "112-1.1", state=State.OVER, problem=f"cut, says {NUMBER}"
    )
    await house.services.saving.save(Change(alarms=(alarm,), events=(told,), recordings=(recording,)))
    return house


def test_only_auditors_do_not_see_numbers() -> None:
    assert [role for role in Role if May.SEE_NUMBERS not in MAY[role]] == [Role.AUDITOR]


async def test_no_route_tells_a_callers_number_to_an_auditor(known: House) -> None:
    whole, masked = set(), set()
    for each in application.SUBJECTS:
        if each.method != "GET" or "stream" in each.path or each.path in ELSEWHERE:
            continue
        path = re.sub(r"{[a-z]+}", PATHS.get(each.path, "1"), each.path) + QUERIES.get(each.path, "")
        for variant in ("", "format=csv"):
            joined = f"{path}{'&' if '?' in path else '?'}{variant}" if variant else path
            reply = await known.get(joined, token="reader")
            assert NUMBER.encode() not in reply.raw, each.path
            if MASKED.encode() in reply.raw:
                masked.add(each.path)
        if NUMBER.encode() in (await known.get(path, token="admin")).raw:
            whole.add(each.path)
    assert whole - masked == {"/v1/numbers/{number}"}  # which auditors may not ask for
    assert whole >= {
        "/v1/alarms",
        "/v1/advice-rules",
        "/v1/advice-rules/{id}",
        "/v1/audit",
        "/v1/blocks",
        "/v1/blocks/{id}",
        "/v1/board",
        "/v1/callbacks",
        "/v1/callbacks/{id}",
        "/v1/calls",
        "/v1/calls/{id}",
        "/v1/calls/{id}/events",
        "/v1/events",
        "/v1/recordings",
        "/v1/recordings/{id}",
    }


@pytest.mark.parametrize("path", ["/v1/events/stream?after=0", "/v1/board/stream"])
async def test_no_stream_tells_a_callers_number_to_an_auditor(known: House, path: str) -> None:
    for token, sees in (("supervisor", True), ("reader", False)):
        headers = {"Authorization": f"Bearer {token}"}
        said = b""
        async with known.session.get(known.url(path), headers=headers) as answer:
            while MASKED.encode() not in said and NUMBER.encode() not in said:
                said += await answer.content.readany()
            answer.close()
        assert (NUMBER.encode() in said, MASKED.encode() in said) == (sees, not sees)


@pytest.mark.parametrize("path", ["/v1/calls?caller=", "/v1/callbacks?number=", "/v1/blocks?number=", "/v1/numbers/"])
async def test_who_does_not_see_numbers_cannot_find_one_by_trying(known: House, path: str) -> None:
    statuses = [(await known.get(f"{path}{NUMBER}", token=token)).status for token in ("reader", "supervisor")]
    assert statuses == [403, 200]


async def test_an_operator_sees_numbers_whole_and_calls_them_back(known: House) -> None:
    siti = (await known.post("/v1/operators", {"name": "Siti", "phone": "1001"})).json
    token = (await known.post("/v1/tokens", {"name": "Siti", "role": "operator", "operator_id": siti["id"]})).json[
        "token"
    ]
    [task] = (await known.get("/v1/callbacks", token=token)).json["items"]
    assert task["number"] == NUMBER
