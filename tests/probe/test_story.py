"""What the API must tell of a probe's call, and how a difference is put into words."""

from typing import Any

import pytest

from gateway.probe.story import EVENTS_IN_ORDER, faults_of_call, faults_of_events

Json = dict[str, Any]


def a_call(**changes: Any) -> Json:
    times = ("arrived_at", "greeted_at", "queued_at", "answered_at", "ended_at")
    call: Json = {
        "trunk": "probe",
        "is_probe": True,
        "outcome": "answered",
        "operator": "9112",
        "queue": "probe",
        "dialled": "112",
        "hung_up_by": "caller",
        "attempts": [{"phone": "9112", "result": "answered"}],
        "recording": {"duration_s": 10.4, "silence_s": 0.2},
    }
    call |= {name: f"2026-11-24T00:00:0{second}.000001Z" for second, name in enumerate(times)}
    return call | changes


def the_events(*types: str) -> list[Json]:
    return [{"seq": seq, "type": kind} for seq, kind in enumerate(types, start=35)]


def test_a_call_as_it_was_has_no_fault() -> None:
    assert faults_of_call(a_call()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "abandoned"}, "outcome is 'abandoned', not 'answered'"),
        ({"is_probe": False}, "is_probe is False"),
        ({"operator": "1001"}, "operator is '1001'"),
        ({"answered_at": None}, "answered_at is missing"),
        ({"queued_at": "2026-11-24T01:00:00Z"}, "its times are not in order"),
        ({"attempts": []}, "attempts do not tell that 9112 answered"),
        ({"recording": None}, "it has no recording"),
        ({"recording": {"duration_s": 0, "silence_s": 0}}, "it has no recording"),
        ({"recording": {"duration_s": 9.0, "silence_s": 9.0}}, "it has no recording"),
    ],
)
def test_each_difference_is_named(changes: Json, said: str) -> None:
    [fault] = faults_of_call(a_call(**changes))
    assert said in fault


def test_the_events_of_a_call_have_no_fault_whatever_stands_between_them() -> None:
    assert faults_of_events(the_events(*EVENTS_IN_ORDER)) == []
    assert faults_of_events(the_events(*EVENTS_IN_ORDER[:6], "call.noted", *EVENTS_IN_ORDER[6:])) == []


def test_an_event_that_is_missing_double_or_out_of_place_is_named() -> None:
    assert faults_of_events(the_events(*EVENTS_IN_ORDER[:-1])) == ["call.ended is told 0 times"]
    assert faults_of_events(the_events(*EVENTS_IN_ORDER, "call.ended")) == ["call.ended is told 2 times"]
    [fault] = faults_of_events(the_events(*reversed(EVENTS_IN_ORDER)))
    assert fault.startswith("the order is call.ended, call.answered")


def test_sequence_numbers_that_do_not_grow_are_a_fault() -> None:
    events = the_events(*EVENTS_IN_ORDER)
    events[3]["seq"] = events[2]["seq"]
    assert faults_of_events(events) == ["sequence numbers do not grow"]
