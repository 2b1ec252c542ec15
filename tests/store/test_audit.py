"""The audit log: each change is in it, the chain holds, and whoever alters it is found."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.domain.audit import GENESIS, Actor, Deed
from gateway.domain.change import Change
from gateway.domain.operators import Operator
from gateway.store.database import writing
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from tests.store.values import NOON, an_operator

ANI = Actor("Ani", "admin", "10.0.0.7")


async def three_changes(repository: Repository) -> None:
    new = an_operator("1001", name="Siti 🚒 “kios”")
    [siti] = (
        await repository.commit(Change(kept=(new,), deeds=(Deed(NOON, ANI, "operator.created", None, new),)))
    ).kept
    renamed = replace(siti, name="Siti A")
    await repository.commit(Change(kept=(renamed,), deeds=(Deed(NOON, ANI, "operator.changed", siti, renamed),)))
    deed = Deed(NOON, ANI, "operator.paused", subject="operator/1", data={"phone": "1001"}, note="lunch")
    await repository.commit(Change(deeds=(deed,)))


async def test_each_deed_is_an_entry_with_before_and_after_and_an_event(repository: Repository, reads: Reads) -> None:
    await three_changes(repository)
    created, changed, paused = await reads.kept.audit(0, 10)
    assert (created.seq, created.actor, created.role, created.address) == (1, "Ani", "admin", "10.0.0.7")
    assert (created.previous, changed.previous, paused.previous) == (GENESIS, created.hash, changed.hash)
    assert created.before == ""
    assert created.after == changed.before
    assert '"name":"Siti A"' in changed.after
    assert (paused.subject, paused.note, paused.after) == ("operator/1", "lunch", "")
    events = [stored.event for stored in await reads.events(0, 10)]
    assert [event.type for event in events] == ["operator.created", "operator.changed", "operator.paused"]
    [siti] = await repository.kept(Operator)
    assert events[0].data["id"] == siti.id
    assert events[2].data == {"phone": "1001", "by": "Ani"}


async def test_the_newest_entries_are_told_first_before_a_number(repository: Repository, reads: Reads) -> None:
    await three_changes(repository)
    newest = await reads.kept.audit(0, 2, before=2**63 - 1)
    assert [each.seq for each in newest] == [3, 2]
    assert [each.seq for each in await reads.kept.audit(0, 2, before=2, actor="Ani")] == [1]


async def test_what_is_secret_is_in_no_entry_and_no_event(repository: Repository, reads: Reads) -> None:
    await three_changes(repository)
    told = repr(await reads.kept.audit(0, 10)) + repr(await reads.events(0, 10))
    assert "digest" not in told
    assert "'d1'" not in told


async def test_a_change_that_fails_leaves_no_entry(repository: Repository, reads: Reads) -> None:
    await three_changes(repository)
    twin = an_operator("1001")
    with pytest.raises(Exception, match="belongs to another"):
        await repository.commit(Change(kept=(twin,), deeds=(Deed(NOON, ANI, "operator.created", None, twin),)))
    assert len(await reads.kept.audit(0, 10)) == 3
    assert await reads.kept.verify_audit() == (3, (await reads.kept.audit(2, 1))[0].hash, None)


async def test_however_long_a_name_is_the_chain_is_whole(repository: Repository, reads: Reads) -> None:
    """A stray file among the recordings may have a name of 251 characters, and somebody may listen to it."""
    subject = f"recording/{'a' * 251}"
    deed = Deed(NOON, Actor("b" * 300, "machine"), "recording.heard", subject=subject)
    await repository.commit(Change(deeds=(deed,)))
    await three_changes(repository)
    assert (await reads.kept.verify_audit())[2] is None
    assert [each.seq for each in await reads.kept.audit(0, 10, subject=subject)] == [1]


async def test_whatever_a_name_holds_the_chain_is_whole(repository: Repository, reads: Reads) -> None:
    new = an_operator("1001", name="a\0b\ud83dc\u2028'\"\\")
    await repository.commit(
        Change(kept=(new,), deeds=(Deed(NOON, Actor("x\0", "admin"), "operator.created", None, new),))
    )
    assert (await reads.kept.verify_audit())[2] is None


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'Budi'", "DELETE FROM audit WHERE seq = 2"])
async def test_the_database_refuses_to_change_an_entry(
    repository: Repository, reads: Reads, engine: AsyncEngine, statement: str
) -> None:
    await three_changes(repository)
    with pytest.raises(Exception, match="never changed"):
        async with writing(engine) as connection:
            await connection.execute(text(statement))
    assert (await reads.kept.verify_audit())[2] is None


UNLOCK = {
    "sqlite": ("DROP TRIGGER audit_never_updates", "DROP TRIGGER audit_never_deletes"),
    "postgresql": ("DROP TRIGGER audit_never_changes ON audit",),
}


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET actor = 'Budi' WHERE seq = 2", 2),
        ("UPDATE audit SET after = '' WHERE seq = 1", 1),
        ("UPDATE audit SET note = 'dinner' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ],
)
async def test_whoever_takes_the_lock_off_and_alters_an_entry_is_found(
    repository: Repository, reads: Reads, engine: AsyncEngine, statement: str, broken_at: int
) -> None:
    await three_changes(repository)
    async with writing(engine) as connection:
        for each in (*UNLOCK[engine.dialect.name], statement):
            await connection.execute(text(each))
    entries, _, found = await reads.kept.verify_audit()
    assert found == broken_at
    assert entries < 3
