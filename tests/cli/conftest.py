"""The commands, run in this process against a real house: the API that they ask is the true one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.house import House, open_house
from tests.cli.typed import Typed, settle


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def typed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types commands as the admin of that house would, in its folder and with its token."""
    settle(tmp_path, monkeypatch, house.server.port)
    return Typed(capsys)
