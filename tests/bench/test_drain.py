"""What waits for the vault's worker in the rounds of the drain: where nothing waits, nothing does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import drain
from gateway.domain.change import Change
from gateway.domain.recordings import Kind, Recording, State
from gateway.store.database import open_database
from gateway.store.evidence_reads import StoredEvidence
from gateway.store.repository import Repository

NOW = datetime.now(UTC)
WAITS = Recording(
    id=f"{drain.ID}0", kind=Kind.CALL, file="a.raw", started_at=NOW, state=State.OVER, ended_at=NOW, sound_s=10.0
)
OF_A_ROUND = replace(WAITS, id="112-1.0", file="b.raw")
STILL_RUNS = replace(WAITS, id="112-2.0", file="c.raw", state=State.RUNNING, ended_at=None)


async def test_the_calls_of_the_round_before_do_not_wait_in_the_next_one(tmp_path: Path) -> None:
    engine = await open_database(f"sqlite+aiosqlite:///{tmp_path}/gateway112.db")
    store, evidence = Repository(engine), StoredEvidence(engine)
    try:
        await store.commit(Change(recordings=(WAITS, OF_A_ROUND, STILL_RUNS)))

        async def waiting() -> list[str]:
            return [each.id for each in await evidence.sealable(datetime.now(UTC), 20)]

        await drain._wait_until(engine, datetime.now(UTC) + timedelta(hours=1))
        assert await waiting() == []
        [runs] = await store.running_recordings()
        await store.commit(Change(recordings=(replace(runs, state=State.OVER, ended_at=NOW),)))
        assert await waiting() == []
        await drain._wait_until(engine, None)
        assert await waiting() == [WAITS.id]
    finally:
        await store.close()
