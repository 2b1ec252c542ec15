"""Operators, members and webhooks: one active operator a phone, and nothing changed silently that is not there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.centre import Taken, Unknown
from gateway.domain.change import Change, Webhook
from gateway.domain.operators import Member
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import NOON, an_operator, told


async def test_a_new_operator_gets_an_id_and_a_known_one_is_changed(repository: Repository) -> None:
    await repository.commit(Change(operators=(an_operator("1001"), an_operator("1002", name="Budi"))))
    siti, budi = await repository.operators()
    assert 0 < siti.id < budi.id
    changed = replace(siti, name="Siti 🚒", contact="sip:1001@127.0.0.21:5070", digest="d2")
    await repository.commit(Change(operators=(changed,)))
    assert await repository.operators() == [changed, budi]


async def test_a_phone_has_one_active_operator(repository: Repository, reads: Reads) -> None:
    await repository.commit(Change(operators=(an_operator("1001"), an_operator("1002"))))
    first, second = await repository.operators()
    with pytest.raises(Taken, match="phone 1001 belongs to another operator"):
        await repository.commit(told(2, operators=(an_operator("1001", name="Budi"),)))
    with pytest.raises(Taken, match="phone 1001 belongs to another operator"):
        await repository.commit(told(2, operators=(replace(second, phone="1001"),)))
    assert await repository.operators() == [first, second]
    assert await reads.events(0, 10) == []


async def test_a_retired_operators_phone_is_free_again_and_the_name_is_kept(repository: Repository) -> None:
    await repository.commit(Change(operators=(an_operator("1001"),)))
    [siti] = await repository.operators()
    retired = replace(siti, retired_at=NOON + timedelta(days=1))
    await repository.commit(Change(operators=(retired, an_operator("1001", name="Budi"))))
    [budi] = await repository.operators()
    assert budi.name == "Budi"
    assert await repository.operators(include_retired=True) == [retired, budi]
    with pytest.raises(Taken):
        await repository.commit(Change(operators=(siti,)))


async def test_an_operator_that_is_not_there_is_unknown(repository: Repository) -> None:
    with pytest.raises(Unknown, match="no operator 7"):
        await repository.commit(told(1, operators=(an_operator("1001", id=7),)))
    assert await repository.newest_seq() == 0


async def test_places_in_queues_are_put_changed_and_given_up(repository: Repository) -> None:
    await repository.commit(Change(members_put=(Member("emergency", "1002"), Member("emergency", "1001", 5))))
    await repository.commit(
        Change(
            members_removed=(("emergency", "1002"), ("emergency", "nobody")),
            members_put=(Member("emergency", "1001", 2), Member("callback", "1002", 1)),
        )
    )
    assert await repository.members() == [Member("callback", "1002", 1), Member("emergency", "1001", 2)]


async def test_a_webhook_keeps_its_place_and_can_be_forgotten(repository: Repository) -> None:
    first = Webhook("w1", "http://127.0.0.1/a", "s", ("call.ended",), 0, NOON)
    second = Webhook("w2", "http://127.0.0.1/b", "s", (), 7, NOON + timedelta(seconds=1))
    await repository.commit(Change(webhooks_put=(second, first)))
    await repository.commit(Change(webhooks_put=(replace(first, after_seq=2**40),), webhooks_removed=("w2", "w3")))
    assert await repository.webhooks() == [replace(first, after_seq=2**40)]
