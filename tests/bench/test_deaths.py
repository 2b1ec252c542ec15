"""What is a fault where something was killed."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.calls import killing
from tests.centre import RealCentre

AT = "2026-11-27T01:00:00+00:00"
CALL = {"id": "112-1.0", "arrived_at": AT, "greeted_at": None, "ended_at": AT, "outcome": "cancelled"}
ROW = {"id": "112-1.0", "call_id": "112-1.0", "kind": "call", "state": "empty", "sound_s": None}


@pytest.mark.parametrize(
    ("sent", "died", "faults"), [(1, [], 0), (2, [], 1), (2, [datetime.fromisoformat(AT).astimezone(UTC)], 0)]
)
def test_a_call_that_is_not_in_the_history_is_a_fault_unless_asterisk_died(
    tmp_path: Path, sent: int, died: list[datetime], faults: int
) -> None:
    paths: Any = SimpleNamespace(recordings=tmp_path)
    centre = cast(RealCentre, SimpleNamespace(settings=SimpleNamespace(paths=paths)))
    assert len(killing.judge(centre, sent, [CALL], [ROW], set(), died).faults) == faults
