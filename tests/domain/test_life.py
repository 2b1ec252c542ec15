"""A call's life, told as scripts."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from gateway.domain import life
from gateway.domain.call import Call, Outcome, Result, Stage
from gateway.domain.facts import (
    AgencyLeft,
    CallerLeft,
    Described,
    Entered,
    Fact,
    FellBack,
    Greeted,
    Joined,
    LastResortLeft,
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
from gateway.domain.life import TRANSITIONS, OutOfPlace
from tests.playbook import Playbook

ID = "112-1795476254.0"
START = datetime(2026, 11, 23, 16, 24, 14, tzinfo=UTC)
SITI, BUDI, INDOSAT = "PJSIP/1001-00000001", "PJSIP/1002-00000002", "PJSIP/indosat-00000010"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def entered(trunk: str = "telkomsel") -> Entered:
    return Entered(ID, START, trunk=trunk, caller="0811")


def waiting() -> Playbook:
    """A call that has come as far as the queue."""
    return (
        Playbook(entered())
        << "call.arrived"
        >> TrunkAnswered(ID, at(1))
        << "call.greeted"
        >> Queued(ID, at(6), queue="emergency", priority=0, round=1)
        << "call.queued"
    )


def test_a_call_is_greeted_recorded_queued_and_answered() -> None:
    play = (
        Playbook(entered())
        << "call.arrived"
        >> Described(ID, at(0.1), "+62811", "Siti", "112", "abc@carrier", "", "", "", "")
        << "call.described"
        >> RecordingStarted(ID, at(0.2), file="2026/11/23/x.raw")
        << "call.recording_started"
        >> TrunkAnswered(ID, at(0.3))
        << "call.greeted"
        >> Greeted(ID, at(5))
        << None
        >> Queued(ID, at(5), queue="emergency", priority=3, round=1)
        << "call.queued"
        >> LegRung(ID, at(5.5), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegConnected(ID, at(8), leg=SITI, phone="1001")
        << "call.answered"
        >> CallerLeft(ID, at(68), cause=16, hung_up_by=Side.CALLER)
        << "call.operator_left"
        << "call.ended"
        << None
    )
    call = play.call
    assert call.stage is Stage.ENDED
    assert call.outcome is Outcome.ANSWERED
    assert (call.operator, call.queue, call.priority) == ("1001", "emergency", 3)
    assert (call.caller, call.caller_name, call.dialled) == ("+62811", "Siti", "112")
    assert (call.wait_s, call.ring_s, call.talk_s) == (8.0, 2.5, 60.0)
    assert call.hung_up_by is Side.CALLER
    assert [attempt.result for attempt in call.attempts] == [Result.ANSWERED]
    assert play.last.data["talk_s"] == 60.0


def test_a_caller_who_leaves_before_the_answer_has_cancelled() -> None:
    play = (
        Playbook(entered()) << "call.arrived" >> CallerLeft(ID, at(2), cause=0, hung_up_by=Side.CALLER) << "call.ended"
    )
    assert play.call.outcome is Outcome.CANCELLED
    assert play.call.wait_s == 2.0


def test_a_caller_who_leaves_the_queue_has_abandoned() -> None:
    play = waiting() >> CallerLeft(ID, at(20), cause=16, hung_up_by=Side.CALLER) << "call.ended"
    assert play.call.outcome is Outcome.ABANDONED
    assert play.call.talk_s is None


def test_the_next_operator_is_rung_when_the_first_does_not_answer() -> None:
    play = (
        waiting()
        >> LegRung(ID, at(6), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegLeft(ID, at(21), leg=SITI, phone="1001", cause=26)
        << "call.operator_missed"
        >> LegRung(ID, at(22), leg=BUDI, phone="1002")
        << "call.operator_rung"
        >> LegConnected(ID, at(25), leg=BUDI, phone="1002")
        << "call.answered"
        >> LegLeft(ID, at(30), leg=BUDI, phone="1002", cause=16)
        << "call.operator_left"
        >> CallerLeft(ID, at(30), cause=16, hung_up_by=Side.OPERATOR)
        << "call.ended"
    )
    first, second = play.call.attempts
    assert (first.phone, first.ring_s, first.answered_at) == ("1001", 15.0, None)
    assert (second.phone, second.result) == ("1002", Result.ANSWERED)
    assert play.call.hung_up_by is Side.OPERATOR


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (17, Result.BUSY),
        (21, Result.REFUSED),
        (19, Result.NO_ANSWER),
        (26, Result.ELSEWHERE),
        (20, Result.UNREACHABLE),
        (0, Result.NO_ANSWER),
    ],
)
def test_why_a_phone_did_not_answer_is_kept(cause: int, result: Result) -> None:
    play = (
        waiting()
        >> LegRung(ID, at(6), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegLeft(ID, at(7), leg=SITI, phone="1001", cause=cause)
        << "call.operator_missed"
    )
    assert play.call.attempts[0].result is result
    assert play.last.data["result"] == result


def ringing() -> Playbook:
    return waiting() >> LegRung(ID, at(6), leg=SITI, phone="1001") << "call.operator_rung"


WITHDRAWN = LegLeft(ID, at(9), leg=SITI, phone="1001", cause=0, was_withdrawn=True)
CALLER_GONE = CallerLeft(ID, at(9.01), cause=16, hung_up_by=Side.CALLER)


@pytest.mark.parametrize("phone_first", [True, False])
def test_a_phone_that_rings_when_the_caller_leaves_did_nothing_wrong(phone_first: bool) -> None:
    """The two ends stand in the journal in either order."""
    if phone_first:
        play = ringing() >> WITHDRAWN << None >> CALLER_GONE << "call.operator_missed"
    else:
        play = ringing() >> CALLER_GONE << "call.operator_missed"
    assert play.last.data["result"] is Result.CALLER_LEFT
    play = play << "call.ended"
    if not phone_first:
        play = play >> WITHDRAWN << None
    assert play.call.attempts[0].result is Result.CALLER_LEFT


def test_a_ring_that_has_only_just_ended_is_not_judged_with_another_calls() -> None:
    """The caller's own end, which would say why, may be on its way."""
    call = (ringing() >> WITHDRAWN << None).call
    assert life.judge_rings(call, at(9.2), timedelta(seconds=0.3)) == (call, ())
    judged, [missed] = life.judge_rings(call, at(9.3), timedelta(seconds=0.3))
    assert (missed.data["result"], life.has_unjudged_ring(judged)) == (Result.NO_ANSWER, False)


def test_a_ring_that_was_withdrawn_before_anything_else_happened_was_not_answered() -> None:
    play = (
        ringing()
        >> WITHDRAWN
        << None
        >> LegRung(ID, at(10), leg=BUDI, phone="1002")
        << "call.operator_missed"
        << "call.operator_rung"
    )
    assert play.call.attempts[0].result is Result.NO_ANSWER
    late = ringing() >> WITHDRAWN << None >> CallerLeft(ID, at(9.5), cause=16, hung_up_by=Side.CALLER)
    assert late.call.attempts[0].result is Result.NO_ANSWER


def test_a_phone_that_talks_when_the_caller_leaves_is_told_to_have_left() -> None:
    play = (
        ringing()
        >> LegConnected(ID, at(7), leg=SITI, phone="1001")
        << "call.answered"
        >> CALLER_GONE
        << "call.operator_left"
        << "call.ended"
        >> WITHDRAWN
        << None
    )
    assert play.call.attempts[0].result is Result.ANSWERED


def test_a_colleague_joins_the_talk_and_goes_on_with_the_caller_when_the_operator_leaves() -> None:
    play = (
        ringing()
        >> LegConnected(ID, at(8), leg=SITI, phone="1001")
        << "call.answered"
        >> LegRung(ID, at(20), leg=BUDI, phone="1002")
        << "call.operator_rung"
        >> Joined(ID, at(25), leg=BUDI, phone="1002", by="1001")
        << "call.joined"
        >> LegLeft(ID, at(30), leg=SITI, phone="1001", cause=16)
        << "call.operator_left"
        >> LegLeft(ID, at(60), leg=BUDI, phone="1002", cause=16)
        << "call.operator_left"
        >> CallerLeft(ID, at(60.01), cause=16, hung_up_by=Side.OPERATOR)
        << "call.ended"
    )
    call = play.call
    assert (call.outcome, call.operator, call.relieved_by) == (Outcome.ANSWERED, "1001", None)
    assert [(each.phone, each.answered_at, each.left_at) for each in call.attempts] == [
        ("1001", at(8), at(30)),
        ("1002", at(25), at(60)),
    ]


def test_an_agency_that_joins_an_operators_talk_is_kept_and_relieves_nobody() -> None:
    play = (
        ringing()
        >> LegConnected(ID, at(8), leg=SITI, phone="1001")
        << "call.answered"
        >> LegRung(ID, at(20), leg=INDOSAT, phone="indosat")
        << "call.operator_rung"
        >> Joined(ID, at(25), leg=INDOSAT, phone="indosat", by="1001", agency="Damkar")
        << "call.joined"
    )
    assert play.last.data == {"phone": "indosat", "by": "1001", "agency": "Damkar"}
    assert (play.call.agency, play.call.relieved_by, play.call.operator) == ("Damkar", None, "1001")


def test_no_operator_then_the_last_resort_answers() -> None:
    play = (
        waiting()
        >> QueueLeft(ID, at(7), queue="emergency", status="joinempty")
        << "call.queue_left"
        >> FellBack(ID, at(7), step="nobody", round=1)
        << "call.fell_back"
        >> Queued(ID, at(15), queue="emergency", priority=0, round=2)
        << "call.queued"
        >> QueueLeft(ID, at(15), queue="emergency", status="joinempty")
        << "call.queue_left"
        >> FellBack(ID, at(15), step="last-resort", round=2)
        << "call.fell_back"
        >> LegRung(ID, at(16), leg="PJSIP/telkom-00000009", phone="telkom")
        << "call.operator_rung"
        >> LegConnected(ID, at(20), leg="PJSIP/telkom-00000009", phone="telkom")
        << "call.answered"
        >> CallerLeft(ID, at(50), cause=16, hung_up_by=Side.CALLER)
        << "call.operator_left"
        << "call.ended"
    )
    assert play.call.outcome is Outcome.FELL_BACK
    assert (play.call.operator, play.call.relieved_by) == (None, "telkom")
    assert play.call.queued_at == at(6)


def no_operator() -> Playbook:
    return (
        waiting()
        >> QueueLeft(ID, at(7), queue="emergency", status="joinempty")
        << "call.queue_left"
        >> FellBack(ID, at(7), step="nobody", round=1)
        << "call.fell_back"
        >> FellBack(ID, at(12), step="chose", round=1, key="1")
        << "call.fell_back"
    )


def test_an_agency_takes_the_call_after_another_phone_of_it_was_busy() -> None:
    rung = FellBack(ID, at(13), step="agency", round=1, agency="Damkar", phone="0811@telkom")
    play = no_operator() >> rung << "call.fell_back"
    assert play.last.data == {"step": "agency", "round": 1, "agency": "Damkar", "phone": "0811@telkom"}
    assert play.call.agency == "Damkar"
    play = play >> AgencyLeft(ID, at(14), agency="Damkar", status="busy") << "call.agency_left"
    assert play.call.agency is None
    play = (
        play
        >> FellBack(ID, at(14), step="agency", round=1, agency="Damkar", phone="0812@indosat")
        << "call.fell_back"
        >> LegRung(ID, at(14), leg=INDOSAT, phone="indosat")
        << "call.operator_rung"
        >> LegConnected(ID, at(18), leg=INDOSAT, phone="indosat")
        << "call.answered"
        >> LegLeft(ID, at(60), leg=INDOSAT, phone="indosat", cause=16)
        << "call.operator_left"
        >> AgencyLeft(ID, at(60), agency="Damkar", status="answer")
        << "call.agency_left"
        >> CallerLeft(ID, at(60), cause=16, hung_up_by=Side.OPERATOR)
        << "call.ended"
    )
    assert (play.call.outcome, play.call.agency) == (Outcome.FELL_BACK, "Damkar")
    assert (play.call.operator, play.call.relieved_by) == (None, "indosat")


def test_no_phone_of_an_agency_answers_and_then_an_operator_does() -> None:
    play = (
        no_operator()
        >> FellBack(ID, at(13), step="agency", round=1, agency="Damkar", phone="0811@telkom")
        << "call.fell_back"
        >> AgencyLeft(ID, at(33), agency="Damkar", status="noanswer")
        << "call.agency_left"
        >> Queued(ID, at(40), queue="emergency", priority=1, round=2)
        << "call.queued"
        >> LegRung(ID, at(41), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegConnected(ID, at(42), leg=SITI, phone="1001")
        << "call.answered"
    )
    assert (play.call.operator, play.call.relieved_by, play.call.agency) == ("1001", None, None)


def test_a_caller_who_left_a_message_and_then_the_queue_fell_back() -> None:
    play = (
        no_operator()
        >> MessageBegun(ID, at(20), file="2026/08/17/m.sln")
        << "call.message_left"
        >> Queued(ID, at(40), queue="emergency", priority=1, round=2)
        << "call.queued"
        >> CallerLeft(ID, at(41), cause=16, hung_up_by=Side.CALLER)
        << "call.ended"
    )
    assert (play.call.outcome, play.call.message) == (Outcome.FELL_BACK, "2026/08/17/m.sln")


def test_a_call_over_what_its_trunk_carries_falls_back_before_it_was_queued() -> None:
    play = (
        Playbook(entered())
        << "call.arrived"
        >> TrunkAnswered(ID, at(1))
        << "call.greeted"
        >> FellBack(ID, at(6), step="crowded", round=0)
        << "call.fell_back"
        >> Queued(ID, at(20), queue="emergency", priority=0, round=1)
        << "call.queued"
    )
    assert (play.call.stage, play.call.priority) == (Stage.QUEUED, 0)


def test_back_in_the_queue_after_the_fallback_an_operator_answers() -> None:
    play = (
        waiting()
        >> QueueLeft(ID, at(66), queue="emergency", status="timeout")
        << "call.queue_left"
        >> FellBack(ID, at(66), step="busy", round=1)
        << "call.fell_back"
        >> Queued(ID, at(75), queue="emergency", priority=0, round=2)
        << "call.queued"
        >> LegRung(ID, at(76), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegConnected(ID, at(77), leg=SITI, phone="1001")
        << "call.answered"
        >> CallerLeft(ID, at(80), cause=16, hung_up_by=Side.CALLER)
        << "call.operator_left"
        << "call.ended"
    )
    assert play.call.outcome is Outcome.ANSWERED


def test_a_caller_who_leaves_during_the_fallback_fell_back() -> None:
    play = (
        waiting()
        >> QueueLeft(ID, at(66), queue="emergency", status="timeout")
        << "call.queue_left"
        >> LastResortLeft(ID, at(70), status="noanswer")
        << "call.last_resort_left"
        >> CallerLeft(ID, at(71), cause=16, hung_up_by=Side.CALLER)
        << "call.ended"
    )
    assert play.call.outcome is Outcome.FELL_BACK


def test_a_call_that_the_centre_itself_ends_before_anybody_spoke_has_failed() -> None:
    play = waiting() >> CallerLeft(ID, at(8), cause=0, hung_up_by=Side.CENTRE) << "call.ended"
    assert play.call.outcome is Outcome.FAILED


def test_a_call_that_vanished_with_asterisk_has_failed_and_one_that_was_answered_was_answered() -> None:
    lost = waiting() >> Vanished(ID, at(6)) << "call.ended"
    assert lost.call.outcome is Outcome.FAILED
    spoken = (
        waiting()
        >> LegRung(ID, at(6), leg=SITI, phone="1001")
        << "call.operator_rung"
        >> LegConnected(ID, at(7), leg=SITI, phone="1001")
        << "call.answered"
    )
    assert life.last_sign(spoken.call) == at(7)
    assert life.last_sign(spoken.call, (at(3), at(12))) == at(12)
    spoken = spoken >> Vanished(ID, life.last_sign(spoken.call)) << "call.operator_left" << "call.ended"
    assert spoken.call.outcome is Outcome.ANSWERED
    assert spoken.last.data["has_vanished"] is True
    assert spoken.call.has_vanished


def test_a_probe_call_is_marked() -> None:
    play = Playbook(entered("probe"))
    assert play.last.data["is_probe"] is True
    assert play.call.is_probe


def test_every_stage_but_the_last_can_end_and_the_last_can_do_nothing() -> None:
    facts = {fact for _, fact in TRANSITIONS}
    for stage in Stage:
        ends = {fact for fact in facts if TRANSITIONS.get((stage, fact)) is Stage.ENDED}
        expected = {LegLeft} if stage is Stage.ENDED else {CallerLeft, Vanished}
        assert ends == expected, stage


def test_a_fact_that_is_not_in_the_table_changes_nothing_and_says_so() -> None:
    samples: dict[type[Fact], Fact] = {
        TrunkAnswered: TrunkAnswered(ID, at(1)),
        Greeted: Greeted(ID, at(1)),
        Queued: Queued(ID, at(1), queue="q", priority=0, round=1),
        LegRung: LegRung(ID, at(1), leg=SITI, phone="1001"),
        FellBack: FellBack(ID, at(1), step="busy", round=1),
    }
    for stage, (kind, fact) in product(Stage, samples.items()):
        call = Call(id=ID, trunk="telkom", caller="", arrived_at=START, stage=stage)
        if (stage, kind) in TRANSITIONS:
            after, _ = life.apply(call, fact)
            assert after.stage is TRANSITIONS[stage, kind]
        else:
            with pytest.raises(OutOfPlace, match=kind.__name__):
                life.apply(call, fact)
