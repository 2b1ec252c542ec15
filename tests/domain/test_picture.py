"""The picture of the centre: operators, queues and trunks as they are seen, and what is not seen."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.alarms import Alarm
from gateway.domain.books import Books
from gateway.domain.call import PROBE_TRUNK, Attempt, Call, Stage
from gateway.domain.holding import Member
from gateway.domain.picture import (
    NO_CALLS,
    History,
    OperatorPicture,
    Picture,
    QueuePicture,
    Seen,
    ServiceLevel,
    Standing,
    picture,
)
from gateway.domain.places import Place
from gateway.domain.presence import Presence, Said
from gateway.domain.trunks import Trunk
from tests.domain.values import MONDAY, assigned, books, local, operator, plan, queue, shift

NOW = local(8)
PAGI = plan([shift()], assigned(1))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def place(line: str = "free", queue_name: str = "emergency", phone: str = "1001", **fields: Any) -> Place:
    return Place(queue_name, phone, line, line_since=fields.pop("line_since", ago(100)), **fields)


def a_call(number: int = 1, stage: Stage = Stage.QUEUED, **fields: Any) -> Call:
    known: dict[str, Any] = {"trunk": "telkomsel", "caller": "0811", "arrived_at": ago(30), "queue": "emergency"}
    return Call(id=f"112-{number}", stage=stage, **known | fields)


def seen(*places: Place, **trunks_up: bool) -> Seen:
    return Seen(places, trunks_up)


def shown(
    sight: Seen | None, *calls: Call, kept: Books | None = None, history: History | None = None, at: datetime = NOW
) -> Picture:
    return picture(kept or books(PAGI, operator(1)), sight, calls, history or History(), at)


def the_operator(sight: Seen | None, *calls: Call, **given: Any) -> OperatorPicture:
    [found] = shown(sight, *calls, **given).operators
    return found


def the_queue(sight: Seen | None, *calls: Call, **given: Any) -> QueuePicture:
    [found] = shown(sight, *calls, **given).queues
    return found


def wrapping(seconds: int, *more: Any) -> Books:
    return books(PAGI, operator(1), queues=[queue(wrap_up_s=seconds), *more])


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("free", Standing.FREE),
        ("ringing", Standing.RINGING),
        ("talking", Standing.TALKING),
        ("unavailable", Standing.UNAVAILABLE),
        ("unknown", Standing.UNKNOWN),
        ("a word of a later Asterisk", Standing.UNKNOWN),
    ],
)
def test_an_operator_stands_as_the_line_does(line: str, state: Standing) -> None:
    found = the_operator(seen(place(line)))
    assert (found.state, found.since, found.pause, found.queues) == (state, ago(100), None, ("emergency",))


def test_a_phone_that_is_rung_or_talks_names_its_call_and_since_when() -> None:
    rung = a_call(1, attempts=(Attempt("x", "1002", ago(20), left_at=ago(10)), Attempt("y", "1001", ago(5))))
    found = the_operator(seen(place("ringing")), rung)
    assert (found.call_id, found.since) == ("112-1", ago(5))
    talks = a_call(2, Stage.TALKING, attempts=(Attempt("y", "1001", ago(5), answered_at=ago(2)),))
    found = the_operator(seen(place("talking")), talks)
    assert (found.call_id, found.since) == ("112-2", ago(2))


def test_a_line_that_is_busy_because_it_is_rung_rings() -> None:
    rung = a_call(attempts=(Attempt("y", "1001", ago(5)),))
    found = the_operator(seen(place("talking")), rung)
    assert (found.state, found.call_id, found.since) == (Standing.RINGING, "112-1", ago(5))


def test_a_phone_that_talks_with_nobody_of_ours_names_no_call() -> None:
    over = a_call(attempts=(Attempt("y", "1001", ago(5), answered_at=ago(4), left_at=ago(3)),))
    found = the_operator(seen(place("talking")), over)
    assert (found.state, found.call_id, found.since) == (Standing.TALKING, None, ago(100))


def test_a_call_that_is_not_over_in_the_journal_is_not_that_of_a_free_phone() -> None:
    call = a_call(attempts=(Attempt("y", "1001", ago(5), answered_at=ago(2)),))
    assert the_operator(seen(place("free")), call).call_id is None


def test_a_pause_has_its_reason_and_its_start() -> None:
    found = the_operator(seen(place(pause="istirahat", paused_since=ago(7))))
    assert (found.state, found.pause, found.since) == (Standing.PAUSED, "istirahat", ago(7))


def test_a_lost_phone_is_lost_though_it_is_paused() -> None:
    found = the_operator(seen(place("unavailable", pause="istirahat", paused_since=ago(7))))
    assert (found.state, found.pause, found.since) == (Standing.UNAVAILABLE, None, ago(100))


def test_who_came_back_from_a_pause_is_free_since_then() -> None:
    assert the_operator(seen(place(resumed_at=ago(3)))).since == ago(3)


def test_after_a_call_an_operator_wraps_up_until_the_queues_time_is_over() -> None:
    sight = seen(place(line_since=ago(4), last_call_ended_at=ago(5)))
    found = the_operator(sight, kept=wrapping(20))
    assert (found.state, found.since) == (Standing.WRAPPING_UP, ago(5))
    assert the_queue(sight, kept=wrapping(20)).free == 0
    assert the_queue(sight, kept=wrapping(20)).there == 1
    found = the_operator(sight, kept=wrapping(20), at=NOW + timedelta(seconds=15))
    assert (found.state, found.since) == (Standing.FREE, NOW + timedelta(seconds=15))
    assert the_operator(sight, kept=wrapping(0)).state is Standing.FREE


def test_a_talk_that_the_journal_told_of_is_the_last_one_though_asterisk_has_not_said_so() -> None:
    sight = Seen((place(line_since=ago(4), last_call_ended_at=ago(5000)),), last_talks={"1001": ago(4), "1002": ago(1)})
    found = the_operator(sight, kept=wrapping(20))
    assert (found.state, found.since) == (Standing.WRAPPING_UP, ago(4))


def test_a_pause_goes_before_wrapping_up() -> None:
    sight = seen(place(pause="istirahat", last_call_ended_at=ago(5)))
    assert the_operator(sight, kept=wrapping(20)).state is Standing.PAUSED


def test_in_several_queues_an_operator_stands_as_in_the_readiest() -> None:
    kept = wrapping(20, queue("fire"))
    at_rest = place(last_call_ended_at=ago(5))
    fire = replace(at_rest, queue="fire")
    found = the_operator(seen(at_rest, fire), kept=kept)
    assert (found.state, found.queues) == (Standing.FREE, ("emergency", "fire"))
    assert the_operator(seen(at_rest, replace(fire, pause="no answer")), kept=kept).state is Standing.WRAPPING_UP


def test_who_is_not_on_duty_is_off() -> None:
    found = the_operator(seen(), at=local(20))
    assert (found.state, found.since, found.queues) == (Standing.OFF, None, ())


def test_who_logged_out_is_off_since_then() -> None:
    kept = books(PAGI, operator(1), presences={1: Presence(1, Said.OUT, said_at=ago(50), until=local(14))})
    found = the_operator(seen(), kept=kept)
    assert (found.state, found.since) == (Standing.OFF, ago(50))


def test_who_is_due_and_not_seen_is_unknown_and_never_free() -> None:
    found = the_operator(seen())
    assert (found.state, found.queues) == (Standing.UNKNOWN, ("emergency",))


def test_while_nobody_sees_the_lines_nothing_is_made_up() -> None:
    kept = books(
        PAGI,
        operator(1),
        operator(2),
        standing=(Member("emergency", "1002"),),
        trunks={"telkomsel": Trunk(name="telkomsel", carrier="T", addresses=(), is_asked=True, created_at=MONDAY)},
    )
    found = shown(None, a_call(), kept=kept)
    assert {each.state for each in found.operators} == {Standing.UNKNOWN}
    assert (found.queues[0].free, found.queues[0].there, found.queues[0].waiting) == (None, None, 1)
    assert found.trunks[0].is_up is None


def test_who_leaves_after_the_call_is_seen_as_long_as_it_lasts() -> None:
    assert the_operator(seen(place("talking", pause="shift over")), at=local(20)).state is Standing.TALKING


def test_a_queue_counts_who_waits_and_from_when() -> None:
    kept = books(PAGI, operator(1), queues=[queue(), queue("fire")])
    calls = (
        a_call(1, arrived_at=ago(10)),
        a_call(2, arrived_at=ago(40)),
        a_call(3, Stage.TALKING, arrived_at=ago(90)),
        a_call(4, Stage.GREETING, arrived_at=ago(90)),
        a_call(5, queue="fire", arrived_at=ago(95)),
        a_call(6, trunk=PROBE_TRUNK, arrived_at=ago(90)),
    )
    assert waiting(seen(), *calls, kept=kept) == {"emergency": (2, ago(40)), "fire": (1, ago(95))}
    assert waiting(seen(), kept=kept) == {"emergency": (0, None), "fire": (0, None)}


def waiting(sight: Seen | None, *calls: Call, **given: Any) -> dict[str, tuple[int, datetime | None]]:
    return {each.name: (each.waiting, each.waiting_since) for each in shown(sight, *calls, **given).queues}


def test_who_hears_the_fallback_waits_for_the_queue_that_he_came_from_or_else_for_the_sites() -> None:
    kept = books(PAGI, operator(1), queues=[queue(), queue("fire")])
    calls = (
        a_call(1, Stage.FALLBACK, queue="fire", arrived_at=ago(90)),
        a_call(2, Stage.FALLBACK, queue=None, arrived_at=ago(70)),  # over what its trunk is to carry: in no queue yet
        a_call(3, Stage.FALLBACK, queue="retired", arrived_at=ago(60)),
        a_call(4, queue="retired", arrived_at=ago(50)),
        a_call(5, Stage.FALLBACK, trunk=PROBE_TRUNK, arrived_at=ago(99)),
    )
    assert waiting(None, *calls, kept=kept) == {"emergency": (3, ago(70)), "fire": (1, ago(90))}


def test_whom_an_agency_is_rung_for_waits_and_with_whom_it_talks_does_not() -> None:
    rung = Attempt("x", "1301", ago(20))
    assert the_queue(seen(), a_call(stage=Stage.FALLBACK, attempts=(rung,))).waiting == 1
    talks = replace(rung, answered_at=ago(9))
    assert the_queue(seen(), a_call(stage=Stage.TALKING, attempts=(talks,))).waiting == 0
    # the end of that talk is the call's end, or an agency's line vanished, and the caller comes back
    assert the_queue(seen(), a_call(stage=Stage.FALLBACK, attempts=(replace(talks, left_at=ago(0.2)),))).waiting == 0
    assert the_queue(seen(), a_call(stage=Stage.FALLBACK, attempts=(replace(talks, left_at=ago(2)),))).waiting == 1


def test_a_queue_counts_who_is_free_and_who_is_there() -> None:
    places = [
        place("free", phone="1001"),
        place("talking", phone="1002"),
        place("ringing", phone="1003"),
        place("unavailable", phone="1004"),
        place("free", phone="1005", pause="rapat"),
        place("free", "fire", phone="1006"),
    ]
    kept = books(PAGI, operator(1), queues=[queue(minimum=4)])
    found = the_queue(seen(*places), kept=kept)
    assert (found.free, found.there, found.minimum) == (1, 3, 4)


def test_service_levels_stand_at_their_queues() -> None:
    history = History(hour={"emergency": ServiceLevel(4, 3, 2)}, day={"fire": ServiceLevel(1, 1, 1)})
    found = the_queue(seen(), history=history)
    assert (found.hour.share, found.day, found.day.share) == (0.5, NO_CALLS, None)


def trunks(*names: str, **fields: Any) -> dict[str, Trunk]:
    return {name: Trunk(name=name, carrier=name.title(), addresses=(), created_at=MONDAY, **fields) for name in names}


def lines(sight: Seen, *calls: Call, kept: Iterable[Trunk], **given: Any) -> dict[str, tuple[Any, ...]]:
    found = shown(sight, *calls, kept=books(PAGI, trunks={each.name: each for each in kept}), **given).trunks
    return {each.name: (each.is_up, each.channels_used, each.last_call_at) for each in found}


def test_a_trunk_tells_its_channels_and_its_last_call() -> None:
    kept = trunks("telkomsel", "indosat", "telkom", channels=30).values()
    calls = (a_call(1, arrived_at=ago(30)), a_call(2, Stage.GREETING, arrived_at=ago(3)), a_call(3, trunk="telkom"))
    history = History(last_calls={"telkomsel": ago(60), "indosat": ago(600), "telkom": ago(1)})
    assert lines(seen(), *calls, kept=kept, history=history) == {
        "indosat": (None, 0, ago(600)),
        "telkom": (None, 1, ago(1)),
        "telkomsel": (None, 2, ago(3)),
    }


def test_a_trunk_is_up_or_down_only_where_it_is_asked() -> None:
    asked = trunks("indosat", "telkom", "xlsmart", is_asked=True)
    kept = [*asked.values(), *trunks("telkomsel").values()]
    found = lines(seen(indosat=True, telkom=False, telkomsel=True), kept=kept)
    assert {name: up for name, (up, _, _) in found.items()} == {
        "indosat": True,
        "telkom": False,
        "xlsmart": None,
        "telkomsel": None,
    }


def test_operators_stand_by_name_and_alarms_by_age() -> None:
    people = operator(1, name="siti"), operator(2, name="Budi"), operator(3, name="Budi")
    alarms = (Alarm("short", "fire", "", ago(5)), Alarm("hole", "emergency", "", ago(50)))
    found = shown(seen(), kept=books(PAGI, *people), history=History(alarms=alarms))
    assert [each.id for each in found.operators] == [2, 3, 1]
    assert [each.kind for each in found.alarms] == ["hole", "short"]
