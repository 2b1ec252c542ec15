"""Which rate an overload calls carried, and that it sends what it says."""

import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import ground, overload
from bench.ground import Ground
from chaos.sightings import Seen, Talk
from chaos.traffic import Traffic

LATER = 4e9
"""After the moment of any look."""


def a_seen(number: str, answered_at: float | None) -> Seen:
    return Seen(number, number, "indosat", LATER, LATER, answered_at=answered_at)


GOOD = [a_seen(str(number), LATER) for number in range(20)]
TALKS = {each.number: [Talk(each.number, LATER + 0.1)] for each in GOOD}
UNANSWERED = [a_seen(str(number), None) for number in range(20, 30)]


async def carried(monkeypatch: pytest.MonkeyPatch, rounds: Sequence[list[Seen]]) -> int:
    """Which rate is called carried where each one in turn has those callers, and the last ones all that follow."""
    seen, left = list[Seen](), list(rounds)

    async def goes_on(on: Ground, carrier: Any) -> None:
        if carrier == "callers":
            seen[:] = left.pop(0) if len(left) > 1 else left[0]

    async def metrics(_: Any) -> dict[str, float]:
        return {overload.STRAIN: 0.1}

    monkeypatch.setattr(overload, "TRIED_S", 0.05 - overload.CARRIED_WAIT_S)
    monkeypatch.setattr(overload, "LOOK_S", 0.01)
    monkeypatch.setattr(overload, "_goes_on", goes_on)
    monkeypatch.setattr(overload, "_callers", lambda *_: "callers")
    monkeypatch.setattr(overload, "_speakers", lambda *_: SimpleNamespace(call_no_more=lambda: None))
    monkeypatch.setattr(ground, "metrics", metrics)
    traffic = SimpleNamespace(seen=seen, talks=TALKS, read=lambda: None)
    return await overload._carried(cast(Ground, SimpleNamespace(traffic=traffic, api=None)), lambda words: None)


async def test_a_rate_at_which_112_does_not_answer_every_tenth_caller_is_not_carried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await carried(monkeypatch, [GOOD]) == overload.RATES[-1]
    assert await carried(monkeypatch, [GOOD, GOOD, [*GOOD, *UNANSWERED]]) == overload.RATES[1]


async def test_where_not_even_the_lowest_rate_is_carried_none_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="not even"):
        await carried(monkeypatch, [[*GOOD, *UNANSWERED]])


def test_callers_come_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sip.tempfile.mkdtemp", lambda **_: str(tmp_path))  # nobody starts them, nor clears up
    traffic = Traffic(tmp_path, 5060, random.Random(1), longest_ms=0)
    options = overload._callers(traffic, 160, 60)._options
    last = max(place for place, option in enumerate(options) if option == "-l")
    assert int(options[last + 1]) >= 160 * 60
