"""A campaign that breaks nothing, or to which nobody calls, says so."""

import subprocess
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos.campaign import Leg, _Course
from chaos.faults import FAULTS
from chaos.ground import Ground
from chaos.rings import Rings
from chaos.sightings import Seen
from chaos.traffic import OTHER, STEADY


def findings(came: int, trunk: str = STEADY[1]) -> int:
    """Of a campaign of a minute and one call a second."""
    seen = [Seen(str(each), str(each), trunk, 0.0, 0.0) for each in range(came)]
    ground: Any = SimpleNamespace(traffic=SimpleNamespace(seen=seen, read=lambda: None))
    leg = Leg("sqlite", time.time() - 60)
    course = _Course(ground, cast(Any, None), leg, Rings.of(()), lambda words: None, lambda struck: None)
    course._have_come(1)
    return len(course._watched)


def test_a_carrier_that_ended_by_itself_is_a_finding() -> None:
    assert findings(60) == 0
    assert findings(40) == 1
    assert findings(0) == 1
    assert findings(60, OTHER[1]) == 1


@pytest.mark.parametrize("name", ["vault's worker killed", "vault's worker stopped"])
def test_where_no_worker_runs_none_was_broken(name: str) -> None:
    [fault] = [each for each in FAULTS if each.name == name]
    with subprocess.Popen(["sleep", "60"]) as childless:  # other tests may have begun workers of this process
        ground: Any = SimpleNamespace(centre=SimpleNamespace(gateway_pid=childless.pid))
        said = fault.why_not(cast(Ground, ground))
        childless.kill()
    assert "no worker" in said
