"""Recordings follow their calls, and what is wrong with a sound is said in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from gateway.domain import evidence, life
from gateway.domain.call import Call, Stage
from gateway.domain.callbacks import Dial
from gateway.domain.evidence import Sound, Space
from gateway.domain.facts import (
    CallerLeft,
    DialResult,
    Entered,
    Fact,
    FellBack,
    Joined,
    LegConnected,
    LegLeft,
    LegRung,
    MessageBegun,
    Queued,
    QueueLeft,
    RecordingStarted,
    Side,
    TrunkAnswered,
    Vanished,
)
from gateway.domain.recordings import Kind, Recording, Seal, State, recording_id

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
FILE = "2026/11/26/112-1.0.raw"
MESSAGE = "2026/11/26/112-1.0-1-message.sln"


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def told(*facts: Fact) -> tuple[Call, dict[str, Recording]]:
    """The call that enters and its recordings, once those facts were told."""
    call, _ = life.enter(Entered("112-1.0", AT, "telkomsel", "0811"))
    known: dict[str, Recording] = {}
    for fact in facts:
        call, _ = life.apply(call, fact)
        running = [each for each in known.values() if each.state is State.RUNNING]
        known |= {each.id: each for each in evidence.follow(running, fact, call)}
    return call, known


STARTED = RecordingStarted("112-1.0", after(0.1), FILE)
ANSWERED = TrunkAnswered("112-1.0", after(1))
QUEUED = Queued("112-1.0", after(4), "emergency", 1, 1)
RUNG = LegRung("112-1.0", after(5), "leg", "1001")
TALKING = LegConnected("112-1.0", after(8), "leg", "1001")
LEFT = LegLeft("112-1.0", after(20), "leg", "1001", 16)
ENDED = CallerLeft("112-1.0", after(20), 16, Side.CALLER)


def a_recording(**fields: object) -> Recording:
    known: dict[str, object] = {
        "id": "112-1.0",
        "kind": Kind.CALL,
        "file": FILE,
        "started_at": AT,
        "call_id": "112-1.0",
        "state": State.OVER,
        "ended_at": after(20),
        "expected_s": 19.0,
        "talk_s": 12.0,
    }
    return Recording(**known | fields)  # type: ignore[arg-type]


def test_a_recording_runs_from_its_start_to_the_end_of_its_call_and_is_to_be_as_long_as_that() -> None:
    _, running = told(STARTED, ANSWERED)
    assert running == {"112-1.0": Recording("112-1.0", Kind.CALL, FILE, after(0.1), call_id="112-1.0")}

    _, known = told(STARTED, ANSWERED, QUEUED, RUNG, TALKING, LEFT, ENDED)
    assert known == {"112-1.0": a_recording(started_at=after(0.1))}


def test_time_in_which_two_people_talked_with_the_caller_is_talked_once() -> None:
    third = LegRung("112-1.0", after(9), "third", "1099"), Joined("112-1.0", after(10), "third", "1099", "1001")
    stayed = LegLeft("112-1.0", after(16), "leg", "1001", 16)
    _, known = told(STARTED, ANSWERED, QUEUED, RUNG, TALKING, *third, stayed, ENDED)
    assert known["112-1.0"].talk_s == 12.0


def test_a_call_that_was_cancelled_before_112_answered_need_have_no_sound() -> None:
    _, known = told(STARTED, CallerLeft("112-1.0", after(2), 16, Side.CALLER))
    recording = known["112-1.0"]
    assert (recording.state, recording.expected_s) == (State.OVER, 0.0)
    for sound in (Sound(None), Sound(0.0)):
        empty = evidence.checked(recording, sound, AT)
        assert (empty.state, empty.problem) == (State.EMPTY, None)
    assert evidence.checked(recording, Sound(1.5), AT).state is State.OVER


def test_a_call_that_asterisk_lost_has_a_recording_whose_end_is_missing() -> None:
    _, known = told(STARTED, ANSWERED, QUEUED, Vanished("112-1.0", after(4)))
    cut = known["112-1.0"]
    assert (cut.state, cut.expected_s, cut.problem) == (State.OVER, 3.0, evidence.CUT)
    assert evidence.checked(cut, Sound(2.5), AT).problem == evidence.CUT
    assert evidence.checked(cut, Sound(0.0), AT).faults == (evidence.CUT, "its file holds no sound")
    assert evidence.checked(cut, Sound(0.0), AT).state is State.OVER

    _, known = told(STARTED, Vanished("112-1.0", after(4)))
    assert evidence.checked(known["112-1.0"], Sound(0.0), AT).state is State.EMPTY


def test_a_recording_tells_until_when_it_goes_at_least() -> None:
    assert evidence.heard_until(a_recording(), 5 * 8000 * 2 * 2 + 3) == after(5)
    assert evidence.heard_until(a_recording(file=MESSAGE), 5 * 8000 * 2) == after(5)


def test_a_message_is_over_when_its_caller_waits_again_or_leaves() -> None:
    begun = (STARTED, ANSWERED, QUEUED, QueueLeft("112-1.0", after(10), "emergency", "timeout"))
    begun += (FellBack("112-1.0", after(11), "chose", 1, "5"), MessageBegun("112-1.0", after(12), MESSAGE))
    _, known = told(*begun)
    assert known[recording_id(MESSAGE)].state is State.RUNNING
    assert known[recording_id(MESSAGE)].channels == 1

    _, known = told(*begun, Queued("112-1.0", after(30), "emergency", 1, 2))
    message = known[recording_id(MESSAGE)]
    assert (message.state, message.ended_at, message.expected_s) == (State.OVER, after(30), None)
    assert known["112-1.0"].state is State.RUNNING

    _, known = told(*begun, replace(ENDED, at=after(15)))
    assert {each.state for each in known.values()} == {State.OVER}
    assert evidence.checked(known[recording_id(MESSAGE)], Sound(None), AT).state is State.EMPTY


def test_a_call_whose_recording_nobody_followed_gets_it_at_its_end() -> None:
    call, _ = told(STARTED, ANSWERED, QUEUED, ENDED)
    [made] = evidence.follow([], ENDED, call)
    assert made == evidence.of_call(call)
    assert (made.state, made.expected_s) == (State.OVER, 19.0)


def test_a_call_back_has_a_recording_from_when_the_callers_phone_is_called() -> None:
    dial = Dial("7-ab", 1, AT, recording="2026/11/26/callback-7-ab.raw")
    assert evidence.of_dial(dial) is None
    rung = replace(dial, rung_at=after(5))
    running = Recording("callback-7-ab", Kind.CALLBACK, dial.recording or "", after(5), dial_id="7-ab")
    assert evidence.of_dial(rung) == running
    ended = replace(rung, answered_at=after(10), ended_at=after(40), result=DialResult.ANSWERED)
    assert evidence.of_dial(ended) == replace(
        running, state=State.OVER, ended_at=after(40), expected_s=30.0, talk_s=30.0
    )
    short = replace(rung, answered_at=after(10), ended_at=after(12), result=DialResult.ANSWERED)
    assert evidence.checked(evidence.of_dial(short) or running, Sound(0.0), AT).state is State.EMPTY
    missed = replace(rung, ended_at=after(40), result=DialResult.NO_ANSWER)
    assert evidence.checked(evidence.of_dial(missed) or running, Sound(0.0), AT).state is State.EMPTY


@pytest.mark.parametrize(
    ("sound", "problem"),
    [
        (Sound(19.0), None),
        (Sound(16.5), None),
        (Sound(15.5), "15.5 s of sound where 19.0 s were expected"),
        (Sound(0.0), "its file holds no sound"),
        (Sound(None), "there is no file of its sound"),
        (Sound(19.0, False, True), "nothing is heard of the caller in 12.0 s of talk"),
        (Sound(19.0, True, False), "nothing is heard of the operator in 12.0 s of talk"),
        (Sound(19.0, False, False), "nothing is heard of the caller and the operator in 12.0 s of talk"),
        (
            Sound(15.5, True, False),
            "15.5 s of sound where 19.0 s were expected; nothing is heard of the operator in 12.0 s of talk",
        ),
    ],
)
def test_what_is_wrong_with_a_sound_is_said_in_words(sound: Sound, problem: str | None) -> None:
    checked = evidence.checked(a_recording(), sound, after(22))
    assert (checked.problem, checked.problem_at) == (problem, after(22) if problem else None)
    assert (checked.state, checked.sound_s) == (State.OVER, sound.sound_s or 0.0)


def test_nobody_need_be_heard_in_a_talk_of_a_few_seconds() -> None:
    assert evidence.checked(a_recording(talk_s=4.0), Sound(19.0, False, False), AT).problem is None


def test_what_cannot_be_sealed_is_tried_again_after_pauses_that_grow_to_an_hour() -> None:
    pauses = []
    recording = a_recording()
    for _ in range(12):
        recording = evidence.not_sealed(recording, "no room", AT, is_lost=False)
        assert recording.try_at is not None
        pauses.append((recording.try_at - AT).total_seconds())
    assert pauses[:4] == [10.0, 20.0, 40.0, 80.0]
    assert pauses[-1] == 3600.0
    assert recording.state is State.OVER

    lost = evidence.not_sealed(recording, "it is gone", after(60), is_lost=True)
    assert (lost.state, lost.problem, lost.problem_at, lost.try_at) == (State.LOST, "it is gone", after(60), None)


def test_what_had_kept_a_recording_from_being_sealed_is_forgotten_and_what_is_wrong_with_its_sound_is_not() -> None:
    seal = Seal(AT, "2026/11/26/112-1.0.ogg", 1000, "aa", "bb", "cc", 1)
    silent = evidence.checked(a_recording(), Sound(19.0, False, True), AT)
    assert evidence.sealed(silent, seal, 19.0, None, -20.0).problem == silent.problem
    failed = evidence.not_sealed(a_recording(), "no room", AT, is_lost=False)
    done = evidence.sealed(failed, seal, 19.0, -20.0, -20.0)
    assert (done.state, done.problem, done.problem_at, done.try_at) == (State.SEALED, None, None, None)
    assert evidence.sealed(failed, seal, 9.0, -20.0, -20.0).problem == "9.0 s of sound where 19.0 s were expected"
    both = evidence.not_sealed(silent, "no room", AT, is_lost=False)
    assert (both.problem, both.faults) == ("no room", (silent.problem,))
    assert evidence.sealed(both, seal, 19.0, None, -20.0).problem == silent.problem
    lost = evidence.not_sealed(evidence.sealed(both, seal, 19.0, None, -20.0), "it is gone", AT, is_lost=True)
    assert (lost.problem, lost.faults) == ("it is gone", (silent.problem,))


def test_sound_that_was_sealed_before_the_database_knew_of_it_is_there_and_nothing_is_wrong_with_it() -> None:
    """As after a restore: the raw sound is gone, and the vault has what was sealed."""
    seal = Seal(AT, "2026/11/26/112-1.0.ogg", 1000, "aa", "bb", "cc", 1)
    missing = evidence.checked(a_recording(), Sound(None), AT)
    assert missing.problem == "there is no file of its sound"
    assert evidence.sealed(missing, seal, 19.0, -20.0, -20.0).problem is None
    assert evidence.sealed(missing, seal, 9.0, -20.0, -20.0).problem == "9.0 s of sound where 19.0 s were expected"
    assert evidence.sealed(missing, seal, 9.0, -20.0, -20.0).faults == ("9.0 s of sound where 19.0 s were expected",)


def test_a_recording_that_is_looked_at_again_is_judged_anew_but_asterisk_has_died_in_it_all_the_same() -> None:
    cut = evidence.checked(a_recording(problem=evidence.CUT, faults=(evidence.CUT,)), Sound(None), AT)
    assert cut.faults == (evidence.CUT, evidence.NO_FILE)
    assert evidence.to_look_at_again(cut).faults == (evidence.CUT,)
    assert evidence.checked(evidence.to_look_at_again(cut), Sound(19.0), AT).problem == evidence.CUT
    before_there_were_faults = a_recording(problem=evidence.CUT)
    assert evidence.checked(before_there_were_faults, Sound(19.0), AT).faults == (evidence.CUT,)


def test_sealed_sound_that_is_found_again_is_not_looked_at_and_keeps_what_is_wrong_with_it() -> None:
    seal = Seal(AT, "2026/11/26/112-1.0.ogg", 1000, "aa", "bb", "cc", 1)
    silent = evidence.checked(a_recording(), Sound(19.0, False, True), AT)
    lost = evidence.not_sealed(evidence.sealed(silent, seal, 19.0, None, -20.0), "it is gone", AT, is_lost=True)
    again = evidence.to_look_at_again(lost, is_sealed=True)
    assert (again.state, again.sound_s, again.problem) == (State.OVER, 0.0, silent.problem)
    back = evidence.sealed(again, seal, 19.0, None, -20.0, silent.faults)
    assert (back.state, back.problem, back.faults) == (State.SEALED, silent.problem, silent.faults)


def test_what_was_wrong_with_a_sound_when_it_was_sealed_is_known_to_a_restored_database_too() -> None:
    seal = Seal(AT, "2026/11/26/112-1.0.ogg", 1000, "aa", "bb", "cc", 1)
    missing = evidence.checked(a_recording(problem=evidence.CUT, faults=(evidence.CUT,)), Sound(None), AT)
    done = evidence.sealed(missing, seal, 19.0, -20.0, -20.0, ("nothing is heard of the caller", evidence.CUT))
    assert done.faults == ("nothing is heard of the caller", evidence.CUT)
    assert done.problem == f"nothing is heard of the caller; {evidence.CUT}"


def test_of_sound_that_nobody_can_see_nothing_is_said() -> None:
    unseen = evidence.checked(a_recording(), Sound(None, is_seen=False), AT)
    assert (unseen.state, unseen.sound_s, unseen.problem, unseen.faults) == (State.OVER, 0.0, None, ())
    # and where it is seen by the time that it is sealed it is judged then
    seal = Seal(AT, "2026/11/26/112-1.0.ogg", 1000, "aa", "bb", "cc", 1)
    done = evidence.sealed(unseen, seal, 9.0, None, -20.0)
    assert done.faults == (
        "9.0 s of sound where 19.0 s were expected",
        f"nothing is heard of the caller in {unseen.talk_s:.1f} s of talk",
    )
    assert evidence.sealed(unseen, seal, 19.0, -20.0, -20.0).faults == ()


@pytest.mark.parametrize(
    ("facts", "limit_s"),
    [
        ((), None),
        ((STARTED,), None),
        ((STARTED, ANSWERED), evidence.STALLED_S),
        ((STARTED, ANSWERED, QUEUED), evidence.STALLED_S),
        ((STARTED, ANSWERED, QUEUED, RUNG, TALKING), evidence.STALLED_IN_TALK_S),
        ((STARTED, ANSWERED, QUEUED, ENDED), None),
    ],
)
def test_a_running_recording_is_to_grow_once_112_has_answered(facts: tuple[Fact, ...], limit_s: float | None) -> None:
    call, _ = told(*facts)
    assert evidence.stalls_after_s(call) == limit_s
    assert (call.stage is Stage.TALKING) == (limit_s == evidence.STALLED_IN_TALK_S)


def test_little_space_is_an_alarm_and_half_of_that_stops_the_sealing() -> None:
    seen = [(Space(free, 2000).is_low, Space(free, 2000).stops_sealing) for free in (2000, 1999, 1000, 999)]
    assert seen == [(False, False), (True, False), (True, False), (True, True)]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("2026/11/26/112-1795476254.0.raw", (Kind.CALL, "112-1795476254.0")),
        ("2026/11/26/112-1795476254.0-2-message.sln", (Kind.MESSAGE, "112-1795476254.0")),
        ("2026/11/26/callback-7-abc.raw", (Kind.CALLBACK, "7-abc")),
        ("2026/11/26/notes.raw", None),
        ("2026/11/26/x-message.sln", None),
    ],
)
def test_a_files_name_says_what_it_is_of(file: str, said: tuple[Kind, str] | None) -> None:
    assert evidence.named(file) == said


def test_pauses_are_bounded_whatever_the_count() -> None:
    assert reduce(lambda most, tries: max(most, evidence.pause_s(tries)), range(1, 5000), 0.0) == 3600.0
