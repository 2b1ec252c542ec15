"""`gateway112 run` in one terminal: what ends is started again, whatever stands in the way for a while."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from gateway import foreground
from gateway.foreground import Child


async def test_a_program_is_started_again_though_its_log_was_tidied_away_and_a_start_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "RESTART_PAUSE_S", 0.01)
    program, log, starts = tmp_path / "program", tmp_path / "program.log", tmp_path / "starts"

    def install() -> None:
        program.write_text(f"#!/bin/sh\necho once >> {starts}\nrm -f {program} {log}\n")
        program.chmod(0o700)

    install()
    child = Child("It", [str(program)], str(log))
    await child.start()
    staying = asyncio.create_task(child.stay())
    while program.exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not staying.done()
    install()
    async with asyncio.timeout(5):
        while starts.read_text() != "once\nonce\n":
            await asyncio.sleep(0.01)
    assert not staying.done()
    staying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await staying
    assert child.process
    await child.process.wait()
