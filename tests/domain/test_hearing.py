"""Who speaks, who is silent, and of whom nobody knows."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.call import PROBE_TRUNK, Attempt, Call, Stage
from gateway.domain.hearing import Hold, Key, Silence, Voice, hear, silence, talk
from tests.domain.values import MONDAY


def after(seconds: float) -> datetime:
    """That long after the phone answered."""
    return MONDAY + timedelta(seconds=60 + seconds)


RING = Attempt("leg", "1001", after(-5), after(0))
TALKING = Call("112-1", "telkomsel", "0811", MONDAY, stage=Stage.TALKING, answered_at=after(0), attempts=(RING,))


def voice(seconds: float, is_talking: bool = True) -> Voice:
    return Voice("112-1", after(seconds), is_talking)


def test_the_first_voice_alone_is_told() -> None:
    call, events = hear(TALKING, voice(3))
    assert (call.spoke_at, [event.type for event in events]) == (after(3), ["call.spoke"])
    assert hear(call, voice(5)) == (call, ())
    assert hear(TALKING, voice(5, is_talking=False)) == (TALKING, ())


def test_every_key_is_told_and_changes_nothing() -> None:
    call, [event] = hear(TALKING, Key("112-1", after(1), "#"))
    assert (call, event.type, event.data) == (TALKING, "call.key_pressed", {"key": "#"})


@pytest.mark.parametrize(("is_held", "told"), [(True, "call.held"), (False, "call.resumed")])
def test_a_hold_and_its_end_are_told_and_change_nothing(is_held: bool, told: str) -> None:
    call, [event] = hear(TALKING, Hold("112-1", after(1), "1001", is_held))
    assert (call, event.type, event.data) == (TALKING, told, {"phone": "1001"})


def test_who_says_nothing_for_ten_seconds_after_the_answer_is_silent() -> None:
    assert silence(TALKING, None, MONDAY, after(9.9)) is None
    assert silence(TALKING, None, MONDAY, after(10)) == Silence("112-1", after(10), "1001")


@pytest.mark.parametrize(
    ("last", "is_silent"),
    [
        (voice(2), False),
        (voice(0), False),
        (voice(-1), False),  # he was speaking when the phone answered
        (voice(-31), False),  # amid rain or fire there is no end of it
        (voice(-2, is_talking=False), True),
        (voice(1, is_talking=False), True),  # the pause before it began before the answer
        (voice(2.5, is_talking=False), False),
    ],
)
def test_what_was_heard_before_the_answer_does_not_count(last: Voice, is_silent: bool) -> None:
    assert (silence(TALKING, last, MONDAY, after(10)) is not None) is is_silent


def test_where_nobody_listened_all_the_while_nobody_was_silent() -> None:
    assert silence(TALKING, None, None, after(20)) is None
    assert silence(TALKING, None, after(0.1), after(20)) is None
    assert silence(TALKING, None, after(0), after(20)) is not None


def test_only_a_talk_can_be_silent_and_the_probes_never_is() -> None:
    assert silence(replace(TALKING, trunk=PROBE_TRUNK), None, MONDAY, after(20)) is None
    assert silence(replace(TALKING, stage=Stage.QUEUED), None, MONDAY, after(20)) is None
    left = replace(RING, left_at=after(5))
    assert silence(replace(TALKING, attempts=(left,)), None, MONDAY, after(20)) is None
    second = Attempt("leg2", "1002", after(6), after(8))
    again = replace(TALKING, attempts=(left, second))
    assert talk(again) == second
    assert silence(again, None, MONDAY, after(17)) is None
    assert silence(again, None, MONDAY, after(18)) == Silence("112-1", after(18), "1002")
