"""What somebody says that a call was, by the office and by a code on a phone: the same in the end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.dispositions import Category, Disposition, Verdict
from gateway.domain.facts import CallerLeft, DispositionFact, Fact, LegConnected, LegLeft, LegRung, Side
from gateway.domain.kept import Invalid
from gateway.store.reads import Reads
from tests.domain.values import local
from tests.services.conftest import ANI
from tests.services.test_centre import a_call, told
from tests.services.test_office import hired
from tests.told import Services

PRANK = Disposition.PRANK


def taken(call_id: str, at_h: float, phone: str = "1001", talk_h: float = 0.1) -> list[Fact]:
    """A call that the phone answered at that hour."""
    at, leg = local(at_h), f"{call_id}-{phone}"
    left = at + timedelta(hours=talk_h)
    return a_call(
        call_id,
        LegRung(call_id, at - timedelta(seconds=5), leg, phone),
        LegConnected(call_id, at, leg, phone),
        LegLeft(call_id, left, leg, phone, 16),
        CallerLeft(call_id, left, 16, Side.CALLER),
        at_h=at_h - 0.01,
    )


async def last_entry(services: Services) -> tuple[str, ...]:
    entry = (await Reads(services.store._engine).kept.audit(0, 1000))[-1]
    return entry.action, entry.actor, entry.role, entry.address, entry.subject, entry.before, entry.after


async def test_the_office_and_a_phone_say_it_alike(services: Services) -> None:
    siti = await hired(services)
    await told(services, *taken("112-1.1", 7))
    call = await Reads(services.store._engine).call("112-1.1")
    assert call is not None
    await services.office.dispose(call, Verdict(Disposition.EMERGENCY, Category.FIRE, "gudang"), ANI)
    fire = '{"disposition":"emergency","category":"fire","note":"gudang"}'
    assert await last_entry(services) == (*("call.disposed", "Ani", "admin", "10.0.0.7", "call/112-1.1", "", fire),)

    await told(services, DispositionFact("1001", local(7.5), PRANK))
    disposed = await services.store.disposition("112-1.1")
    assert disposed is not None
    assert (disposed.disposition, disposed.category, disposed.note) == (PRANK, None, "")
    assert (disposed.caller, disposed.operator_id, disposed.set_by) == ("0811", siti.id, siti.name)
    prank = '{"disposition":"prank","category":null,"note":""}'
    assert await last_entry(services) == (
        *("call.disposed", siti.name, "operator", "phone 1001", "call/112-1.1", fire, prank),
    )
    [told_last] = await Reads(services.store._engine).events(await services.store.newest_seq() - 1, 1)
    assert (told_last.event.type, told_last.event.call_id) == ("call.disposed", "112-1.1")


async def test_what_cannot_be_is_refused_and_nothing_is_stored(services: Services) -> None:
    await told(services, *taken("112-1.1", 7))
    call = await Reads(services.store._engine).call("112-1.1")
    assert call is not None
    before = await services.store.newest_seq()
    with pytest.raises(Invalid, match="must say what the emergency is about"):
        await services.office.dispose(call, Verdict(Disposition.EMERGENCY), ANI)
    assert await services.store.newest_seq() == before


async def test_a_code_lands_on_the_call_that_was_the_last_when_it_was_dialled(services: Services) -> None:
    """All of it in one reading, as after a time without the gateway, and with calls before and after."""
    await hired(services)
    await told(services, *taken("112-1.1", 7))
    await told(
        services,
        *taken("112-2.1", 7.2),
        *taken("112-3.1", 7.25, "1002"),
        DispositionFact("1001", local(7.4), PRANK),
        *taken("112-4.1", 7.5),
    )
    said = await Reads(services.store._engine).dispositions.of_calls(["112-1.1", "112-2.1", "112-3.1", "112-4.1"])
    assert set(said) == {"112-2.1"}
    # and a gateway that was started anew finds the call too
    await services.centre.resume()
    await told(services, DispositionFact("1001", local(7.7), Disposition.TEST))
    assert (await services.store.disposition("112-4.1") or said["112-2.1"]).disposition is Disposition.TEST


async def test_a_code_with_no_call_an_old_one_and_one_that_comes_back_change_nothing(services: Services) -> None:
    await hired(services)
    code = DispositionFact("1001", local(7.3), PRANK)
    await told(services, DispositionFact("1001", local(6), PRANK), *taken("112-1.1", 7), code)
    await told(services, DispositionFact("1001", local(9), Disposition.TEST))  # the call ended at 7.1
    assert services.centre.set_aside_count == 2

    call = await Reads(services.store._engine).call("112-1.1")
    assert call is not None
    services.clock.at = local(7.4)
    corrected = await services.office.dispose(call, Verdict(Disposition.GHOST), ANI)
    await told(services, code, replace(code, at=local(7.35)))
    assert await services.store.disposition("112-1.1") == corrected
    assert services.centre.set_aside_count == 4
