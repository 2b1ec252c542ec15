"""A call back as a real Asterisk 22 wrote it into its journal, and what the gateway makes of it."""

from pathlib import Path

import pytest

from gateway.asterisk.record import parse
from gateway.asterisk.translator import translate
from gateway.domain.facts import DialFact, DialResult, DialStep

JOURNAL = (Path(__file__).parent / "dials/an_operator_calls_back.csv").read_bytes()


def told(journal: bytes) -> list[tuple[DialStep, DialResult | None]]:
    facts = [fact for line in journal.splitlines() if (fact := translate(parse(line))) is not None]
    dials = [fact for fact in facts if isinstance(fact, DialFact)]
    assert len(dials) == len(facts)
    assert {fact.dial_id for fact in dials} == {"1-e9d0422db0ed"}
    return [(fact.step, fact.result) for fact in dials]


def test_a_call_back_is_steps_of_a_dial_and_no_call_of_a_caller() -> None:
    assert told(JOURNAL) == [
        (DialStep.RUNG, None),
        (DialStep.ANSWERED, None),
        (DialStep.ENDED, DialResult.ANSWERED),
        (DialStep.ENDED, None),
    ]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("BUSY", DialResult.BUSY),
        ("NOANSWER", DialResult.NO_ANSWER),
        ("CANCEL", DialResult.WITHDRAWN),
        ("CHANUNAVAIL", DialResult.FAILED),
        ("CONGESTION", DialResult.FAILED),
        ("", DialResult.FAILED),
    ],
)
def test_what_came_of_it_is_what_dial_said(status: str, result: DialResult) -> None:
    journal = JOURNAL.replace(b"status%3DANSWER", f"status%3D{status}".encode())
    assert (DialStep.ENDED, result) in told(journal)
