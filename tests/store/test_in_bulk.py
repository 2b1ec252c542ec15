"""Many things at once are stored as each alone would be: in their order, with their ids and versions, or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.change import Change
from gateway.domain.roster import Absence, Assignment
from gateway.ports import Stale, Taken, Unknown
from gateway.store.repository import Repository
from tests.store.values import NOON, an_operator

DAY = NOON.date()
MANY = 1200
"""More than one statement names, or one insert holds."""


def assigned(number: int) -> Assignment:
    day = DAY + timedelta(days=number)
    return Assignment(
        operator_id=number % 7 + 1, shift_id=1, queue="emergency", first_date=day, last_date=day, created_at=NOON
    )


async def test_many_new_things_have_ids_in_the_order_in_which_they_were_given(repository: Repository) -> None:
    given = tuple(assigned(number) for number in range(MANY))

    made = (await repository.commit(Change(kept=given))).kept

    assert [replace(each, id=0, version=0) for each in made] == list(given)
    assert {each.version for each in made} == {1}
    assert [each.id for each in made] == sorted({each.id for each in made})
    assert await repository.kept(Assignment) == list(made)


async def test_many_changed_and_new_things_of_several_kinds_come_back_in_their_places(repository: Repository) -> None:
    there = (await repository.commit(Change(kept=tuple(assigned(number) for number in range(MANY))))).kept
    away = Absence(operator_id=1, from_at=NOON, until_at=NOON + timedelta(hours=1), created_at=NOON)
    ended = [replace(each, retired_at=NOON) for each in there]
    mixed = (an_operator("1001"), *ended[:600], away, assigned(5000), *ended[600:], away, assigned(5001))

    made = (await repository.commit(Change(kept=mixed))).kept

    assert [type(each) for each in made] == [type(each) for each in mixed]
    assert [replace(each, id=0, version=0) for each in made] == [replace(each, id=0, version=0) for each in mixed]
    assert [each.id for each in made[1:601]] == [each.id for each in there[:600]]
    assert {each.version for each in made if each.retired_at} == {2}
    assert [each.first_date for each in await repository.kept(Assignment)] == [
        DAY + timedelta(days=5000),
        DAY + timedelta(days=5001),
    ]


@pytest.mark.parametrize("fault", ["changed since", "named twice", "not there", "taken"])
async def test_one_that_cannot_be_keeps_all_others_out(repository: Repository, fault: str) -> None:
    there = (await repository.commit(Change(kept=tuple(assigned(number) for number in range(3))))).kept
    await repository.commit(Change(kept=(an_operator("1001"),)))
    if fault == "changed since":
        [moved] = (await repository.commit(Change(kept=(replace(there[1], version=1),)))).kept
        assert moved.version == 2
    before = await repository.kept(Assignment)
    others = {
        "changed since": there[1],
        "named twice": there[0],
        "not there": replace(there[1], id=10_000),
        "taken": an_operator("1001"),
    }
    kinds = {"changed since": Stale, "named twice": Stale, "not there": Unknown, "taken": Taken}

    with pytest.raises(kinds[fault]):
        await repository.commit(Change(kept=(assigned(9), replace(there[0], retired_at=NOON), others[fault])))

    assert await repository.kept(Assignment) == before
