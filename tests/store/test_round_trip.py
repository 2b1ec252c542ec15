"""What goes into the store comes out equal, to the microsecond and the last character."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.call import Call
from gateway.domain.change import Change, SetAside
from gateway.domain.dispositions import Disposed
from gateway.domain.events import Event
from gateway.domain.holding import Member
from gateway.domain.kept import Kept
from gateway.domain.presence import Presence
from gateway.domain.tokens import Token
from gateway.domain.webhooks import Webhook
from gateway.store import tables
from gateway.store.database import reading
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import (
    NOON,
    a_call,
    an_event,
    any_call,
    any_disposed,
    any_event,
    any_kept,
    any_member,
    any_presence,
    any_set_aside,
    any_webhook,
)

# each example adds to one database: nothing in these tests depends on its being empty
on_one_database = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@on_one_database
@given(calls=st.lists(any_call, min_size=1, max_size=4, unique_by=lambda call: call.id))
async def test_every_call_comes_back_equal(repository: Repository, reads: Reads, calls: list[Call]) -> None:
    await repository.commit(Change(calls=tuple(calls)))
    assert [await reads.call(call.id) for call in calls] == calls
    open_calls = await repository.open_calls()
    assert all((call in open_calls) == (call.ended_at is None) for call in calls)


@on_one_database
@given(events=st.lists(any_event, min_size=1, max_size=4))
async def test_every_event_comes_back_equal_and_is_announced_as_it_is_stored(
    repository: Repository, reads: Reads, events: list[Event]
) -> None:
    before = await repository.newest_seq()
    stored = (await repository.commit(Change(events=tuple(events)))).events
    assert [each.event for each in stored] == events
    assert await reads.events(before, 100) == list(stored)


@on_one_database
@given(thing=any_kept)
async def test_whatever_admins_keep_comes_back_equal(repository: Repository, thing: Kept) -> None:
    # retired, so that no two share a name; and no two tokens share a secret
    thing = replace(thing, retired_at=NOON, **({"token_hash": uuid4().hex} if isinstance(thing, Token) else {}))
    [stored] = (await repository.commit(Change(kept=(thing,)))).kept
    assert stored == replace(thing, id=stored.id, version=1)
    assert await repository.one(type(thing), stored.id) == stored


@on_one_database
@given(member=any_member, webhook=any_webhook, record=any_set_aside, presence=any_presence, disposed=any_disposed)
async def test_places_webhooks_records_presences_and_dispositions_come_back_equal(
    repository: Repository,
    engine: AsyncEngine,
    member: Member,
    webhook: Webhook,
    record: SetAside,
    presence: Presence,
    disposed: Disposed,
) -> None:
    await repository.commit(
        Change(
            members_put=(member,),
            webhooks_put=(webhook,),
            set_aside=(record,),
            presences=(presence,),
            dispositions=(disposed,),
        )
    )
    assert await repository.disposition(disposed.call_id) == disposed
    assert (await repository.presences())[presence.operator_id] == presence
    assert member in await repository.members()
    assert webhook in await repository.webhooks()
    async with reading(engine) as connection:
        kept = (await connection.execute(tables.set_aside.select().order_by(tables.set_aside.c.id.desc()))).first()
    assert kept is not None
    assert SetAside(*kept[1:]) == record


async def test_nul_and_halves_of_surrogates_become_the_replacement_character(
    repository: Repository, reads: Reads
) -> None:
    await repository.commit(Change(calls=(a_call(1, caller_name="a\0b\ud83dc"),)))
    assert await reads.call("112-1") == a_call(1, caller_name="a�b�c")
    committed = await repository.commit(Change(events=(an_event("c\0", **{"na\0me": ["x\udfff", {"y": "\0"}]}),)))
    stored = list(committed.events)
    assert stored[0].event == an_event("c�", **{"na�me": ["x�", {"y": "�"}]})
    assert await reads.events(0, 10) == stored
    assert await reads.events(0, 10, "c\0") == stored


async def test_a_monstrous_value_that_is_looked_up_is_cut_and_stops_nothing(
    repository: Repository, reads: Reads
) -> None:
    # random text, so that PostgreSQL cannot squeeze it into an index entry
    monster = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(60_000))
    await repository.commit(Change(calls=(a_call(1, id=monster, caller=monster, caller_name=monster),)))
    assert await reads.call(monster) == a_call(1, id=monster[:255], caller=monster[:255], caller_name=monster)


async def test_a_time_of_another_zone_is_the_same_moment_in_utc(repository: Repository, reads: Reads) -> None:
    in_jakarta = NOON.astimezone(ZoneInfo("Asia/Jakarta"))
    await repository.commit(Change(calls=(a_call(1, arrived_at=in_jakarta),)))
    call = await reads.call("112-1")
    assert call is not None
    assert call.arrived_at == NOON
    assert call.arrived_at.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused(repository: Repository) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        await repository.commit(Change(calls=(a_call(1, arrived_at=NOON.replace(tzinfo=None)),)))


async def test_a_call_that_is_stored_again_replaces_itself(repository: Repository, reads: Reads) -> None:
    await repository.commit(Change(calls=(a_call(1, queue="emergency"), a_call(2))))
    await repository.commit(Change(calls=(a_call(1, queue=None, caller="110"), a_call(3))))
    assert await repository.open_calls() == [a_call(1, queue=None, caller="110"), a_call(2), a_call(3)]
    assert await reads.call("112-2") == a_call(2)
