"""What the journal tells: calls, what was dialled on phones, and what is left aside."""

import asyncio
from datetime import timedelta

import pytest

from gateway import centre
from gateway.domain.call import Outcome
from gateway.domain.facts import (
    CallerLeft,
    Entered,
    Fact,
    LegConnected,
    LegLeft,
    LegRung,
    PhoneFact,
    Queued,
    Side,
    TrunkAnswered,
)
from gateway.domain.presence import NO_ANSWER, Said
from gateway.ports import Reading, StoreAway
from gateway.store.reads import Reads
from tests.domain.values import MONDAY, local
from tests.services.test_office import hired
from tests.told import Services


def a_call(call_id: str = "112-1.1", *then: Fact, at_h: float = 7) -> list[Fact]:
    at = local(at_h)
    return [
        Entered(call_id, at, "telkomsel", "0811"),
        TrunkAnswered(call_id, at + timedelta(seconds=1)),
        Queued(call_id, at + timedelta(seconds=2), "emergency", 0, 1),
        *then,
    ]


def rung(call_id: str, phone: str, second: int, cause: int = 0) -> list[Fact]:
    leg, at = f"{call_id}-{phone}-{second}", local(7) + timedelta(seconds=second)
    return [
        LegRung(call_id, at, leg, phone),
        LegLeft(call_id, at + timedelta(seconds=15), leg, phone, cause, was_withdrawn=True),
    ]


async def told(services: Services, *facts: object) -> None:
    await services.centre.record(Reading(facts=tuple(facts)))  # type: ignore[arg-type]


async def test_a_phone_that_is_not_picked_up_twice_is_paused_in_the_same_transaction(services: Services) -> None:
    siti = await hired(services)
    await told(services, *a_call("112-1.1", *rung("112-1.1", "1001", 3), *rung("112-1.1", "1001", 20)))
    presence = (await services.bookkeeper.books()).presence(siti.id)
    assert presence.misses == 1  # the second is judged by what follows it
    await told(services, CallerLeft("112-1.1", local(8), 16, Side.CALLER))
    presence = (await services.bookkeeper.books()).presence(siti.id)
    assert presence.pause == NO_ANSWER
    [paused] = services.told
    assert (paused.deed.action, paused.deed.data["phone"]) == ("operator.paused", "1001")


async def test_a_gateway_that_comes_back_pauses_nobody_who_has_picked_up_since(services: Services) -> None:
    """Nobody paused the phone in Asterisk meanwhile: it went on being rung."""
    siti = await hired(services)
    missed = a_call("112-1.1", *rung("112-1.1", "1001", 3), *rung("112-1.1", "1001", 20))
    answered = [
        LegRung("112-2.1", local(8.1), "leg", "1001"),
        LegConnected("112-2.1", local(8.1), "leg", "1001"),
        CallerLeft("112-2.1", local(8.2), 16, Side.CALLER),
    ]
    left = CallerLeft("112-1.1", local(8), 16, Side.CALLER)
    await told(services, *missed, left, *a_call("112-2.1", *answered, at_h=8.05))
    assert (await services.bookkeeper.books()).presence(siti.id).pause is None
    assert [each.deed.action for each in services.told] == ["operator.paused", "operator.resumed"]


async def test_a_ring_is_judged_though_the_journal_was_being_read_when_it_was_to_be(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a busy hour it is, often: the phone would ring once more for nothing."""
    monkeypatch.setattr("gateway.centre.JUDGE_AFTER_S", 0.01)
    siti = await hired(services)
    reads = iter([False, False, True])
    judging = asyncio.create_task(services.centre.judge_rings(lambda: next(reads, True)))
    rung, gone = LegRung("112-1.1", local(7.1), "leg", "1001"), LegLeft("112-1.1", local(7.2), "leg", "1001", 0, True)
    await told(services, *a_call("112-1.1", rung, gone))
    async with asyncio.timeout(5):
        while (await services.bookkeeper.books()).presence(siti.id).misses == 0:
            await asyncio.sleep(0.01)
    judging.cancel()


async def test_a_ring_that_the_store_did_not_take_is_judged_a_moment_later(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Locked for a moment, and nothing else is told of: the phone would ring once more for nothing."""
    monkeypatch.setattr("gateway.centre.JUDGE_AFTER_S", 0.01)
    siti = await hired(services)
    judge, refusals = services.centre._judge_rings, iter([StoreAway("locked"), StoreAway("locked")])

    async def refused_twice() -> None:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        await judge()

    monkeypatch.setattr(services.centre, "_judge_rings", refused_twice)
    rung, gone = LegRung("112-1.1", local(7.1), "leg", "1001"), LegLeft("112-1.1", local(7.2), "leg", "1001", 0, True)
    judging = asyncio.create_task(services.centre.judge_rings(lambda: True))
    await told(services, *a_call("112-1.1", rung, gone))
    async with asyncio.timeout(5):
        while (await services.bookkeeper.books()).presence(siti.id).misses == 0:
            await asyncio.sleep(0.01)
    judging.cancel()
    assert [each.message for each in caplog.records].count("rings_not_judged") == 1


async def test_what_is_dialled_on_a_phone_counts_as_if_it_were_asked_of_the_api(services: Services) -> None:
    siti = await hired(services)
    await told(services, PhoneFact("1001", local(7), "login"))
    assert set((await services.bookkeeper.books()).places(local(7.1))) == {("emergency", "1001")}
    await told(services, PhoneFact("1001", local(7.2), "pause", "istirahat"), PhoneFact("1001", local(7.3), "resume"))
    await told(services, PhoneFact("1001", local(7.4), "logout"))
    assert (await services.bookkeeper.books()).places(local(7.5)) == {}
    reads = Reads(services.store._engine)
    entries = await reads.kept.audit(0, 100, actor=siti.name)
    assert [entry.action.removeprefix("operator.") for entry in entries] == [
        "logged_in",
        "paused",
        "resumed",
        "logged_out",
    ]
    assert {(entry.role, entry.address) for entry in entries} == {("operator", "phone 1001")}


async def test_an_old_code_that_comes_back_undoes_nothing_that_was_said_since(services: Services) -> None:
    siti = await hired(services)
    services.clock.at = local(8.1)
    out = PhoneFact("1001", local(7), "logout")
    await told(services, out, PhoneFact("1001", local(8), "login"), out)
    assert (await services.bookkeeper.books()).said(siti.id, local(8.1)) is Said.IN
    assert services.centre.set_aside_count == 1


async def test_whoever_logged_out_by_a_clock_that_was_put_back_since_comes_in_with_a_code_all_the_same(
    services: Services,
) -> None:
    """Asterisk has put the phone into its queue: it would be taken out again until the clock has come round."""
    siti = await hired(services)
    services.clock.at = local(9)
    await told(services, PhoneFact("1001", local(9), "logout"))
    services.clock.at = local(8)
    await told(services, PhoneFact("1001", local(8), "login"))
    assert (await services.bookkeeper.books()).said(siti.id, local(8.1)) is Said.IN
    assert services.centre.set_aside_count == 0


async def test_a_code_from_nobodys_phone_is_set_aside(services: Services) -> None:
    await told(services, PhoneFact("1001", local(7), "login"), *a_call())
    assert services.centre.set_aside_count == 1
    assert "112-1.1" in services.centre.running_calls


async def test_a_call_keeps_the_name_of_who_had_the_phone_then(services: Services) -> None:
    siti = await hired(services)
    leg = "leg"
    await told(
        services,
        *a_call(
            "112-1.1",
            LegRung("112-1.1", local(7.1), leg, "1001"),
            LegConnected("112-1.1", local(7.2), leg, "1001"),
            CallerLeft("112-1.1", local(7.3), 16, Side.CALLER),
        ),
    )
    call = await Reads(services.store._engine).call("112-1.1")
    assert call is not None
    assert (call.operator, call.operator_id, call.operator_name) == ("1001", siti.id, siti.name)


async def test_what_is_stored_is_taken_up_only_once_no_commit_is_on_its_way(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose answer was lost may land in between: an old call would go on from a new place in the journal."""

    async def busy() -> None:
        raise StoreAway("the ledger is held")

    await told(services, *a_call())
    with monkeypatch.context() as patched:
        patched.setattr(services.store, "try_to_write", busy)
        with pytest.raises(StoreAway):
            await services.centre.resume()
    await services.centre.resume()
    assert set(services.centre.running_calls) == {"112-1.1"}


async def test_a_piece_of_the_journal_that_comes_back_tells_no_call_twice(services: Services) -> None:
    first = a_call("112-1.1", CallerLeft("112-1.1", local(7.1), 16, Side.CALLER))
    await told(services, *first, *a_call("112-2.1", at_h=8))
    before = await services.store.newest_seq()
    await told(services, *first)
    assert await services.store.newest_seq() == before
    assert services.centre.set_aside_count == len(first)
    # and a gateway that was started anew knows it too
    await services.centre.resume()
    await told(services, *first)
    assert await services.store.newest_seq() == before


async def test_a_fact_that_nobody_expected_stops_nothing(services: Services) -> None:
    class Strange(Fact):
        """A kind of fact that the table knows nothing of."""

    await told(services, *a_call(), Strange("112-1.1", MONDAY), *a_call("112-2.1"))
    assert set(services.centre.running_calls) == {"112-1.1", "112-2.1"}
    assert services.centre.set_aside_count == 1


async def test_an_end_that_the_journal_is_late_with_is_waited_for_where_asterisk_was_there_all_the_while(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.linked_since = local(6)
    await told(services, *a_call())
    for _ in range(4):
        await services.centre.settle()
    assert set(services.centre.running_calls) == {"112-1.1"}
    await told(services, CallerLeft("112-1.1", local(7.1), 16, Side.CALLER))
    call = await Reads(services.store._engine).call("112-1.1")
    assert call is not None
    assert (call.outcome, call.hung_up_by) == (Outcome.ABANDONED, Side.CALLER)

    # after a start the link is newer than the call, which was seen over it
    await told(services, *a_call("112-1.3"))
    services.linked_since, services.switchboard.live = local(9), {"112-1.3"}
    await services.centre.settle()
    services.switchboard.live = set()
    for _ in range(3):
        await services.centre.settle()
    assert set(services.centre.running_calls) == {"112-1.3"}
    await told(services, CallerLeft("112-1.3", local(7.1), 16, Side.CALLER))

    # a record that is lost for ever, or an Asterisk that was away
    await told(services, *a_call("112-1.2"))
    await services.centre.settle()
    monkeypatch.setattr(centre, "ON_ITS_WAY_S", 0.0)
    await services.centre.settle()
    assert not services.centre.running_calls
