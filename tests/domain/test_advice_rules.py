"""Advice rules: which of them match, which one counts, and which cannot be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.advice_rules import (
    BURST,
    AdviceRule,
    Arrival,
    Condition,
    Counsel,
    Effect,
    Past,
    PastCall,
    check,
    counsel,
    first_rules,
    in_order,
    standing,
)
from gateway.domain.call import Outcome
from gateway.domain.dispositions import Disposition
from gateway.domain.facts import Side
from gateway.domain.kept import Invalid
from gateway.domain.reputation import Saying
from tests.domain.values import MONDAY

CALLER = "08123456789"
ARRIVAL = Arrival("112-9", "telkomsel", CALLER, MONDAY)
FIRST_RULES = in_order(replace(rule, id=number) for number, rule in enumerate(first_rules(MONDAY), 1))
CROWD = Past(numbers={(BURST[0], True): BURST[1]})
QUIET = Past(numbers={(BURST[0], True): 1})


def rule(condition: Condition, effect: Effect = Effect.FIRST, **fields: Any) -> AdviceRule:
    known: dict[str, Any] = {"name": f"{condition} {effect}", "place": 1, "created_at": MONDAY}
    return AdviceRule(condition=condition, effect=effect, **known | fields)


def ago(minutes: float) -> Any:
    return MONDAY - timedelta(minutes=minutes)


def a_call(arrived: float, talk_s: float | None = None, **fields: Any) -> PastCall:
    """A call of so many minutes ago that lasted a minute, the last `talk_s` of it with a person."""
    end = ago(arrived) + timedelta(minutes=1)
    known: dict[str, Any] = {
        "talked_at": None if talk_s is None else end - timedelta(seconds=talk_s),
        "ended_at": end,
        "outcome": Outcome.ABANDONED if talk_s is None else Outcome.ANSWERED,
        "hung_up_by": Side.CALLER,
    }
    return PastCall("112-1", ago(arrived), **known | fields)


def pranks(count: int) -> list[Saying]:
    times = [ago(60 * number + 60) for number in range(count)]
    return [Saying(f"p{number}", Disposition.PRANK, "Siti", at, at) for number, at in enumerate(times)]


def told(past: Past | None, arrival: Arrival = ARRIVAL) -> Counsel:
    return counsel(FIRST_RULES, arrival, past)


@pytest.mark.parametrize(
    ("past", "effect", "names"),
    [
        (Past(), None, ()),
        (Past(calls=[a_call(4)]), Effect.FIRST, ("Cut a moment ago", "Second try")),
        (Past(calls=[a_call(4, talk_s=3)]), Effect.FIRST, ("Cut a moment ago", "Second try")),
        (Past(calls=[a_call(4, talk_s=3, hung_up_by=Side.OPERATOR)]), None, ()),
        (Past(calls=[a_call(4, talk_s=30)]), None, ()),
        (Past(calls=[a_call(9)]), Effect.EARLIER, ("Second try",)),
        (Past(calls=[a_call(1, ended_at=None, outcome=None)]), Effect.EARLIER, ("Second try",)),
        (Past(calls=[a_call(11)]), None, ()),
        (Past(calls=[a_call(3, talk_s=30), a_call(6)]), None, ()),
        (Past(has_open_callback=True), Effect.EARLIER, ("Callback open",)),
        (Past(sayings=pranks(2)), None, ()),
        (Past(sayings=pranks(3)), Effect.LATER, ("Nuisance number",)),
        (Past(sayings=pranks(3), has_open_callback=True), Effect.NORMAL, ("Callback open", "Nuisance number")),
        (
            Past(sayings=pranks(3), calls=[a_call(4)]),
            Effect.NORMAL,
            ("Cut a moment ago", "Second try", "Nuisance number"),
        ),
        (replace(CROWD, sayings=pranks(3)), Effect.NORMAL, ("Many numbers at once", "Nuisance number")),
    ],
)
def test_the_rules_of_a_first_start(past: Past, effect: Effect | None, names: tuple[str, ...]) -> None:
    past = replace(past, numbers=past.numbers or {(BURST[0], True): 1})
    found = told(past)
    assert (found.effect, found.rules, found.faults) == (effect, names, ())


def test_a_location_speaks_for_a_caller_whatever_else_is_known() -> None:
    past = Past(sayings=pranks(9), numbers={(BURST[0], True): 1})
    assert told(past).is_nuisance
    assert told(past).priority == 0
    found = told(past, replace(ARRIVAL, has_location=True))
    assert (found.effect, found.is_nuisance) == (Effect.EARLIER, False)


def test_nobody_is_lowered_with_a_location_or_in_a_burst_even_where_no_rule_says_so() -> None:
    lowering = [rule(Condition.TRUNK, Effect.LATER, trunk="telkomsel", id=1)]
    quiet = Past(numbers={(BURST[0], True): 1})
    assert counsel(lowering, ARRIVAL, quiet).effect is Effect.LATER
    assert counsel(lowering, ARRIVAL, CROWD).effect is None
    assert counsel(lowering, replace(ARRIVAL, has_location=True), quiet).effect is None


def test_where_the_past_is_not_known_only_what_needs_none_is_advised_and_nobody_is_lowered() -> None:
    assert told(None).effect is None
    assert told(None, replace(ARRIVAL, has_location=True)).effect is Effect.EARLIER
    assert counsel([rule(Condition.NUMBER, Effect.LATER, number=CALLER, is_prefix=False)], ARRIVAL, None).effect is None
    assert counsel([rule(Condition.NUMBER, number="0812", is_prefix=True)], ARRIVAL, None).effect is Effect.FIRST


def test_of_those_that_raise_the_lowest_place_counts_and_one_that_is_off_never() -> None:
    rules = in_order(
        [
            rule(Condition.OPEN_CALLBACK, Effect.LATER, place=0, id=1, is_on=False),
            rule(Condition.OPEN_CALLBACK, Effect.FIRST, place=20, id=2),
            rule(Condition.OPEN_CALLBACK, Effect.EARLIER, place=10, id=4, queue="medical"),
            rule(Condition.OPEN_CALLBACK, Effect.FIRST, place=10, id=5),
        ]
    )
    found = counsel(rules, ARRIVAL, replace(QUIET, has_open_callback=True))
    assert (found.effect, found.queue, found.decided_by, found.matched) == (Effect.EARLIER, "medical", 4, (4, 5, 2))


def test_a_rule_that_fails_is_told_and_stops_neither_the_others_nor_the_call() -> None:
    broken = rule(Condition.CUT_RECENTLY, id=7, name="Broken")
    found = counsel([broken, rule(Condition.OPEN_CALLBACK)], ARRIVAL, Past(calls=[a_call(2)], has_open_callback=True))
    assert found.effect is Effect.FIRST
    assert found.faults == ((7, "Broken", "ValueError('a parameter is missing')"),)


def test_a_number_rule_means_the_whole_number_or_its_beginning() -> None:
    whole, begins = (rule(Condition.NUMBER, number="08123", is_prefix=is_prefix) for is_prefix in (False, True))
    assert counsel([whole], ARRIVAL, CROWD).effect is None
    assert counsel([begins], ARRIVAL, CROWD).effect is Effect.FIRST
    assert counsel([whole], replace(ARRIVAL, caller="08123"), CROWD).effect is Effect.FIRST


def test_a_number_rule_holds_for_each_spelling_of_the_number() -> None:
    whole = rule(Condition.NUMBER, number="+628123456789", is_prefix=False)
    begins = rule(Condition.NUMBER, number="08123", is_prefix=True)
    for caller in (CALLER, "628123456789", "+62812-345.6789"):
        for each in (whole, begins):
            assert counsel([each], replace(ARRIVAL, caller=caller), CROWD).effect is Effect.FIRST, (caller, each.number)
    assert counsel([whole], replace(ARRIVAL, caller="08123456780"), CROWD).effect is None


def test_a_nuisance_number_that_was_cut_goes_first_with_a_location_and_as_calls_come_in_a_burst() -> None:
    past = replace(QUIET, sayings=pranks(3), calls=[a_call(4)])
    located = told(past, replace(ARRIVAL, has_location=True))
    assert told(past).effect is Effect.NORMAL
    assert (located.effect, located.rules[0]) == (Effect.FIRST, "Cut a moment ago")
    assert told(replace(past, numbers=CROWD.numbers)).effect is Effect.NORMAL


def test_hanging_up_and_calling_again_raises_a_numbers_first_calls_alone() -> None:
    redialled = [a_call(minutes, talk_s=3.7) for minutes in (1, 2, 3, 4, 9)]
    for count, effect in ((0, Effect.EARLIER), (1, Effect.FIRST), (2, Effect.FIRST), (3, None), (5, None)):
        past = replace(QUIET, calls=redialled[:count], has_open_callback=True)
        assert told(past).effect is effect, count
    past = replace(QUIET, calls=redialled[:3])
    assert told(past, replace(ARRIVAL, has_location=True)).rules == ("Location attached",)
    assert told(replace(past, sayings=pranks(3))).effect is Effect.NORMAL
    assert told(replace(past, calls=[a_call(4), a_call(8), a_call(11)])).effect is Effect.FIRST


def test_who_calls_often_is_raised_by_other_rules_as_ever_and_never_by_what_he_does_himself() -> None:
    redialled = replace(QUIET, calls=[a_call(minutes) for minutes in (1, 2, 3)])
    known = rule(Condition.NUMBER, Effect.EARLIER, number=CALLER, is_prefix=False, id=2)
    own = rule(Condition.TRIED_AGAIN, within_min=60, place=0, id=1)
    found = counsel([own, known], ARRIVAL, redialled)
    assert (found.effect, found.rules, found.matched) == (Effect.EARLIER, (known.name,), (1, 2))


def test_in_a_burst_nobody_is_raised_by_calling_again() -> None:
    for past in (replace(CROWD, calls=[a_call(2)]), replace(CROWD, has_open_callback=True)):
        found = told(past)
        assert (found.effect, found.rules, found.is_idle) == (Effect.NORMAL, ("Many numbers at once",), True)


def test_forged_calls_over_another_trunk_lower_nobody_and_an_emergency_on_any_lifts() -> None:
    forged = [replace(each, trunk="xlsmart") for each in pranks(9)]
    past = replace(QUIET, sayings=forged)
    assert told(past).effect is None
    assert told(past, replace(ARRIVAL, trunk="xlsmart")).effect is Effect.LATER
    its_own = [replace(each, trunk=ARRIVAL.trunk) for each in pranks(3)]
    assert told(replace(past, sayings=[*forged, *its_own])).effect is Effect.LATER
    real = Saying("e", Disposition.EMERGENCY, "Siti", ago(1), ago(1), "indosat")
    assert told(replace(past, sayings=[real, *its_own])).effect is None


@pytest.mark.parametrize("caller", ["anonymous", "112", "+112", "0000000000"])
def test_a_number_that_many_callers_share_has_no_standing(caller: str) -> None:
    past = Past(sayings=pranks(9), numbers={(BURST[0], True): 1})
    arrival = replace(ARRIVAL, caller=caller)
    assert not arrival.is_known
    assert standing(arrival, past).score == 0
    assert told(past, arrival).effect is None


def test_a_number_with_separators_is_known() -> None:
    assert replace(ARRIVAL, caller="0812-345.678").is_known


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule(Condition.CUT_RECENTLY), "within_min"),
        (rule(Condition.OPEN_CALLBACK, within_min=5), "within_min"),
        (rule(Condition.MANY_NUMBERS, within_min=5, least_numbers=5), "is_by_trunk"),
        (rule(Condition.NUISANCE, Effect.LATER), "least_score"),
        (rule(Condition.NUISANCE, Effect.EARLIER, least_score=2.0), "effect"),
        (rule(Condition.LOCATION_ATTACHED, Effect.LATER), "effect"),
        (rule(Condition.CUT_RECENTLY, Effect.LATER, within_min=5), "effect"),
        (rule(Condition.NUMBER, number=CALLER), "is_prefix"),
        (rule(Condition.NUMBER, number=CALLER, is_prefix=False, trunk="telkom"), "trunk"),
        (rule(Condition.NUMBER, Effect.LATER, number="08123", is_prefix=True), "number"),
        (rule(Condition.NUMBER, Effect.LATER, number="+628123", is_prefix=True), "number"),
        (rule(Condition.NUMBER, Effect.LATER, number="112", is_prefix=False), "number"),
        (rule(Condition.NUMBER, Effect.LATER, number="0000000000", is_prefix=False), "number"),
        (rule(Condition.NUMBER, Effect.LATER, number="000000", is_prefix=True), "number"),
        (rule(Condition.NUMBER, Effect.FIRST, number="+628", is_prefix=True), "number"),
        (rule(Condition.NUMBER, Effect.FIRST, number="081", is_prefix=True), "number"),
    ],
)
def test_a_rule_that_a_tired_admin_writes_wrong_names_the_field(wrong: AdviceRule, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(wrong)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "right",
    [
        rule(Condition.NUMBER, Effect.LATER, number="081234", is_prefix=True),
        rule(Condition.NUMBER, Effect.LATER, number="110", is_prefix=False),
        rule(Condition.NUMBER, Effect.EARLIER, number="112", is_prefix=False),
        rule(Condition.NUMBER, Effect.FIRST, number="+62812", is_prefix=True),
        *first_rules(MONDAY),
    ],
)
def test_a_rule_that_can_be_is_taken(right: AdviceRule) -> None:
    check(right)
