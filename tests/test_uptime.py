"""How long the machine runs, by a clock that nobody sets."""

import time
from pathlib import Path

import pytest

from gateway import uptime as module
from gateway.uptime import uptime


@pytest.mark.parametrize("boot_id", [module._BOOT_ID, Path("/nonexistent")])
def test_it_goes_on_and_names_the_start_that_it_counts_from(boot_id: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOOT_ID", boot_id)
    first, began_s = uptime(), time.monotonic()
    later = uptime()
    assert first.boot == later.boot != ""
    assert 0 <= later.seconds - first.seconds <= time.monotonic() - began_s + 0.1
