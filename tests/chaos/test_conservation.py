"""Who checks the checker: the conservation check finds what is lost, wrong and repeated, and excuses no more than it
says."""

import ast
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos.conservation import Kind, Ledger, Span, Told, Troubles, check
from chaos.sightings import CarrierLog, PhoneLog, Seen, Talk
from gateway.settings import PROJECT

T0 = 1_795_000_000.0
NUMBER = "080011"


def at(seconds: float) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


def a_seen(**changes: Any) -> Seen:
    """A call of ten seconds that the caller ended."""
    seen = Seen("1-77@127.0.0.11", NUMBER, "telkomsel", T0, T0)
    seen.tried_at, seen.answered_at, seen.acked_at, seen.left_at = T0 + 0.01, T0 + 0.1, T0 + 0.1, T0 + 10
    for name, value in changes.items():
        setattr(seen, name, value)
    return seen


def a_call(**changes: Any) -> dict[str, Any]:
    """As the API tells of it."""
    return {
        "id": "112-1.0",
        "sip_call_id": "1-77@127.0.0.11",
        "trunk": "telkomsel",
        "caller": NUMBER,
        "arrived_at": at(0.02),
        "greeted_at": at(0.1),
        "queued_at": at(0.1),
        "answered_at": at(0.2),
        "spoke_at": at(0.4),
        "ended_at": at(10.01),
        "outcome": "answered",
        "hung_up_by": "caller",
        "recording": {"duration_s": 9.9, "silence_s": 8.9},
        **changes,
    }


def a_recording(**changes: Any) -> dict[str, Any]:
    return {"kind": "call", "call_id": "112-1.0", "state": "sealed", "problem": None, **changes}


TALKS = {NUMBER: [Talk(NUMBER, T0 + 0.2)]}


def found(
    seen: Seen | None = None,
    calls: tuple[dict[str, Any], ...] | None = None,
    *,
    talks: dict[str, list[Talk]] = TALKS,
    troubles: Troubles | None = None,
    recordings: tuple[dict[str, Any], ...] | None = None,
) -> list[Kind]:
    """What kinds of findings there are at the end."""
    told = Told((a_call(),) if calls is None else calls, (a_recording(),) if recordings is None else recordings)
    verdict = check([seen or a_seen()], talks, told, troubles or Troubles(), is_final=True)
    return [finding.kind for finding in verdict.findings]


def test_a_call_that_is_told_as_it_was_is_no_finding() -> None:
    assert found() == []


def test_an_invite_that_is_no_call_is_lost() -> None:
    assert found(calls=(), recordings=()) == [Kind.LOST]


def test_an_invite_that_is_two_calls_is_repeated() -> None:
    twice = (a_call(), a_call(id="112-1.1"))
    assert Kind.REPEATED in found(calls=twice, recordings=(a_recording(), a_recording(call_id="112-1.1")))


@pytest.mark.parametrize("step", ["greeted_at", "queued_at", "answered_at", "spoke_at"])
def test_a_step_that_is_told_of_another_hour_than_its_call_is_wrong(step: str) -> None:
    assert set(found(calls=(a_call(**{step: at(3600)}),))) == {Kind.WRONG}
    assert found(calls=(a_call(**{step: None}),)) == []


def test_a_wait_that_is_told_otherwise_than_the_phone_had_the_caller_is_wrong() -> None:
    long = a_seen(left_at=T0 + 40)
    lasted = {"ended_at": at(40), "answered_at": at(20), "spoke_at": at(21)}
    assert found(long, (a_call(**lasted),)) == [Kind.WRONG]
    assert found(long, (a_call(**lasted),), talks={NUMBER: [*TALKS[NUMBER], Talk(NUMBER, T0 + 19)]}) == []
    assert found(long, (a_call(**lasted),), troubles=Troubles(frozen=[Span(T0 + 0.1, T0 + 18)])) == []


def test_who_hung_up_a_moment_before_asterisk_was_killed_may_be_unknown() -> None:
    call = a_call(hung_up_by="centre")
    assert found(calls=(call,)) == [Kind.WRONG]
    assert found(calls=(call,), troubles=Troubles(dead=[Span(T0 + 10.4, T0 + 15)])) == []
    assert found(calls=(call,), troubles=Troubles(dead=[Span(T0 + 12, T0 + 15)])) == [Kind.WRONG]
    assert found(calls=(call,), troubles=Troubles(dead=[Span(T0 + 2, T0 + 5)])) != []


def test_a_call_that_ended_a_moment_before_asterisk_was_killed_may_be_told_to_end_with_its_sound() -> None:
    call = a_call(ended_at=at(4))
    assert found(calls=(call,)) == [Kind.WRONG]
    assert found(calls=(call,), troubles=Troubles(dead=[Span(T0 + 10.4, T0 + 15)])) == []
    assert found(calls=(call,), troubles=Troubles(dead=[Span(T0 + 12, T0 + 15)])) == [Kind.WRONG]
    # neither before it came nor after the one that follows
    for elsewhere in (at(-1), at(30)):
        early = a_call(greeted_at=None, queued_at=None, answered_at=None, spoke_at=None, ended_at=elsewhere)
        assert found(calls=(early,), troubles=Troubles(dead=[Span(T0 + 10.4, T0 + 15)])) == [Kind.WRONG]


def test_a_call_whose_answer_was_never_acknowledged_may_be_over_before_the_centre_may_say_so() -> None:
    # the operator hung up after 27 s; the BYE came when the answer had been repeated for 32
    unacknowledged = a_seen(acked_at=None, left_at=None, was_left_at=T0 + 32.1)
    call = a_call(ended_at=at(27), hung_up_by="operator")
    assert found(unacknowledged, (call,)) == []
    assert found(a_seen(left_at=None, was_left_at=T0 + 32.1), (call,)) == [Kind.WRONG]
    assert found(a_seen(acked_at=None, left_at=T0 + 32.1), (call,)) == [Kind.WRONG]


@pytest.mark.parametrize(
    "change",
    [
        {"caller": "0811"},
        {"trunk": "indosat"},
        {"outcome": "abandoned"},
        {"outcome": "failed"},
        {"outcome": None, "ended_at": None},
        {"hung_up_by": "operator"},
        {"arrived_at": at(3600)},
        {"ended_at": at(40)},
        {"recording": None},
        {"recording": {"duration_s": 9.9, "silence_s": 9.8}},
    ],
)
def test_a_call_that_is_told_otherwise_is_wrong(change: dict[str, Any]) -> None:
    assert set(found(calls=(a_call(**change),))) == {Kind.WRONG}


def test_a_call_that_no_phone_answered_is_not_an_answered_one() -> None:
    assert found(talks={}) == [Kind.WRONG]


def test_a_call_that_nobody_sent_is_wrong() -> None:
    other = a_call(id="112-9.9", sip_call_id="9-9@127.0.0.11")
    recordings = (a_recording(), a_recording(call_id="112-9.9"))
    assert found(calls=(a_call(), other), recordings=recordings) == [Kind.WRONG]


def test_a_call_has_one_recording_that_is_settled() -> None:
    assert found(recordings=(a_recording(), a_recording())) == [Kind.REPEATED]
    assert found(recordings=(a_recording(state="over"),)) == [Kind.WRONG]
    assert found(recordings=(a_recording(call_id="112-8.8"),)) == [Kind.LOST]
    assert found(recordings=()) == [Kind.LOST]


def test_what_never_reached_a_living_asterisk_is_no_call_and_what_it_answered_is() -> None:
    troubles = Troubles(dead=[Span(T0 - 1, T0 + 3)])
    unheard = a_seen(tried_at=None, answered_at=None, acked_at=None, left_at=None)
    assert found(unheard, (), troubles=troubles, recordings=()) == []
    assert found(unheard, (), recordings=()) == [Kind.LOST]
    # it was sent again, and Asterisk had lived for long by then
    unheard.last_invited_at = T0 + 7
    assert found(unheard, (), troubles=troubles, recordings=()) == []
    unheard.last_invited_at = T0 + 15.5
    assert found(unheard, (), troubles=troubles, recordings=()) == [Kind.LOST]
    assert found(calls=(), troubles=troubles, recordings=()) == [Kind.LOST]


def test_a_call_under_which_asterisk_died_is_a_call_all_the_same() -> None:
    troubles = Troubles(dead=[Span(T0 + 5, T0 + 8)])
    cut = a_call(ended_at=at(0.3), hung_up_by="centre")
    assert found(calls=(cut,), troubles=troubles) == []
    assert found(calls=(), troubles=troubles, recordings=()) == [Kind.LOST]
    assert found(calls=(a_call(outcome="failed"),), troubles=troubles) == [Kind.WRONG]


def test_the_ledger_has_no_hole_and_tells_nothing_twice() -> None:
    event = {"seq": 1, "type": "call.entered", "at": at(0), "call_id": "112-1.0", "data": {}}
    ledger = Ledger()
    ledger.take([event, {**event, "seq": 2}, {**event, "seq": 4, "type": "call.ended"}])
    assert [finding.kind for finding in ledger.findings] == [Kind.REPEATED, Kind.WRONG]


def test_a_call_ends_once_whenever_that_is_told_and_whoever_follows_the_ledger_hears_of_each() -> None:
    events = [
        {"seq": 1, "type": "call.arrived", "at": at(0), "call_id": "112-1.0", "data": {}},
        {"seq": 2, "type": "call.ended", "at": at(10), "call_id": "112-1.0", "data": {"outcome": "answered"}},
        {"seq": 3, "type": "call.ended", "at": at(12), "call_id": "112-1.0", "data": {"outcome": "failed"}},
    ]
    ledger = Ledger()
    ledger.take(events)
    assert [finding.kind for finding in ledger.findings] == [Kind.REPEATED]
    assert list(ledger.lacking([a_call()])) == []
    assert [each.kind for each in ledger.lacking([a_call(id="112-2.0")])] == [Kind.LOST, Kind.LOST]
    assert [each.kind for each in ledger.lacking([a_call(id="112-2.0", outcome=None)])] == [Kind.LOST]


def test_sipps_own_log_is_read_as_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "carrier.log"
    lines = [
        ("S", "INVITE", "INVITE sip:112@127.0.0.1:5060 SIP/2.0"),
        ("S", "INVITE", "INVITE sip:112@127.0.0.1:5060 SIP/2.0"),
        ("R", "INVITE", "SIP/2.0 100 Trying"),
        ("R", "INVITE", "SIP/2.0 200 OK"),
        ("S", "ACK", "ACK sip:127.0.0.1:5060 SIP/2.0"),
        ("S", "BYE", "BYE sip:127.0.0.1:5060 SIP/2.0"),
        ("R", "BYE", "SIP/2.0 481 Call/Transaction Does Not Exist"),
    ]
    log = CarrierLog(file, "08001", "telkomsel")
    with file.open("w") as stream:
        for place, (way, method, first) in enumerate(lines):
            number = 2 if method == "BYE" else 1
            text = f"2026-11-26\t08:30:12\t{T0 + place}\t{way}\t7-20763@127.0.0.11\tCSeq:{number} {method}\t{first}\n"
            stream.write(text[:40])
            stream.flush()
            log.read()
            stream.write(text[40:])
            stream.flush()
            log.read()
    [seen] = log.seen.values()
    assert (seen.number, seen.invited_at, seen.last_invited_at, seen.tried_at) == ("080017", T0, T0 + 1, T0 + 2)
    assert (seen.answered_at, seen.acked_at, seen.left_at, seen.ended_at) == (T0 + 3, T0 + 4, T0 + 5, T0 + 5)
    assert (seen.refused_at, seen.was_left_at) == (None, None)


def test_a_phones_log_tells_of_its_talks(tmp_path: Path) -> None:
    file = tmp_path / "phones.log"
    file.write_text("talked 0811 100 500000\nleft 0811 103 0\ntalked 0811 200 0\nnonsense\n")
    log = PhoneLog(file)
    log.read()
    assert log.talks == {"0811": [Talk("0811", 100.5, 103.0), Talk("0811", 200.0)]}


@pytest.mark.parametrize("name", ["conservation", "sightings"])
def test_the_check_shares_no_code_with_what_it_checks(name: str) -> None:
    tree = ast.parse((PROJECT / f"chaos/{name}.py").read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    strangers = {module for module in imported if module.partition(".")[0] not in sys.stdlib_module_names}
    assert strangers <= {"chaos.sightings"}


def test_an_operator_who_hung_up_before_the_caller_may_have_ended_the_call() -> None:
    """Both hang up while Asterisk stands still: the operator's BYE stands in the phone's log alone."""
    call, frozen = (a_call(hung_up_by="operator", ended_at=at(10.6)),), Troubles(frozen=[Span(T0 + 9, T0 + 10.6)])

    def talked(left_at: float | None) -> dict[str, list[Talk]]:
        return {NUMBER: [Talk(NUMBER, T0 + 0.2, left_at)]}

    assert found(calls=call, talks=talked(T0 + 9.5), troubles=frozen) == []
    assert found(calls=call, talks=talked(T0 + 10.3), troubles=frozen) == []
    assert found(calls=call, talks=talked(T0 + 10.7), troubles=frozen) == [Kind.WRONG]
    assert found(calls=call, talks=talked(None), troubles=frozen) == [Kind.WRONG]
