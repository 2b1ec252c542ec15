"""What operators say about their duty, weighed against the roster: who has which place at a moment."""

from dataclasses import replace
from datetime import timedelta

from gateway.domain import duty
from gateway.domain.agencies import Agency, DutyPhone, Service
from gateway.domain.audit import CENTRE, Actor
from gateway.domain.books import Books, PauseReason, Rules, wanted
from gateway.domain.duty import Step, Told
from gateway.domain.events import Event
from gateway.domain.holding import Holding, Member, Phone
from gateway.domain.presence import LONGEST_LOGIN, NO_ANSWER, Presence, Said
from gateway.domain.trunks import first_trunks
from tests.domain.values import MONDAY, assigned, away, books, local, operator, plan, queue, shift

SITI, BUDI = operator(1), operator(2, home_queues=("fire",))
EMERGENCY, FIRE = queue(), queue("fire", minimum=0)


def centre(*things: object, **fields: object) -> Books:
    the_plan = plan([shift(), shift(2, "14:00", "22:00")], *(things or (assigned(1, last=5),)))  # type: ignore[arg-type]
    return books(the_plan, SITI, BUDI, queues=(EMERGENCY, FIRE), **fields)


def said(the_books: Books, who: object, step: Step, at_h: float, **more: object) -> Books:
    told = duty.step(the_books, who, step, local(at_h), CENTRE, **more)  # type: ignore[arg-type]
    return the_books.with_presence(told.presence)


def phones(the_books: Books, at_h: float) -> set[tuple[str, str]]:
    return set(the_books.places(local(at_h)))


def test_who_is_rostered_has_the_places_of_the_roster_and_nobody_else_has_any() -> None:
    assert phones(centre(), 7) == {("emergency", "1001")}
    assert phones(centre(), 15) == set()


def test_a_standing_place_is_there_at_any_hour_with_the_lower_penalty() -> None:
    the_books = centre(assigned(1, penalty=3), standing=(Member("emergency", "1001", 5), Member("fire", "1001", 1)))
    assert [member.penalty for member in the_books.places(local(7)).values()] == [3, 1]
    assert phones(the_books, 23) == {("emergency", "1001"), ("fire", "1001")}


def test_a_place_in_a_queue_that_is_no_more_is_none() -> None:
    assert phones(centre(assigned(1, queue="water")), 7) == set()


def by_now(the_books: Books, at_h: float) -> Books:
    """As a look makes them, at that hour of a clock that was put back."""
    for presence in duty.told_by_now(the_books, local(at_h)):
        the_books = the_books.with_presence(presence)
    return the_books


def test_what_was_said_by_a_clock_that_was_put_back_since_leaves_the_roster_its_say() -> None:
    """The machine came up seven hours ahead, and its time service put it right."""
    out = by_now(said(centre(), SITI, Step.LOG_OUT, 12.9), 5.9)
    assert phones(out, 5.95) == set()
    assert phones(out, 6.1) == {("emergency", "1001")}
    late = centre(assigned(1, last=5))
    there = by_now(said(late, SITI, Step.LOG_IN, 12.9), 5.9)
    assert phones(there, 7) == {("emergency", "1001")}
    assert phones(there, 14.1) == set(), "the shift ends it"
    paused = by_now(said(centre(), SITI, Step.PAUSE, 12.9, reason=NO_ANSWER), 5.9)
    assert paused.presence(SITI.id).paused_at == local(5.9)
    assert duty.told_by_now(paused, local(5.9)) == []


def test_a_logout_holds_until_the_roster_brings_the_operator_anew_and_a_login_ends_it() -> None:
    out = said(centre(), SITI, Step.LOG_OUT, 7)
    assert phones(out, 8) == set()
    assert phones(out, 31) == {("emergency", "1001")}
    back = said(out, SITI, Step.LOG_IN, 9)
    assert phones(back, 10) == {("emergency", "1001")}
    assert phones(back, 15) == set()


def test_a_login_outside_of_any_shift_leads_to_the_operators_own_queues() -> None:
    assert phones(said(centre(), SITI, Step.LOG_IN, 15), 16) == {("emergency", "1001")}
    assert phones(said(centre(), BUDI, Step.LOG_IN, 15), 16) == {("fire", "1002")}


def test_a_login_before_the_shift_ends_with_the_shift_and_one_without_a_shift_after_hours() -> None:
    early = said(centre(), SITI, Step.LOG_IN, 5.5)
    assert [phones(early, hour) for hour in (5.6, 6.5, 14.1)] == [
        {("emergency", "1001")},
        {("emergency", "1001")},
        set(),
    ]
    forgotten = said(centre(), BUDI, Step.LOG_IN, 15)
    hours = LONGEST_LOGIN / timedelta(hours=1)
    assert ("fire", "1002") in phones(forgotten, 15 + hours - 0.1)
    assert ("fire", "1002") not in phones(forgotten, 15 + hours)


def test_who_comes_in_for_a_queue_has_a_place_in_it_besides_the_own_ones() -> None:
    the_books = said(centre(), BUDI, Step.LOG_IN, 15, queues=("emergency",))
    assert phones(the_books, 16) == {("emergency", "1002"), ("fire", "1002")}


def test_a_pause_holds_in_every_queue_until_the_operator_comes_back() -> None:
    paused = said(centre(), SITI, Step.PAUSE, 7, reason="lunch")
    assert {member.pause for member in paused.places(local(8)).values()} == {"lunch"}
    assert {member.pause for member in said(paused, SITI, Step.RESUME, 9).places(local(10)).values()} == {None}
    # a new login is ready to be rung
    assert {member.pause for member in said(paused, SITI, Step.LOG_IN, 9).places(local(10)).values()} == {None}


def test_nobody_begins_the_next_shift_with_the_pause_of_the_last() -> None:
    paused = said(centre(), SITI, Step.PAUSE, 7, reason="lunch")
    assert duty.without_place(paused, {"1001"}, local(8)) == []
    [told] = duty.without_place(paused, set(), local(15))
    assert told.presence.pause is None
    assert told.deed.action == "operator.resumed"


def rang(phone: str, result: str = "no_answer") -> Event:
    return Event("call.operator_missed", local(7), "112-1", {"phone": phone, "result": result})


def test_a_phone_that_is_not_picked_up_twice_in_a_row_is_paused_and_told() -> None:
    the_books = centre()
    once = duty.after_ring(the_books, rang("1001"))
    assert once == Presence(1, misses=1)
    told = duty.after_ring(the_books.with_presence(once), rang("1001"))
    assert isinstance(told, Told)
    assert (told.presence.pause, told.presence.misses) == (NO_ANSWER, 0)
    assert (told.deed.action, told.deed.actor, told.deed.data["reason"]) == ("operator.paused", CENTRE, NO_ANSWER)


def test_an_answer_in_between_counts_from_the_start_and_other_ends_of_a_ring_do_not_count() -> None:
    once = centre().with_presence(Presence(1, misses=1))
    answered = Event("call.answered", local(7), "112-1", {"phone": "1001"})
    assert duty.after_ring(once, answered) == Presence(1)
    assert duty.after_ring(centre(), answered) is None
    for result in ("busy", "refused", "unreachable", "caller_left", "answered_elsewhere"):
        assert duty.after_ring(once, rang("1001", result)) is None
    assert duty.after_ring(centre(), rang("7777")) is None


def test_who_picks_up_is_there_and_not_paused_any_more_for_rings_before_that() -> None:
    answered = Event("call.answered", local(7), "112-1", {"phone": "1001"})
    told = duty.after_ring(centre().with_presence(Presence(1, pause=NO_ANSWER, paused_at=local(6))), answered)
    assert isinstance(told, Told)
    assert told.presence == Presence(1)
    assert (told.deed.action, told.deed.actor) == ("operator.resumed", CENTRE)
    assert duty.after_ring(centre().with_presence(Presence(1, pause="lunch")), answered) is None


def test_a_limit_of_none_pauses_nobody_and_who_is_paused_misses_nothing() -> None:
    never = centre(rules=Rules(created_at=MONDAY, missed_rings_limit=0)).with_presence(Presence(1, misses=40))
    assert duty.after_ring(never, rang("1001")) == Presence(1, misses=41)
    paused = centre().with_presence(Presence(1, pause="lunch", misses=0))
    assert duty.after_ring(paused, rang("1001")) is None


def test_each_step_is_told_with_who_did_it() -> None:
    told = duty.step(centre(), SITI, Step.PAUSE, local(7), Actor("Ani", "supervisor"), reason="lunch")
    assert (told.deed.action, told.deed.subject, told.deed.note) == ("operator.paused", "operator/1", "lunch")
    assert told.deed.event.data == {
        "operator_id": 1,
        "phone": "1001",
        "name": "Petugas 1",
        "reason": "lunch",
        "by": "Ani",
    }


def test_asterisk_should_hold_phones_places_queues_trunks_and_the_notes_of_the_dialplan() -> None:
    reason = PauseReason(id=1, digit="1", name="lunch", created_at=MONDAY)
    noisy = replace(FIRE, music="calm", max_wait_s=90)
    the_books = centre(pause_reasons=(reason,))
    the_books = replace(the_books, queues={**the_books.queues, "fire": noisy})
    damkar = Agency(
        name="Damkar", service=Service.FIRE, phones=(DutyPhone("0811", "telkom"), DutyPhone("1001")), created_at=MONDAY
    )
    the_books = replace(the_books, trunks={"telkom": replace(first_trunks(MONDAY)[3], channels=30)}, agencies=(damkar,))
    always = Holding(phones={"9112": Phone("9112", "x")}, notes={"login/9112": "probe=0"})
    want = wanted(the_books, always, local(7))
    assert set(want.phones) == {"1001", "1002", "9112"}
    assert set(want.members) == {("emergency", "1001")}
    assert want.queues["fire"].minimum == 0
    assert want.notes == {
        "login/1001": "emergency=0",
        "login/1002": "fire=0",
        "login/9112": "probe=0",
        "pause/1": "lunch",
        "wait/emergency": "60",
        "wait/fire": "90",
        "queue/own": "emergency",
        "channels/telkom": "30",
        "agency/fire/phones": "0811@telkom&1001",
        "agency/fire/name": "Damkar",
        "agency/fire/ring": "20",
    }


def test_what_holds_still_is_said_and_what_is_over_is_not() -> None:
    presence = Presence(1).logged_in(local(7), ["emergency"], local(14))
    assert presence.says(local(13.9)) is Said.IN
    assert presence.says(local(14)) is None


def test_a_logout_does_not_swallow_a_shift_that_somebody_plans_later() -> None:
    out = said(centre(assigned(2)), SITI, Step.LOG_OUT, 7)
    assert phones(out, 9) == {("emergency", "1002")}
    planned = replace(out, plan=centre(assigned(1), assigned(1, 2, id=9)).plan)
    # the morning began before it, the afternoon begins after it
    assert phones(planned, 9) == set()
    assert phones(planned, 15) == {("emergency", "1001")}


def test_a_login_does_not_outlast_an_absence_or_a_shift_that_somebody_plans_later() -> None:
    in_early = said(centre(), SITI, Step.LOG_IN, 7)
    sick = replace(in_early, plan=centre(assigned(1, last=5), away(1, 10, 24)).plan)
    assert [phones(sick, hour) for hour in (9.9, 10, 13)] == [{("emergency", "1001")}, set(), set()]
    in_late = said(centre(assigned(2)), SITI, Step.LOG_IN, 15)
    planned = replace(in_late, plan=centre(assigned(1, 2, queue="fire", first=1), assigned(1, 2, id=9)).plan)
    assert [phones(planned, hour) for hour in (21.9, 22)] == [{("emergency", "1001")}, set()]


def test_a_logout_leaves_a_standing_place_too_until_a_shift_begins() -> None:
    out = said(centre(assigned(1, 2), standing=(Member("fire", "1001", 0),)), SITI, Step.LOG_OUT, 7)
    assert phones(out, 13) == set()
    assert phones(out, 15) == {("emergency", "1001"), ("fire", "1001")}


def test_a_logout_in_the_time_to_hand_over_is_not_undone_at_its_end() -> None:
    the_plan = plan([shift(overlap_min=60), shift(2, "14:00", "22:00")], assigned(1), assigned(1, 2, id=9))
    out = said(books(the_plan, SITI, BUDI, queues=(EMERGENCY, FIRE)), SITI, Step.LOG_OUT, 14.5)
    assert phones(out, 15.5) == set()


def test_a_logout_that_the_roster_has_ended_is_over_for_good() -> None:
    out = said(centre(), SITI, Step.LOG_OUT, 7)
    assert duty.brought_back(out, local(29)) == []
    assert duty.brought_back(out, local(30)) == [Presence(1)]
