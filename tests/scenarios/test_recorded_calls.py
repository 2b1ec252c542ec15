"""Calls as a real Asterisk 22 wrote them into its journal, and what the gateway makes of them.

Each `.csv` beside this file is the journal of one call, recorded with SIPp as carrier and phone.
"""

from pathlib import Path

import pytest

from gateway.asterisk.record import parse
from gateway.asterisk.translator import translate
from gateway.domain import life
from gateway.domain.call import Call, Outcome
from gateway.domain.facts import Entered, LegLeft

STORIES = {
    "caller_hangs_up_after_talking_to_an_operator": (
        Outcome.ANSWERED,
        "arrived described recording_started greeted queued operator_rung answered operator_left ended",
    ),
    "operator_hangs_up_first": (
        Outcome.ANSWERED,
        "arrived described recording_started greeted queued operator_rung answered operator_left ended",
    ),
    "phone_is_busy_and_the_caller_leaves": (
        Outcome.ABANDONED,
        "arrived described recording_started greeted queued operator_rung operator_missed "
        "operator_rung operator_missed ended",
    ),
    "phone_rings_and_the_caller_leaves": (
        Outcome.ABANDONED,
        "arrived described recording_started greeted queued operator_rung operator_missed ended",
    ),
    "caller_cancels_before_112_answers": (Outcome.CANCELLED, "arrived described recording_started ended"),
    "nobody_is_there_and_the_last_resort_answers": (
        Outcome.FELL_BACK,
        "arrived described recording_started greeted queued queue_left fell_back queued queue_left "
        "fell_back fell_back operator_rung answered operator_left ended",
    ),
    "nobody_is_there_and_an_agencys_second_phone_answers": (
        Outcome.FELL_BACK,
        "arrived described recording_started greeted queued queue_left fell_back fell_back fell_back operator_rung "
        "operator_missed agency_left fell_back operator_rung answered operator_left ended",
    ),
    "nobody_is_there_and_the_caller_leaves_a_message": (
        Outcome.FELL_BACK,
        "arrived described recording_started greeted queued queue_left fell_back fell_back message_left ended",
    ),
}


def play(story: str) -> tuple[Call, list[str]]:
    """The call of a recorded journal, and its events."""
    call: Call | None = None
    told: list[str] = []
    for line in (Path(__file__).with_name(f"{story}.csv")).read_bytes().splitlines():
        fact = translate(parse(line))
        if isinstance(fact, Entered):
            call, event = life.enter(fact)
            told.append(event.type)
        elif fact is not None:
            assert call is not None
            if call.ended_at and isinstance(fact, LegLeft):
                continue
            call, events = life.apply(call, fact)
            told += [event.type for event in events]
    assert call is not None
    return call, [name.removeprefix("call.") for name in told]


@pytest.mark.parametrize("story", STORIES)
def test_a_recorded_call_is_told_as_it_happened(story: str) -> None:
    outcome, events = STORIES[story]
    call, told = play(story)
    assert told == events.split()
    assert call.outcome is outcome
    assert call.id.startswith("112-")
    assert (call.caller, call.caller_name, call.dialled) == ("08111", "Siti", "112")
    assert call.recording
    assert call.recording.endswith(f"{call.id}.raw")


def test_every_recorded_journal_is_a_story() -> None:
    assert {path.stem for path in Path(__file__).parent.glob("*.csv")} == set(STORIES)
