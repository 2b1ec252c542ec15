"""Whoever waits in Asterisk is woken once the machine's clock is set back, and not by anything else that it does."""

from datetime import timedelta

import pytest

from gateway.ports import SwitchboardAway
from gateway.setback import LEAST_S, SetBack
from tests.domain.values import MONDAY
from tests.told import Clock


class Asterisk:
    """Counts how often it was told."""

    def __init__(self) -> None:
        self.woken = 0
        self.is_away = False

    async def wake(self) -> int:
        if self.is_away:
            raise SwitchboardAway("nobody listens")
        self.woken += 1
        return 1


@pytest.fixture
def asterisk() -> Asterisk:
    return Asterisk()


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def setback(asterisk: Asterisk, clock: Clock) -> SetBack:
    return SetBack(wake=asterisk.wake, clock=clock, clock_s=clock.seconds)


def passes(clock: Clock, by_clock_s: float, truly_s: float = 1.0) -> None:
    clock.at = clock() + timedelta(seconds=by_clock_s)
    clock.now_s += truly_s


@pytest.mark.parametrize("by_clock_s", [-3600, -LEAST_S, 1 - LEAST_S])
async def test_a_clock_that_is_set_back_wakes_them_once(
    setback: SetBack, asterisk: Asterisk, clock: Clock, by_clock_s: float
) -> None:
    passes(clock, by_clock_s)
    await setback.look()
    passes(clock, 1)
    await setback.look()
    assert asterisk.woken == 1


@pytest.mark.parametrize(("by_clock_s", "truly_s"), [(1, 1), (3600, 1), (0.5, 1), (9, 10), (10, 8)])
async def test_a_clock_that_goes_on_or_ahead_or_is_slowed_wakes_nobody(
    setback: SetBack, asterisk: Asterisk, clock: Clock, by_clock_s: float, truly_s: float
) -> None:
    passes(clock, by_clock_s, truly_s)
    await setback.look()
    assert asterisk.woken == 0


async def test_an_asterisk_that_is_away_is_told_once_it_is_there(
    setback: SetBack, asterisk: Asterisk, clock: Clock
) -> None:
    asterisk.is_away = True
    passes(clock, -3600)
    await setback.look()
    passes(clock, 1)
    await setback.look()
    asterisk.is_away = False
    passes(clock, 1)
    await setback.look()
    passes(clock, 1)
    await setback.look()
    assert asterisk.woken == 1
