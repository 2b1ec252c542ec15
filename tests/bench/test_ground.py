"""What an overload and a soak count as lost: the fault campaign's check, and what is left out of it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.ground import UNAVAILABLE, held_against
from chaos.conservation import Kind, Told, Troubles
from chaos.sightings import Seen
from chaos.traffic import Traffic
from tests.chaos.test_conservation import T0, TALKS, a_call, a_recording, a_seen

UNHEARD = {"tried_at": None, "answered_at": None, "acked_at": None, "left_at": None}
REFUSED = {"answered_at": None, "left_at": None, "refused_at": T0 + 0.1, "status": UNAVAILABLE}
DROPPED = {"answered_at": None, "acked_at": None, "left_at": None}
"""Asterisk said 100, and nothing ever more."""


def found(seen: Seen, *calls: dict[str, Any], refuses: bool, recordings: int | None = None) -> list[Kind]:
    traffic = cast(Traffic, SimpleNamespace(seen=[seen], talks=TALKS if seen.answered_at else {}))
    told = Told(calls, None if recordings is None else [a_recording()] * recordings)
    return [each.kind for each in held_against(traffic, told, Troubles(), refuses=refuses)]


@pytest.mark.parametrize("change", [UNHEARD, REFUSED])
def test_what_asterisk_never_answered_or_refused_is_lost_in_a_soak_and_none_in_an_overload(
    change: dict[str, Any],
) -> None:
    assert found(a_seen(**change), refuses=False, recordings=0) == [Kind.LOST]
    assert found(a_seen(**change), refuses=True) == []
    failed = a_call(outcome="failed", answered_at=None, spoke_at=None)
    assert found(a_seen(**change), failed, refuses=True) == []


def test_what_asterisk_took_and_dropped_is_lost_in_an_overload_too() -> None:
    assert found(a_seen(**DROPPED), refuses=True) == [Kind.LOST]


def test_each_call_of_a_soak_has_its_recording() -> None:
    assert found(a_seen(), a_call(), refuses=False, recordings=1) == []
    assert found(a_seen(), a_call(), refuses=False, recordings=0) == [Kind.LOST]
    assert found(a_seen(), a_call(recording=None), refuses=False, recordings=1) == [Kind.WRONG]
    assert found(a_seen(), a_call(), refuses=True) == []
