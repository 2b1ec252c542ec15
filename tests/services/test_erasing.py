"""Erasing one person's data: two people do it, holds win, and afterwards the number stands nowhere that can be
changed."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.alarms import Alarm
from gateway.domain.audit import Actor
from gateway.domain.blocks import Block
from gateway.domain.call import Call
from gateway.domain.callbacks import Callback, Dial, Try, Update, Why
from gateway.domain.callbacks import State as TaskState
from gateway.domain.change import Change, SetAside
from gateway.domain.dispositions import Disposition
from gateway.domain.erasing import Erasure, State
from gateway.domain.events import Event
from gateway.domain.flow import FLOOD_NUMBER
from gateway.domain.kept import Invalid
from gateway.domain.recordings import Kind
from gateway.domain.recordings import State as SoundState
from gateway.domain.retention import LegalHold
from gateway.ports import Taken
from gateway.store.database import reading
from gateway.store.repository import Repository
from gateway.store.tables import alarms, audit, callbacks, calls, dispositions, events, metadata
from tests.domain.values import MONDAY
from tests.services.conftest import ANI
from tests.services.test_destroying import a_call, a_recording
from tests.store.values import disposed
from tests.told import Clock, Services
from tests.vaults import OwnVault

NUMBER, ABROAD = "08123456789", "+628123456789"
SPELT = "0812-3456.789"
"""As some carriers write it."""
BUDI = Actor("Budi", "supervisor", "10.0.0.8")
BEFORE = MONDAY - timedelta(days=10)


@pytest.fixture
async def services(tmp_path: Path, services: Services) -> Services:
    """A centre in which one person called three times, and another one once."""
    services.own_vault.root = tmp_path
    await _history(services, tmp_path)
    return services


@pytest.fixture
async def on_both(tmp_path: Path, engine_of_both: AsyncEngine) -> AsyncIterator[Services]:
    """The same on either database."""
    services = Services(Repository(engine_of_both), clock=Clock(MONDAY), own_vault=OwnVault(tmp_path))
    await services.set_up()
    await _history(services, tmp_path)
    yield services
    await services.store.close()


def _theirs(number: int, caller: str) -> Call:
    return replace(
        a_call(number, BEFORE + timedelta(hours=number)),
        caller=caller,
        caller_name="Siti Aminah",
        location="Jl. Pahlawan 1",
        geolocation="<sip:siti>",
        access_network="cell=1",
        sip_call_id=f"{caller}@carrier",
    )


async def _history(services: Services, root: Path) -> None:
    theirs = [_theirs(1, NUMBER), _theirs(2, ABROAD), _theirs(3, NUMBER)]
    other = replace(a_call(4, BEFORE), caller="081234567890")
    told = [
        event
        for call in (*theirs, other)
        for event in (
            Event("call.arrived", call.arrived_at, call.id, {"caller": call.caller}),
            Event("call.described", call.arrived_at, call.id, {"caller_name": call.caller_name, "location": "Jl. 1"}),
            Event("call.disposed", call.arrived_at, call.id, {"note": "kata Bu Siti …", "disposition": "prank"}),
        )
    ]
    told.append(Event("alarm.raised", BEFORE, data={"subject": NUMBER, "detail": f"{NUMBER} called 12 times"}))
    tried = theirs[2]
    task = Callback(
        number=NUMBER,
        trunk="telkomsel",
        state=TaskState.GIVEN_UP,
        opened_at=tried.arrived_at,
        due_at=tried.arrived_at,
        first_due_at=tried.arrived_at,
        tries=(Try(tried.id, tried.arrived_at, Why.ABANDONED, tried.trunk),),
        try_count=1,
        last_try_at=tried.arrived_at,
        dials=(Dial("1-a", 1, tried.arrived_at),),
        closed_at=tried.arrived_at,
        reason="Bu Siti tidak menjawab",
    )
    given_up = Event("callback.given_up", BEFORE, data={"number": NUMBER, "reason": task.reason})
    recordings = [a_recording(call, root) for call in (*theirs, other)]
    recordings.append(
        replace(a_recording(tried, root), id="callback-1-a", kind=Kind.CALLBACK, call_id=None, dial_id="1-a")
    )
    committed = await services.store.commit(
        Change(
            calls=(*theirs, other),
            events=tuple(told),
            callbacks=(Update(task, (given_up,)),),
            recordings=tuple(recordings),
            dispositions=tuple(
                replace(disposed(call, Disposition.PRANK), note="kata Bu Siti …") for call in (*theirs, other)
            ),
            set_aside=tuple(
                SetAside(BEFORE, "journal", "odd", raw)
                for raw in (f'"{NUMBER}","x"', f"x%20{SPELT},%2522{NUMBER}%2522")
            ),
            alarms=tuple(
                Alarm(FLOOD_NUMBER, number, f"{number} sent 12 calls", BEFORE, BEFORE)
                for number in (NUMBER, ABROAD, SPELT, other.caller)
            ),
        )
    )
    services.feed.publish(committed.events)


async def _everything(services: Services) -> str:
    """All that the database holds, but for the audit log."""
    async with reading(services.store._engine) as connection:
        found = []
        for table in metadata.sorted_tables:
            if table is not audit:
                columns = [cast(column, Text) for column in table.c]
                found += [repr(row) for row in await connection.execute(select(*columns))]
        return "\n".join(found)


def _names_the_person(text: str) -> bool:
    """Whether the number stands in it, and not only the longer one of somebody else."""
    return re.search(r"8123456789(?!\d)", re.sub("[-.]", "", text)) is not None


async def test_two_people_erase_a_person_and_the_number_stands_nowhere_any_more(
    on_both: Services, tmp_path: Path
) -> None:
    services = on_both
    asked = await services.erasing.ask(NUMBER, "letter of 2026-11-20", ANI)
    touched = await services.erasing.touched(asked)
    assert touched.person.calls == ("112-1", "112-2", "112-3")
    assert {each.id for each in touched.recordings} == {"112-1", "112-2", "112-3", "callback-1-a"}
    assert await services.erasing.look() == 0

    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 1

    # streams and webhooks tell the newest events from memory
    everything = await _everything(services) + repr(list(services.feed._recent))
    assert not _names_the_person(everything)
    for gone in ("Aminah", "Pahlawan", "cell=1", "Bu Siti tidak"):
        assert gone not in everything, gone
    if services.store._engine.dialect.name == "sqlite":
        files = [tmp_path / f"gateway112.db{ending}" for ending in ("", "-wal")]
        written = b"".join(await asyncio.to_thread(lambda: [file.read_bytes() for file in files]))
        assert not _names_the_person(written.decode("latin-1"))
    done = await services.store.one(Erasure, asked.id)
    assert done is not None
    assert (done.number, done.calls, done.recordings, done.left_out) == ("", 3, 4, 0)
    assert done.state(MONDAY) is State.DONE
    async with reading(services.store._engine) as connection:
        callers = (await connection.execute(select(calls.c.caller).order_by(calls.c.id))).scalars().all()
        said = (
            (await connection.execute(select(dispositions.c.caller).order_by(dispositions.c.call_id))).scalars().all()
        )
        assert [*callers] == [*said] == [asked.pseudonym] * 3 + ["081234567890"]
        assert (await connection.execute(select(callbacks.c.number))).scalars().all() == [asked.pseudonym]
        told = (await connection.execute(select(alarms.c.subject).order_by(alarms.c.id))).scalars().all()
        assert told == [*[asked.pseudonym] * 3, "081234567890"]
    rules = {rule for _, rule in services.own_vault.destroyed}
    assert rules == {f"request of the person, erasure {asked.id}"}


async def test_a_number_that_a_carrier_wrote_with_separators_is_the_persons_too(
    services: Services, tmp_path: Path
) -> None:
    """What a trunk's filter leaves of a number may have hyphens and full stops in it."""
    spelt = ("0812-3456-789", "+62.812.3456.789", "0812-3456-78.90")
    called = [_theirs(number, caller) for number, caller in enumerate(spelt, 10)]
    told = [Event("call.arrived", call.arrived_at, call.id, {"caller": call.caller}) for call in called]
    recordings = tuple(a_recording(call, tmp_path) for call in called)
    await services.store.commit(Change(calls=tuple(called), events=tuple(told), recordings=recordings))
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    touched = await services.erasing.touched(asked)
    assert touched.person.calls == ("112-1", "112-2", "112-3", "112-10", "112-11")
    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 1
    everything = await _everything(services)
    assert [caller in everything for caller in spelt] == [False, False, True]
    for number in (10, 11):
        gone = await services.store.recording(f"112-{number}")
        assert gone is not None
        assert gone.state is SoundState.DESTROYED
    with pytest.raises(Invalid, match="names the number"):
        await services.erasing.ask(NUMBER, "letter of 0812-3456-789", ANI)


async def test_the_history_of_everybody_else_and_the_count_of_events_stay(services: Services) -> None:
    async def seqs() -> list[int]:
        async with reading(services.store._engine) as connection:
            return list((await connection.execute(select(events.c.seq).order_by(events.c.seq))).scalars())

    asked = await services.erasing.ask(ABROAD, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    before = await seqs()
    await services.erasing.look()
    assert (await seqs())[: len(before)] == before
    async with reading(services.store._engine) as connection:
        query = select(events.c.data).where(events.c.call_id == "112-4").order_by(events.c.seq)
        told = list((await connection.execute(query)).scalars())
    assert told[0] == {"caller": "081234567890"}
    assert told[2]["note"] == "kata Bu Siti …"
    kept = await services.store.recording("112-4")
    assert kept is not None
    assert kept.state is SoundState.SEALED


async def test_one_that_is_not_done_within_the_hour_is_an_alarm_until_it_is(services: Services) -> None:
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    services.own_vault.refuses["112-2"] = "its manifest was edited"
    assert await services.erasing.look() == 0
    assert services.erasing.alarms(()) == []
    services.clock.at = MONDAY + timedelta(hours=1)
    assert await services.erasing.look() == 0
    [alarm] = services.erasing.alarms(())
    assert (alarm.kind, alarm.subject) == ("not_erased", f"erasure/{asked.id}")
    assert alarm.detail == "112-2: its manifest was edited"
    await services.watch.tick(services.clock())
    assert "not_erased" in {each.kind for each in await services.store.standing_alarms()}
    services.own_vault.refuses = {}
    assert await services.erasing.look() == 1
    assert services.erasing.alarms([alarm]) == []


async def test_one_that_a_legal_hold_kept_has_its_hour_from_when_it_could_go_on(services: Services) -> None:
    hold = LegalHold(call_id="112-3", reason="LP/B/1", set_by="Ani", created_at=MONDAY)
    hold = await services.office.create(hold, ANI)
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 1
    lifted_at = services.clock.at = MONDAY + timedelta(days=90)
    await services.office.change(hold, replace(hold, lifted_by="Budi", retired_at=lifted_at), BUDI)
    services.own_vault.is_away = True
    found = []
    for minutes in (0, 59, 60):
        services.clock.at = lifted_at + timedelta(minutes=minutes)
        assert await services.erasing.look() == 0
        found.append([each.subject for each in services.erasing.alarms(())])
    assert found == [[], [], [f"erasure/{asked.id}"]]
    services.own_vault.is_away = False
    assert await services.erasing.look() == 1
    assert services.erasing.alarms(()) == []


async def test_what_a_legal_hold_keeps_stays_whole_and_goes_when_it_is_lifted(services: Services) -> None:
    hold = LegalHold(call_id="112-3", reason="LP/B/1", set_by="Ani", created_at=MONDAY)
    hold = await services.office.create(hold, ANI)
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    touched = await services.erasing.touched(asked)
    assert touched.person.held == {"112-3": "LP/B/1"}
    assert {each.id for each in touched.recordings} == {"112-1", "112-2"}
    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 1

    async with reading(services.store._engine) as connection:
        [call] = await connection.execute(select(calls.c.caller, calls.c.location).where(calls.c.id == "112-3"))
        assert tuple(call) == (NUMBER, "Jl. Pahlawan 1")
        assert (await connection.execute(select(callbacks.c.number))).scalars().all() == [NUMBER]
        query = select(events.c.data).where(events.c.call_id == "112-3").order_by(events.c.seq)
        assert (await connection.execute(query)).scalars().first() == {"caller": NUMBER}
        query = select(events.c.data).where(events.c.type == "callback.given_up")
        assert (await connection.execute(query)).scalar_one()["number"] == NUMBER
    kept = await services.store.recording("112-3")
    assert kept is not None
    assert kept.state is SoundState.SEALED
    held = await services.store.one(Erasure, asked.id)
    assert held is not None
    assert (held.state(MONDAY), held.number, held.calls, held.left_out) == (State.HELD, NUMBER, 2, 1)
    assert await services.erasing.look() == 0
    again = await services.store.one(Erasure, asked.id)
    assert again == held
    with pytest.raises(Taken, match="cannot be taken back"):
        await services.erasing.withdraw(held, ANI)

    await services.office.change(hold, replace(hold, lifted_by="Budi", retired_at=MONDAY), BUDI)
    going_on = services.custody.redact_set_aside
    services.custody.redact_set_aside = _die  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await services.erasing.look()
    services.custody.redact_set_aside = going_on  # type: ignore[method-assign]
    assert await services.erasing.look() == 1
    done = await services.store.one(Erasure, asked.id)
    assert done is not None
    assert (done.state(MONDAY), done.calls, done.recordings, done.left_out) == (State.DONE, 3, 4, 0)
    assert not _names_the_person(await _everything(services))


async def test_calls_back_are_destroyed_though_the_task_keeps_its_latest_dials_alone(
    services: Services, tmp_path: Path
) -> None:
    old = replace(a_recording(_theirs(3, NUMBER), tmp_path), kind=Kind.CALLBACK, call_id=None)
    dials = {"1-0": SoundState.DESTROYED, "12-a": SoundState.SEALED}  # of the same task, and of another one
    await services.store.commit(
        Change(recordings=tuple(replace(old, id=f"callback-{each}", dial_id=each) for each in dials))
    )
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    assert "callback-1-0" in {each.id for each in (await services.erasing.touched(asked)).recordings}
    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 1
    for dial_id, state in dials.items():
        there = await services.store.recording(f"callback-{dial_id}")
        assert there is not None
        assert there.state is state


async def test_a_hold_that_is_lifted_while_another_one_stands_frees_its_own_call(services: Services) -> None:
    holds = [
        await services.office.create(LegalHold(call_id=call, reason="LP", set_by="Ani", created_at=MONDAY), ANI)
        for call in ("112-1", "112-2", "112-3")
    ]
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    found = []
    for hold in (None, *holds):
        if hold is not None:
            await services.office.change(hold, replace(hold, lifted_by="Budi", retired_at=MONDAY), BUDI)
        await services.erasing.look()
        now = await services.store.one(Erasure, asked.id)
        assert now is not None
        found.append((now.state(MONDAY), now.calls, now.left_out))
    assert found == [(State.HELD, 0, 3), (State.HELD, 1, 2), (State.HELD, 2, 1), (State.DONE, 3, 0)]


async def test_a_hold_that_is_lifted_in_the_middle_leaves_nothing_behind(services: Services) -> None:
    hold = LegalHold(call_id="112-3", reason="LP/B/1", set_by="Ani", created_at=MONDAY)
    hold = await services.office.create(hold, ANI)
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    going_on = services.custody.redact_set_aside

    async def lifted(*of: Any) -> None:
        await services.office.change(hold, replace(hold, lifted_by="Budi", retired_at=MONDAY), BUDI)
        await going_on(*of)

    services.custody.redact_set_aside = lifted  # type: ignore[method-assign]
    assert await services.erasing.look() == 0
    services.custody.redact_set_aside = going_on  # type: ignore[method-assign]
    assert await services.erasing.look() == 1

    done = await services.store.one(Erasure, asked.id)
    assert done is not None
    assert (done.state(MONDAY), done.number, done.calls, done.left_out) == (State.DONE, "", 3, 0)
    assert not _names_the_person(await _everything(services))


async def _die(*_: object) -> None:
    raise RuntimeError("killed")


async def test_who_asks_cannot_confirm_and_nobody_can_once_it_is_too_late(services: Services) -> None:
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    with pytest.raises(Taken, match="a second person must"):
        await services.erasing.confirm(asked, ANI)
    with pytest.raises(Taken, match=f"erasure {asked.id} is about that number already"):
        await services.erasing.ask(ABROAD, "letter", BUDI)
    services.clock.at = MONDAY + timedelta(days=8)
    with pytest.raises(Taken, match="within 7 days"):
        await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 0
    forgotten = await services.store.one(Erasure, asked.id)
    assert forgotten is not None
    assert (forgotten.number, forgotten.state(services.clock())) == ("", State.EXPIRED)
    again = await services.erasing.ask(NUMBER, "letter", ANI)
    assert again.state(services.clock()) is State.ASKED


async def test_a_person_who_waits_for_the_centre_comes_before_the_erasure(services: Services) -> None:
    running = replace(a_call(9, MONDAY), caller=NUMBER, ended_at=None, outcome=None)
    await services.store.commit(Change(calls=(running,)))
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    with pytest.raises(Taken, match="a call of that number goes on"):
        await services.erasing.confirm(asked, BUDI)
    block = Block(number=ABROAD, reason="pranks", until=MONDAY + timedelta(hours=2), created_at=MONDAY)
    await services.store.commit(Change(calls=(replace(running, ended_at=MONDAY),)))
    [stored] = (await services.store.commit(Change(kept=(block,)))).kept
    with pytest.raises(Taken, match="a block of that number is in force"):
        await services.erasing.confirm(asked, BUDI)
    await services.store.commit(Change(kept=(replace(stored, retired_at=MONDAY),)))
    flood = Alarm(FLOOD_NUMBER, ABROAD, "12 calls", MONDAY)
    await services.store.commit(Change(alarms=(flood,)))
    with pytest.raises(Taken, match="an alarm stands that the number calls too often"):
        await services.erasing.confirm(asked, BUDI)


async def test_no_one_persons_numbers_and_reasons_that_name_one_are_refused(services: Services) -> None:
    with pytest.raises(Invalid, match="no one person's"):
        await services.erasing.ask("000000000", "letter", ANI)
    with pytest.raises(Invalid, match="names the number"):
        await services.erasing.ask(NUMBER, f"the owner of {ABROAD} asked", ANI)


async def test_while_the_vault_is_away_the_number_stays_and_it_goes_on_later(services: Services) -> None:
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    services.own_vault.is_away = True
    assert await services.erasing.look() == 0
    assert _names_the_person(await _everything(services))
    services.own_vault.is_away = False
    assert await services.erasing.look() == 1


async def test_a_recording_that_is_being_sealed_is_waited_for(services: Services) -> None:
    fresh = await services.store.recording("112-3")
    assert fresh is not None
    await services.store.commit(Change(recordings=(replace(fresh, state=SoundState.OVER),)))
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    assert await services.erasing.look() == 0
    await services.store.commit(Change(recordings=(fresh,)))
    assert await services.erasing.look() == 1


async def test_killed_in_the_middle_it_is_done_to_its_end_afterwards(services: Services) -> None:
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)

    going_on = services.custody.redact_set_aside
    services.custody.redact_set_aside = _die  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await services.erasing.look()
    services.custody.redact_set_aside = going_on  # type: ignore[method-assign]
    assert await services.erasing.look() == 1
    done = await services.store.one(Erasure, asked.id)
    assert done is not None
    assert (done.calls, done.recordings) == (3, 4)
    assert not _names_the_person(await _everything(services))


async def test_the_audit_log_tells_who_asked_who_confirmed_and_what_was_done_but_not_the_number(
    services: Services,
) -> None:
    asked = await services.erasing.ask(NUMBER, "letter", ANI)
    await services.erasing.confirm(asked, BUDI)
    await services.erasing.look()
    async with reading(services.store._engine) as connection:
        query = select(audit).where(audit.c.subject == f"erasure/{asked.id}").order_by(audit.c.seq)
        entries = (await connection.execute(query)).mappings().all()
    assert [(each["actor"], each["action"]) for each in entries] == [
        ("Ani", "erasure.created"),
        ("Budi", "erasure.changed"),
        ("centre", "erasure.changed"),
    ]
    assert '"calls":3' in entries[-1]["after"]
    assert NUMBER not in repr(entries)
