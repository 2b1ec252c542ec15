"""What operators say about their duty, between the phone, the API, the books and Asterisk, where two things meet."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.domain import duty
from gateway.domain.audit import CENTRE
from gateway.domain.change import Change
from gateway.domain.duty import Step
from gateway.domain.facts import PhoneFact
from gateway.domain.holding import Command, Member, RemoveMember
from gateway.domain.presence import Said
from gateway.level import Level
from gateway.ports import Reading, StoreAway, SwitchboardAway
from tests.domain.values import assigned, local, shift
from tests.services.conftest import ANI
from tests.services.test_office import hired, put
from tests.services.test_watch import away
from tests.told import Services, carried_out


async def test_while_the_journal_is_not_read_to_its_end_nobody_is_put_in_or_taken_out(services: Services) -> None:
    await hired(services)
    await services.office.put_member(Member("emergency", "1001"), ANI)
    services.switchboard.held = services.switchboard.held.__class__()  # a restart: Asterisk holds nothing
    services.journal.knows_all = False
    await services.level.look()
    assert "1001" in services.switchboard.held.phones
    assert not services.switchboard.held.members

    services.journal.knows_all = True
    await services.level.look()
    assert ("emergency", "1001") in services.switchboard.held.members


@pytest.mark.parametrize(("is_away", "knows_all"), [(True, False), (True, True), (False, False)])
async def test_a_shift_that_begins_while_the_store_is_away_brings_its_people_once(
    services: Services, is_away: bool, knows_all: bool
) -> None:
    """As it was read last; who goes stays until it is known what was dialled meanwhile."""
    for phone in ("1001", "1002"):
        await hired(services, phone)
    await put(services, shift())
    await put(services, shift(2, "14:00", "22:00"))
    await put(services, assigned(1))
    await put(services, assigned(2, 2))
    services.clock.at = local(13)
    await services.level.look()
    assert set(services.switchboard.held.members) == {("emergency", "1001")}

    async def looked(hour: float) -> set[tuple[str, str]]:
        services.clock.at = local(hour)
        services.journal.knows_all = knows_all
        if is_away:
            with away(services.store, "audit_head"), pytest.raises(StoreAway):
                await services.level.look()
        else:
            await services.level.look()
        return set(services.switchboard.held.members)

    assert await looked(13.9) == {("emergency", "1001")}
    assert await looked(14) == {("emergency", "1001"), ("emergency", "1002")}
    gone = RemoveMember("emergency", "1002")  # he dials *45: the dialplan takes him out
    services.switchboard.held = carried_out(services.switchboard.held, gone)
    assert await looked(14.1) == {("emergency", "1001")}

    services.journal.knows_all = True
    await services.level.look()
    assert set(services.switchboard.held.members) == {("emergency", "1002")}


async def test_what_is_dialled_while_a_supervisor_acts_is_not_undone(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    siti = await hired(services)
    await services.office.put_member(Member("emergency", "1001"), ANI)
    await services.office.step(siti, Step.PAUSE, ANI, reason="lunch")
    carry_out = services.switchboard.carry_out

    async def while_siti_dials(commands: Sequence[Command]) -> Mapping[str, str]:
        out = duty.step(await services.bookkeeper.books(), siti, Step.LOG_OUT, services.clock(), CENTRE)
        await services.saving.save(Change(presences=(out.presence,), deeds=(out.deed,)))
        services.bookkeeper.forget()
        return await carry_out(commands)

    monkeypatch.setattr(services.switchboard, "carry_out", while_siti_dials)
    await services.office.step(siti, Step.RESUME, ANI)

    assert (await services.bookkeeper.books()).said(siti.id, services.clock()) is Said.OUT


async def test_a_step_does_not_wait_for_ever_behind_a_look(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    siti = await hired(services)
    monkeypatch.setattr("gateway.level.APPLY_TIMEOUT_S", 0.05)
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(services.switchboard, "holding", lambda: never)
    looking = asyncio.create_task(Level.look(services.level))
    await asyncio.sleep(0)

    with pytest.raises(SwitchboardAway, match="busy"):
        await services.office.step(siti, Step.LOG_IN, ANI)

    never.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_who_logs_out_while_a_look_takes_its_time_has_logged_out_when_it_was(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shift begins while Asterisk reloads: a logout after that is none of a clock that was put back since."""
    siti = await hired(services)
    await put(services, shift())
    await put(services, assigned(1, last=1))
    services.clock.at = local(6.999)
    carry_out, dialled_at = services.switchboard.carry_out, local(7.01)

    async def slow(commands: Sequence[Command]) -> Mapping[str, str]:
        services.clock.at = dialled_at
        await services.centre.record(Reading((PhoneFact("1001", dialled_at, "logout"),)))
        return await carry_out(commands)

    with monkeypatch.context() as patched:
        patched.setattr(services.switchboard, "carry_out", slow)
        await services.level.look()
    assert (await services.store.presences())[siti.id].said_at == dialled_at
    services.clock.at = local(7.02)
    await services.level.look()
    assert ("emergency", "1001") not in services.switchboard.held.members


async def test_a_logout_is_forgotten_once_the_roster_has_brought_the_operator_back(services: Services) -> None:
    siti = await hired(services)
    await put(services, shift())
    await put(services, assigned(1, last=1))
    services.clock.at = local(7)
    await services.office.step(siti, Step.LOG_OUT, ANI)
    services.clock.at = local(31)
    await services.level.look()

    assert ("emergency", "1001") in services.switchboard.held.members
    assert (await services.store.presences())[siti.id].said is None
