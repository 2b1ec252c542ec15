"""A centre full of people for `bench/roster.py`: operators, queues, shifts, a roster, and the calls of eight weeks.

Counterpart: `gateway/store/`, into which all of it is put before the gateway starts.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.domain.call import Call, Outcome, Stage
from gateway.domain.change import Change
from gateway.domain.kept import Kept
from gateway.domain.operators import Operator
from gateway.domain.queues import Queue
from gateway.domain.roster import Assignment
from gateway.domain.shifts import Shift
from gateway.domain.workload import HISTORY
from gateway.settings import Settings
from gateway.store.database import open_database
from gateway.store.repository import Repository

Thing = TypeVar("Thing", bound=Kept)

FIRST_PHONE = 2001
SHIFTS = {"pagi": (6, 14), "sore": (14, 22), "malam": (22, 6)}
CYCLE = 4
"""Each operator works a morning, an afternoon and a night, and is free on the fourth day."""
AT_ONCE = 2000
"""Things of one transaction."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is there, as stored, in the order of their phones; queues and shifts likewise."""

    operators: Sequence[Operator]
    queues: Sequence[Queue]
    shifts: Sequence[Shift]

    def turn(self, number: int, day: date) -> int | None:
        """Which shift that operator works on that day; None when free."""
        turn = (day.toordinal() + number) % CYCLE
        return turn if turn < len(self.shifts) else None

    def queue(self, number: int) -> Queue:
        """Where that operator answers."""
        return self.queues[number % len(self.queues)]

    def roster(self, first: date, days: int) -> Iterator[Assignment]:
        """One assignment for each operator and day of work, as a file with a line for each brings them."""
        for day in (first + timedelta(days=number) for number in range(days)):
            for number, operator in enumerate(self.operators):
                if (turn := self.turn(number, day)) is not None:
                    yield Assignment(
                        operator_id=operator.id,
                        shift_id=self.shifts[turn].id,
                        queue=self.queue(number).name,
                        first_date=day,
                        last_date=day,
                        created_at=_now(),
                    )


async def hire(settings: Settings, *, operators: int, queues: int, days: int, calls: int) -> tuple[Staff, int]:
    """Puts everything into the store of a centre whose gateway does not run; the roster begins a month ago. Returns
    the staff and how many assignments there are."""
    engine = await open_database(settings.database_url)
    repository = Repository(engine)
    try:
        now, today = _now(), _now().astimezone(ZoneInfo(settings.centre.timezone)).date()
        first = today - timedelta(days=31)
        names = [settings.call.queue, *(f"queue_{number}" for number in range(2, queues + 1))]
        staff = Staff(
            await _put(repository, (_operator(FIRST_PHONE + number, now) for number in range(operators))),
            # enough of a minimum that there are holes to be found
            await _put(repository, (Queue(name=name, minimum=2, created_at=now - HISTORY) for name in names)),
            await _put(
                repository,
                (
                    Shift(name=name, start=time(start), end=time(end), first_date=first, overlap_min=15, created_at=now)
                    for name, (start, end) in SHIFTS.items()
                ),
            ),
        )
        made = await _put(repository, staff.roster(first, days))
        await repository.open_calls()
        history = list(_calls(calls, names, now))
        for start in range(0, len(history), AT_ONCE):
            await repository.commit(Change(calls=tuple(history[start : start + AT_ONCE])))
        return staff, len(made)
    finally:
        await repository.close()


async def hire_more(settings: Settings, staff: Staff, count: int) -> Staff:
    """The staff with so many more operators, who have no roster yet. The gateway must not run."""
    repository = Repository(await open_database(settings.database_url))
    try:
        first = FIRST_PHONE + len(staff.operators)
        more = await _put(repository, (_operator(first + number, _now()) for number in range(count)))
        return Staff((*staff.operators, *more), staff.queues, staff.shifts)
    finally:
        await repository.close()


async def _put(repository: Repository, things: Iterable[Thing]) -> list[Thing]:
    """The things as stored."""
    given, stored = list(things), list[Thing]()
    for start in range(0, len(given), AT_ONCE):
        stored += (await repository.commit(Change(kept=tuple(given[start : start + AT_ONCE])))).kept  # type: ignore[arg-type]
    return stored


def _operator(phone: int, now: datetime) -> Operator:
    return Operator(name=f"Petugas {phone}", phone=str(phone), digest=f"{phone:032x}", created_at=now)


def _calls(count: int, queues: Sequence[str], now: datetime) -> Iterator[Call]:
    """Answered calls of the past weeks, at random times."""
    chance = random.Random(112)  # noqa: S311  # the same in each run
    for number in range(count):
        arrived_at = now - HISTORY * chance.random()
        answered_at = arrived_at + timedelta(seconds=chance.uniform(5, 20))
        yield Call(
            id=f"bench-{number}",
            trunk="telkomsel",
            caller=f"0811{number:07}",
            arrived_at=arrived_at,
            stage=Stage.ENDED,
            queue=chance.choice(queues),
            queued_at=arrived_at,
            answered_at=answered_at,
            ended_at=answered_at + timedelta(seconds=chance.expovariate(1 / 120)),
            outcome=Outcome.ANSWERED,
            cause=16,
        )


def _now() -> datetime:
    return datetime.now(UTC)
