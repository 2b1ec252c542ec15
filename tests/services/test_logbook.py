"""What was done at the machine itself comes into the audit log once, whatever else lies beside it."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, select

from gateway.logbook import FOLDER, Logbook, Step, leave_word
from gateway.store.database import reading
from gateway.store.tables import audit
from tests.domain.values import MONDAY
from tests.told import Services

MADE: dict[str, Any] = {"folder": "/mnt/backup/1", "recordings": 3}


async def entries(services: Services) -> list[RowMapping]:
    async with reading(services.store._engine) as connection:
        query = select(audit).where(audit.c.subject == "backup").order_by(audit.c.seq)
        return list((await connection.execute(query)).mappings())


async def test_word_that_was_left_is_taken_into_the_audit_log_once(services: Services, tmp_path: Path) -> None:
    logbook = Logbook(tmp_path, services.saving)
    assert await logbook.look() == 0
    leave_word(tmp_path, MONDAY, Step.BEGUN, "for the audit", {"folder": "/mnt/backup/1"})
    leave_word(tmp_path, MONDAY, Step.MADE, "for the audit", MADE)

    assert [await logbook.look(), await logbook.look()] == [2, 0]

    begun, made = await entries(services)
    assert (begun["action"], made["action"], made["note"]) == ("backup.begun", "backup.made", "for the audit")
    assert (made["role"], made["at"], made["after"]) == ("machine", MONDAY, '{"folder":"/mnt/backup/1","recordings":3}')
    assert made["actor"]
    assert os.listdir(tmp_path / FOLDER) == []


async def test_what_is_no_word_of_ours_is_set_aside_and_the_next_one_is_taken(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_word(tmp_path, MONDAY, Step.MADE, "", MADE)
    folder = tmp_path / FOLDER
    for name, text in (("a", "{}"), ("b", "no JSON"), ("c", '{"at": "2026-11-23T10:00:00", "step": "made"}')):
        (folder / f"{name}.json").write_text(text)
    (folder / "d.json").write_text('{"at": "2026-11-23T10:00:00Z", "who": "x", "step": "token.created", "note": ""}')
    (folder / "e.json").write_text(" " * 30_000)

    logbook = Logbook(tmp_path, services.saving)
    assert [await logbook.look(), await logbook.look()] == [1, 0]

    assert len(await entries(services)) == 1
    assert sorted(os.listdir(folder)) == [f"{name}.refused" for name in "abcde"]
    assert caplog.text.count("logbook_word_refused") == 5


async def test_one_that_cannot_be_read_keeps_no_other_waiting_and_is_told_once(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_word(tmp_path, MONDAY, Step.MADE, "", MADE)
    (tmp_path / FOLDER / "0.json").symlink_to(tmp_path / "elsewhere")

    logbook = Logbook(tmp_path, services.saving)
    assert [await logbook.look(), await logbook.look()] == [1, 0]

    assert os.listdir(tmp_path / FOLDER) == ["0.taken"]
    assert caplog.text.count("logbook_word_unreadable") == 1


async def test_killed_after_it_was_renamed_the_word_is_not_lost(services: Services, tmp_path: Path) -> None:
    leave_word(tmp_path, MONDAY, Step.MADE, "", MADE)
    logbook = Logbook(tmp_path, services.saving)
    logbook._taken()
    assert await logbook.look() == 1
    assert len(await entries(services)) == 1
