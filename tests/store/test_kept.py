"""What admins keep: one active thing of a name, nothing changed silently that is not there or was changed meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.alarms import Alarm
from gateway.domain.change import Change
from gateway.domain.holding import Member
from gateway.domain.operators import Operator
from gateway.domain.roster import Absence, Assignment, Swap
from gateway.domain.webhooks import Webhook
from gateway.ports import Stale, Taken, Unknown
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import NOON, an_operator, told

DAY = NOON.date()


async def test_a_new_thing_gets_an_id_and_a_changed_one_its_next_version(repository: Repository) -> None:
    committed = await repository.commit(Change(kept=(an_operator("1001"), an_operator("1002", name="Budi"))))
    siti, budi = committed.kept
    assert await repository.kept(Operator) == [siti, budi]
    assert (siti.version, budi.version) == (1, 1)
    assert 0 < siti.id < budi.id
    changed = replace(siti, name="Siti 🚒", contact="sip:1001@127.0.0.21:5070", digest="d2")
    [stored] = (await repository.commit(Change(kept=(changed,)))).kept
    assert stored == replace(changed, version=2)
    assert await repository.kept(Operator) == [stored, budi]


async def test_of_two_who_change_the_same_version_the_second_is_told(repository: Repository, reads: Reads) -> None:
    [siti] = (await repository.commit(Change(kept=(an_operator("1001"),)))).kept
    [first] = (await repository.commit(Change(kept=(replace(siti, name="Siti A"),)))).kept
    with pytest.raises(Stale, match=f"operator {siti.id} was changed by somebody else"):
        await repository.commit(told(2, kept=(replace(siti, name="Siti B"),)))
    assert await repository.kept(Operator) == [first]
    assert await reads.events(0, 10) == []


async def test_a_phone_has_one_active_operator(repository: Repository, reads: Reads) -> None:
    first, second = (await repository.commit(Change(kept=(an_operator("1001"), an_operator("1002"))))).kept
    with pytest.raises(Taken, match="phone 1001 belongs to another operator"):
        await repository.commit(told(2, kept=(an_operator("1001", name="Budi"),)))
    with pytest.raises(Taken, match="phone 1001 belongs to another operator"):
        await repository.commit(told(2, kept=(replace(second, phone="1001"),)))
    assert await repository.kept(Operator) == [first, second]
    assert await reads.events(0, 10) == []


async def test_a_retired_operators_phone_is_free_again_and_the_name_is_kept(repository: Repository) -> None:
    [siti] = (await repository.commit(Change(kept=(an_operator("1001"),)))).kept
    retired = replace(siti, retired_at=NOON + timedelta(days=1))
    gone, budi = (await repository.commit(Change(kept=(retired, an_operator("1001", name="Budi"))))).kept
    assert await repository.kept(Operator) == [budi]
    assert await repository.kept(Operator, include_retired=True) == [gone, budi]
    assert await repository.one(Operator, siti.id) == gone
    with pytest.raises(Taken):
        await repository.commit(Change(kept=(replace(gone, retired_at=None),)))


async def test_a_thing_that_is_not_there_is_unknown(repository: Repository) -> None:
    with pytest.raises(Unknown, match="there is no operator 7"):
        await repository.commit(told(1, kept=(an_operator("1001", id=7, version=1),)))
    assert await repository.newest_seq() == 0
    assert await repository.one(Operator, 7) is None


async def test_assignments_absences_and_swaps_are_found_by_the_days_that_they_touch(repository: Repository) -> None:
    def on(first: int, last: int) -> Assignment:
        return Assignment(
            operator_id=1,
            shift_id=1,
            queue="emergency",
            first_date=DAY + timedelta(days=first),
            last_date=DAY + timedelta(days=last),
            created_at=NOON,
        )

    absence = Absence(operator_id=1, from_at=NOON, until_at=NOON + timedelta(hours=2), created_at=NOON)
    swap = Swap(operator_id=1, shift_id=1, date=DAY, created_at=NOON)
    stored = (await repository.commit(Change(kept=(on(-9, -1), on(-9, 0), on(0, 9), on(1, 9), absence, swap)))).kept
    assert await repository.assignments(DAY, DAY) == [stored[1], stored[2]]
    assert await repository.absences(NOON + timedelta(hours=1), NOON + timedelta(days=1)) == [stored[4]]
    assert await repository.absences(NOON + timedelta(hours=2), NOON + timedelta(days=1)) == []
    assert await repository.swaps(DAY, DAY) == [stored[5]]
    retired = replace(stored[1], retired_at=NOON)
    await repository.commit(Change(kept=(retired,)))
    assert await repository.assignments(DAY, DAY) == [stored[2]]


async def test_swaps_come_in_the_order_in_which_they_were_asked_for(repository: Repository) -> None:
    swap = Swap(operator_id=1, shift_id=1, date=DAY, created_at=NOON)
    first, second = (await repository.commit(Change(kept=(swap, replace(swap, operator_id=2))))).kept
    [changed] = (await repository.commit(Change(kept=(replace(first, note="please"),)))).kept
    assert await repository.swaps(DAY, DAY) == [changed, second]


async def test_places_in_queues_are_put_changed_and_given_up(repository: Repository) -> None:
    await repository.commit(Change(members_put=(Member("emergency", "1002"), Member("emergency", "1001", 5))))
    await repository.commit(
        Change(
            members_removed=(("emergency", "1002"), ("emergency", "nobody")),
            members_put=(Member("emergency", "1001", 2), Member("callback", "1002", 1)),
        )
    )
    assert await repository.members() == [Member("callback", "1002", 1), Member("emergency", "1001", 2)]


async def test_an_alarm_stands_once_until_it_is_cleared_and_may_stand_again(
    repository: Repository, reads: Reads
) -> None:
    alarm = Alarm("short", "emergency", "0 of 1", NOON)
    await repository.commit(Change(alarms=(alarm,)))
    await repository.commit(Change(alarms=(replace(alarm, detail="1 of 2"),)))
    assert await repository.standing_alarms() == [replace(alarm, detail="1 of 2")]
    cleared = replace(alarm, detail="1 of 2", cleared_at=NOON + timedelta(minutes=1))
    await repository.commit(Change(alarms=(cleared,)))
    assert await repository.standing_alarms() == []
    later = replace(alarm, raised_at=NOON + timedelta(hours=1))
    await repository.commit(Change(alarms=(later,)))
    told_of = await reads.kept.alarms(only_standing=False, before=None, limit=9)
    assert [each for _, each in told_of] == [later, cleared]
    assert [each for _, each in await reads.kept.alarms(only_standing=True, before=None, limit=9)] == [later]


async def test_a_webhook_keeps_its_place_and_can_be_forgotten(repository: Repository) -> None:
    first = Webhook("w1", "http://127.0.0.1/a", "s", ("call.ended",), 0, NOON)
    second = Webhook("w2", "http://127.0.0.1/b", "s", (), 7, NOON + timedelta(seconds=1))
    await repository.commit(Change(webhooks_put=(second, first)))
    await repository.commit(Change(webhooks_put=(replace(first, after_seq=2**40),), webhooks_removed=("w2", "w3")))
    assert await repository.webhooks() == [replace(first, after_seq=2**40)]
