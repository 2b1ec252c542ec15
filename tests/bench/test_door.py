"""What the door's table tells of a door that answers nobody any more."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import door
from tests.centre import RealCentre

ATTACK_S = 0.2


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _nothing(centre: RealCentre, attack_s: float) -> Counter[str]:
    await asyncio.sleep(attack_s)
    return Counter()


async def test_a_request_that_hangs_until_the_attack_is_over_is_one_that_was_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_LIMIT_S", 2 * ATTACK_S)
    (tmp_path / "admin-token").write_text("token")
    async with await asyncio.start_server(_swallow, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings: Any = SimpleNamespace(paths=SimpleNamespace(var=tmp_path), api_url=url)
        centre = cast(RealCentre, SimpleNamespace(settings=settings, gateway_pid=os.getpid()))
        found = await door._during(centre, _nothing, ATTACK_S)
    assert found.bad.total() == 1
    assert not found.good_ms
