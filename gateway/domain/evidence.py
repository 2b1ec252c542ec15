"""Evidence: how recordings follow their calls, and what is wrong with a sound.

Counterparts: `gateway/centre.py` and `gateway/callbacks.py` store what `follow` and `of_dial` say together with the
call or the dial itself; `gateway/evidence.py` holds each recording against what it should be.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from gateway.domain.call import Call, Stage
from gateway.domain.callbacks import Dial
from gateway.domain.facts import CallerLeft, Fact, MessageBegun, Queued, RecordingStarted, Vanished
from gateway.domain.recordings import SAMPLE_BYTES, SAMPLE_RATE_HZ, Kind, Recording, Seal, State, recording_id

STALLED, FAILED, LOST = "recording_stalled", "recording_failed", "recording_lost"
DISK_LOW, VAULT_AWAY, NOT_MOVED = "disk_low", "vault_away", "recordings_not_moved"
CHANGED, NOT_VERIFIED = "recordings_changed", "recordings_not_verified"
KINDS = frozenset({STALLED, FAILED, LOST, DISK_LOW, VAULT_AWAY, NOT_MOVED, CHANGED, NOT_VERIFIED})
"""The alarms about recordings."""

SHORT_S, SHORT_SHARE = 3.0, 0.05
"""So much of a sound may be missing: the greater of both. Where neither side sends anything nothing is written, and
what is missing is silence (docs/decisions/0007)."""
HEARD_S = 5.0
"""In a talk of more seconds each side is heard, or its line is broken."""
LISTENED_S = 600.0
"""The last so many seconds of a talk are looked at for it."""
CUT = "Asterisk died in the middle of it: its last second is missing"
NO_FILE = "there is no file of its sound"
NO_SOUND_S = 1.0
"""A call that was over so soon may have no sound at all; a call back, in which nothing is played, after SHORT_S."""
STALLED_S = 5.0
"""While Asterisk itself plays, sound is written each second: after so many without, it is not being written."""
STALLED_IN_TALK_S = 15.0
"""The same in a talk, where it may be that neither phone sends anything for a while (docs/decisions/0007)."""
VERIFIED_WITHIN = timedelta(days=2)
"""Each night it is looked whether all is as it was sealed: so long without is an alarm."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 3600.0
"""Between two tries to seal the same sound."""


TELL_OF_SOUND = (RecordingStarted, MessageBegun, Queued, CallerLeft, Vanished)
"""The facts that `follow` does something with."""


def follow(running: Iterable[Recording], fact: Fact, call: Call) -> list[Recording]:
    """What a fact makes of a call's recordings, those that it changes. `running` are those of this call that run;
    `call` is as the fact has left it."""
    match fact:
        case RecordingStarted(file=file):
            return [Recording(recording_id(file), Kind.CALL, file, fact.at, call_id=call.id)]
        case MessageBegun(file=file):
            return [Recording(recording_id(file), Kind.MESSAGE, file, fact.at, call_id=call.id)]
        case Queued():
            messages = (each for each in running if each.kind is Kind.MESSAGE)
            return [replace(each, state=State.OVER, ended_at=fact.at) for each in messages]
        case CallerLeft() | Vanished():
            over = [ended_with(each, call) for each in running]
            if not any(each.kind is Kind.CALL for each in over) and (unfollowed := of_call(call)):
                over.append(unfollowed)
            return over
    return []


def ended_with(recording: Recording, call: Call) -> Recording:
    """The recording of a call that is over. Of one that vanished with Asterisk the end is missing, and nobody knows how
    much of it."""
    over = replace(recording, state=State.OVER, ended_at=call.ended_at)
    if call.has_vanished and call.greeted_at is not None:
        over = replace(over, problem=CUT, problem_at=call.ended_at, faults=(CUT,))
    if recording.kind is not Kind.CALL:
        return over
    return replace(over, expected_s=call.line_s or 0.0, talk_s=_talk_s(call))


def heard_until(recording: Recording, size_bytes: int) -> datetime:
    """Until when a recording with a file of that size goes, at least: silence of both sides is not written
    (docs/decisions/0007)."""
    frames = size_bytes // (SAMPLE_BYTES * recording.channels)
    return recording.started_at + timedelta(seconds=frames / SAMPLE_RATE_HZ)


def of_call(call: Call) -> Recording | None:
    """The recording of a call that is over, where nobody has followed it; None where it has none."""
    if call.recording is None:
        return None
    recording = Recording(recording_id(call.recording), Kind.CALL, call.recording, call.arrived_at, call_id=call.id)
    return ended_with(recording, call)


def of_message(call: Call, file: str) -> Recording:
    """The message that was left in a call that is over, where nobody has followed it."""
    return ended_with(Recording(recording_id(file), Kind.MESSAGE, file, call.arrived_at, call_id=call.id), call)


def of_dial(dial: Dial) -> Recording | None:
    """The recording of a call back: from when the caller's phone is called; None before, and where it never was."""
    if dial.recording is None or dial.rung_at is None:
        return None
    recording = Recording(recording_id(dial.recording), Kind.CALLBACK, dial.recording, dial.rung_at, dial_id=dial.id)
    if dial.result is None:
        return recording
    return replace(
        recording,
        state=State.OVER,
        ended_at=dial.ended_at,
        expected_s=dial.talk_s or 0.0,
        talk_s=dial.talk_s,
    )


def _talk_s(call: Call) -> float:
    """Seconds with somebody of the centre's on the line; where there were two, they count once."""
    talks = ((each.answered_at, each.left_at or call.ended_at) for each in call.attempts)
    seconds, until = 0.0, None
    for answered, left in sorted((answered, left) for answered, left in talks if answered and left):
        since = answered if until is None else max(answered, until)
        seconds += max(0.0, (left - since).total_seconds())
        until = max(since, left)
    return seconds


@dataclass(frozen=True, slots=True)
class Sound:
    """What was found of a sound that is over: its length, and for each side whether anything was heard of it in the
    last `talk_s` seconds. `sound_s` is None where there is no file, and `is_seen` False where the disk lets nobody see
    whether there is one."""

    sound_s: float | None
    is_left_heard: bool = True
    is_right_heard: bool = True
    is_seen: bool = True


def checked(recording: Recording, sound: Sound, at: datetime) -> Recording:
    """The recording, once its sound was looked at: still over, or empty; with all that is wrong with it. Of what nobody
    can see nothing is said: its sealing says why, again and again."""
    looked_at = replace(recording, sound_s=sound.sound_s or 0.0)
    if not sound.is_seen:
        return looked_at
    if not sound.sound_s and not should_sound(recording):
        return replace(looked_at, state=State.EMPTY)
    known = recording.faults or ((recording.problem,) if recording.problem else ())
    faults = tuple(dict.fromkeys((*known, *_faults(looked_at, sound))))
    return replace(looked_at, problem=_said(faults), problem_at=at if faults else None, faults=faults)


def is_short(recording: Recording, sound_s: float) -> bool:
    """Whether more of the sound is missing than may be."""
    expected_s = recording.expected_s or 0.0
    return expected_s - sound_s > max(SHORT_S, SHORT_SHARE * expected_s)


def should_sound(recording: Recording) -> bool:
    """Whether there should be any sound of it."""
    if recording.problem is not None:
        return True
    may_lack_s = NO_SOUND_S if recording.kind is Kind.CALL else SHORT_S
    return (recording.expected_s or 0.0) > may_lack_s


def _faults(recording: Recording, sound: Sound) -> Iterator[str]:
    if sound.sound_s is None:
        yield NO_FILE
        return
    if not sound.sound_s:
        yield "its file holds no sound"
        return
    if is_short(recording, sound.sound_s):
        yield short(recording, sound.sound_s)
    if (recording.talk_s or 0.0) > HEARD_S:
        sides = (("the caller", sound.is_left_heard), ("the operator", sound.is_right_heard))
        silent = [name for name, is_heard in sides if not is_heard]
        if silent:
            yield f"nothing is heard of {' and '.join(silent)} in {recording.talk_s:.1f} s of talk"


def _said(faults: Sequence[str]) -> str | None:
    """All of them as one problem."""
    return "; ".join(faults) or None


def short(recording: Recording, sound_s: float) -> str:
    """What is said of a sound that is too short."""
    return f"{sound_s:.1f} s of sound where {recording.expected_s or 0.0:.1f} s were expected"


def pause_s(tries: int) -> float:
    """How long to wait after so many tries in vain, in seconds."""
    return float(min(FIRST_PAUSE_S * 2 ** min(tries - 1, 20), LONGEST_PAUSE_S))


def not_sealed(recording: Recording, reason: str, at: datetime, *, is_lost: bool) -> Recording:
    """The recording after a try to seal it in vain, at that time: lost, or to be tried again later."""
    tries = recording.tries + 1
    return replace(
        recording,
        state=State.LOST if is_lost else State.OVER,
        seal=recording.seal if is_lost else None,
        problem=reason,
        problem_at=recording.problem_at if reason == recording.problem and not is_lost else at,
        tries=tries,
        try_at=None if is_lost else at + timedelta(seconds=pause_s(tries)),
    )


def sealed(
    recording: Recording,
    seal: Seal,
    sound_s: float,
    left_dbfs: float | None,
    right_dbfs: float | None,
    sealed_faults: Sequence[str] = (),
) -> Recording:
    """The recording once it lies in the vault. What was wrong with its sound still is, as it is known now or was then
    (`sealed_faults`); what had kept it from being sealed is over; and sound that was sealed before, of which a restored
    database did not know, is there."""
    done = replace(
        recording,
        state=State.SEALED,
        seal=seal,
        sound_s=sound_s,
        left_dbfs=left_dbfs,
        right_dbfs=right_dbfs,
        try_at=None,
    )
    was_looked_at = bool(recording.sound_s) and recording.tries == 0
    if was_looked_at and recording.faults == tuple(sealed_faults):
        return done
    faults = tuple(dict.fromkeys(each for each in (*sealed_faults, *recording.faults) if each != NO_FILE))
    if not faults and not was_looked_at:
        # a level of None is digital silence
        faults = tuple(_faults(done, Sound(sound_s, left_dbfs is not None, right_dbfs is not None)))
    problem, problem_at = _said(faults), recording.problem_at or seal.sealed_at
    return replace(done, problem=problem, problem_at=problem_at if problem else None, faults=faults)


def to_look_at_again(recording: Recording, *, is_sealed: bool = False) -> Recording:
    """The recording, over again: its sound was found where none had been. That Asterisk died in its call stays so.
    Where it `is_sealed` there is no raw sound to be looked at: it waits for its seal alone, and what was wrong with its
    sound still is."""
    faults = tuple(each for each in recording.faults if each == CUT or (is_sealed and each != NO_FILE))
    return replace(
        recording,
        state=State.OVER,
        seal=None,
        sound_s=0.0 if is_sealed else None,
        problem=_said(faults),
        problem_at=recording.problem_at if faults else None,
        faults=faults,
        tries=0,
        try_at=None,
    )


def stalls_after_s(call: Call) -> float | None:
    """After how many seconds without a new sound the recording of a running call is not being written; None where it
    need not be, for 112 has not answered."""
    if call.recording is None or call.greeted_at is None or call.ended_at is not None:
        return None
    return STALLED_IN_TALK_S if call.stage is Stage.TALKING else STALLED_S


@dataclass(frozen=True, slots=True)
class Space:
    """How much room there is for recordings. Under `low_bytes` it is an alarm; under half of it nothing is sealed."""

    free_bytes: int
    low_bytes: int

    @property
    def is_low(self) -> bool:
        return self.free_bytes < self.low_bytes

    @property
    def stops_sealing(self) -> bool:
        return 2 * self.free_bytes < self.low_bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """How the nightly looks at the vault stand: whether all is there as it was sealed. `since` is from when on they are
    waited for, `at` when all that was due had been looked at last; `days` and `recordings` count that night's."""

    since: datetime
    at: datetime | None = None
    days: int = 0
    recordings: int = 0
    """Of those, how many were read to the last byte: each within a week."""
    findings: int = 0
    """What stands, since it was found and until it is not found any more."""
    first: tuple[str, ...] = ()
    """The first of it, each in words."""
    due: int = 0
    """Days for which the night was too short."""
    problem: str = ""
    """Why it cannot be looked now; empty where it can."""
    begun_at: datetime | None = None
    """From when on the hours count that the last night's work may take."""
    found_at: datetime | None = None
    """When something new was found last, among what is told: not more often than every hour."""

    @property
    def waited_since(self) -> datetime:
        return self.at or self.since

    def is_overdue(self, now: datetime) -> bool:
        return now - self.waited_since > VERIFIED_WITHIN

    @property
    def why_overdue(self) -> str:
        if self.problem:
            return self.problem
        return f"{self.due} days were left when the night was over" if self.due else "it was not begun"


def named(file: str) -> tuple[Kind, str] | None:
    """What a file's name says it is of: the kind, and the call's or the dial's id; None where it says nothing."""
    stem = PurePosixPath(file).stem
    if stem.startswith("callback-"):
        return Kind.CALLBACK, stem.removeprefix("callback-")
    if stem.endswith("-message"):
        call_id, _, number = stem.removesuffix("-message").rpartition("-")
        return (Kind.MESSAGE, call_id) if call_id and number.isdigit() else None
    return (Kind.CALL, stem) if "." in stem else None


def of_verification(verification: Verification, now: datetime) -> Iterator[tuple[str, str, str]]:
    """What is wrong with what was sealed, or with looking whether anything is: as `alarming` tells it."""
    if verification.findings:
        first = f", the first: {verification.first[0]}" if verification.first else ""
        count = verification.findings
        yield CHANGED, "vault", f"{count} finding{'s' if count > 1 else ''} where all should be as it was sealed{first}"
    if verification.is_overdue(now):
        since = f"{verification.waited_since:%Y-%m-%d %H:%M} UTC"
        yield NOT_VERIFIED, "vault", f"not verified since {since}: {verification.why_overdue}"


def alarming(
    stalled: Sequence[str], failing: int, lost: int, space: Space | None, vault_away: str, not_moved: str = ""
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the recordings now, each as an alarm's kind, subject and detail. `stalled` are running calls;
    `space` is None while nobody knows it; `vault_away` says why nothing can be sealed, and is empty where it can;
    `not_moved` the same of moving to the bucket."""
    if stalled:
        first, count = stalled[0], len(stalled)
        words = f"running call {first} is" if count == 1 else f"{count} running calls, the first one {first}, are"
        yield STALLED, "recordings", f"{words} not being recorded"
    if failing:
        yield FAILED, "recordings", f"{_recordings(failing)} cannot be sealed, and will be tried again"
    if lost:
        yield LOST, "recordings", f"{_recordings(lost)} found to be lost in the last 24 hours"
    if space and space.is_low:
        stops = space.stops_sealing
        words = f"less than {space.low_bytes / (2e6 if stops else 1e6):.0f} MB are left"
        yield DISK_LOW, "paths.recordings", f"{words}: nothing is sealed, recording goes on" if stops else words
    if vault_away:
        yield VAULT_AWAY, "vault", f"nothing is sealed: {vault_away}"
    if not_moved:
        yield NOT_MOVED, "bucket", f"sealed sound stays where it is: {not_moved}"


def _recordings(count: int) -> str:
    return "1 recording" if count == 1 else f"{count} recordings"
