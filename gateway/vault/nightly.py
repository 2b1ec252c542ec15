"""Each night the vault is verified, in the worker: the chains and signed heads of all days, every file of the two
newest ones, and of each other day once a week. What is found stands until a later look no longer finds it.

Counterparts: `worker.py` starts it, in a thread of its own, so that nothing is sealed later for it; `verify.py` looks,
`looks.py` keeps what came of it, day by day: whatever dies when, the next worker goes on with the next day.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from itertools import islice, zip_longest
from typing import NoReturn
from zoneinfo import ZoneInfo

from gateway.domain.evidence import Verification
from gateway.settings import Settings
from gateway.vault.heads import Heads
from gateway.vault.keys import KeyMissing, public_pems, ring_names
from gateway.vault.looks import Look, Looks
from gateway.vault.shelf import ShelfAway, shelf_for
from gateway.vault.verify import Verifier

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
RETRY_S = 600.0
LONGEST = timedelta(hours=4)
"""A night's work ends after so long; what is left comes first in the next one."""
NEWEST = 2
EACH = timedelta(days=7)
SOONER = timedelta(hours=12)
"""No night begins to the second a week after the other one."""
AGAIN_AFTER, AGAIN_AT_ONCE = timedelta(hours=1), 10
"""So soon, by day too, days are looked at again of which something was found, for it may have been mended; then, while
the same is found, after twice that, four times, and so on: in the end each night."""
NEWS_EVERY = timedelta(hours=1)
"""What is found new beside what stands is told so often at most."""
NAMED = 20
"""So many findings are named where all is summed up: one of each day first."""


class NotAllLooked(Exception):
    """Looking at some days failed; all others were looked at."""


class Nightly:
    """`clock` returns the time now, in UTC. Blocking throughout; making one may raise OSError."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._clock = clock
        self._zone = ZoneInfo(settings.centre.timezone)
        self._looks = Looks(settings.vault_dir)
        self._known = self._looks.all()
        self._broken: dict[date, str] = {}
        """Why looking at those days failed."""
        self._started_at = clock()
        stands = self._looks.summed_up()
        self._stands = stands or Verification(since=self._started_at)
        if stands is None:
            self._looks.sum_up(self._stands)

    def step(self) -> None:
        """Does what is due now. May raise ShelfAway, KeyMissing, NotAllLooked, OSError: then it is due again."""
        now = self._clock()
        night = self._night(now)
        # what a clock that was put back since has noted must not have it wait
        times = (each for each in (self._stands.at, self._stands.since) if each is not None and each <= now)
        is_over = night <= next(times, datetime.min.replace(tzinfo=UTC))
        if not is_over and now < self._until(night):
            self._work(night)
        else:
            self._look_again(now)

    def _night(self, now: datetime) -> datetime:
        """When the night that is newest now began."""
        here = now.astimezone(self._zone)
        begins = datetime.combine(here.date(), clock_time(self._settings.vault.verify_at_hour), self._zone)
        if begins > here:
            begins -= timedelta(days=1)  # by the clock on the wall
        return begins.astimezone(UTC)

    def _until(self, night: datetime) -> datetime:
        """When its work ends. A night that was missed, for the machine was off, begins when the worker does; one that
        was begun does not begin anew."""
        begun_at = self._stands.begun_at
        has_begun = begun_at is not None and night <= begun_at <= self._clock()
        return (begun_at if begun_at is not None and has_begun else max(night, self._started_at)) + LONGEST

    def _work(self, night: datetime) -> None:
        verifier = self._verifier()
        begun_at = self._until(night) - LONGEST
        there = verifier.days()
        self._broken.clear()
        for day in self._known.keys() - {*there, None}:
            self._looks.forget(day)
            del self._known[day]
        today = self._clock().date()  # days are named by UTC, too
        newest = set([day for day in there if day <= today][-NEWEST:])
        suspect = {day for day in there if _is_suspect(verifier, day)}
        due = [day for day in there if self._is_due(day, night, in_any_case=day in newest or day in suspect)]
        due.sort(key=lambda day: (day not in newest, self._looked_at(day), -day.toordinal()))
        while due and self._clock() < self._until(night):
            self._look(verifier, due.pop(0))
            self._sum_up(due=len(due), begun_at=begun_at)
        if due:
            log.warning("vault_not_all_verified", extra={"days_left": len(due)})
            return
        self._look_beside(verifier)
        if self._broken:
            self._sum_up(due=len(self._broken), is_told=True)
            raise NotAllLooked(self._why_broken)
        tonight = [each for each in self._known.values() if each.at >= night]
        counts = {"days": len(there), "recordings": sum(each.recordings for each in tonight)}
        self._sum_up(at=self._clock(), due=0, is_told=True, **counts)
        log.info("vault_verified", extra={**counts, "findings": self._stands.findings})

    def _is_due(self, day: date, night: datetime, *, in_any_case: bool) -> bool:
        look = self._known.get(day)
        if look is None or look.at > self._clock():
            return True
        if look.at >= night:
            return False  # tonight already
        is_its_turn = (night.date() - day).days % EACH.days == 0 or night - look.at > EACH - SOONER
        return in_any_case or bool(look.findings) or is_its_turn

    def _looked_at(self, day: date) -> datetime:
        look = self._known.get(day)
        return datetime.min.replace(tzinfo=UTC) if look is None else look.at

    def _look_again(self, now: datetime) -> None:
        old = [each for each in self._known.values() if each.findings and now - each.at >= _again_after(each)]
        if not old:
            if self._news(now) != self._stands.found_at:
                self._sum_up()
            return
        verifier = self._verifier()
        for look in sorted(old, key=lambda each: each.at)[:AGAIN_AT_ONCE]:
            if look.day is None:
                self._look_beside(verifier)
            else:
                self._look(verifier, look.day)
        self._sum_up()
        if any(each.day in self._broken for each in old):
            raise NotAllLooked(self._why_broken)

    @property
    def _why_broken(self) -> str:
        """Empty where nothing is."""
        first = next((f"{day}: {why}" for day, why in self._broken.items()), "")
        return f"{len(self._broken)} days could not be looked at, the first: {first}" if first else ""

    def _look(self, verifier: Verifier, day: date) -> None:
        try:
            verifier.reach(day)
            found = verifier.look_at(day)
        except ShelfAway:
            raise
        except Exception as error:  # one day holds up no other
            log.exception("vault_day_not_verified", extra={"day": day.isoformat()})
            self._broken[day] = repr(error)
            return
        self._broken.pop(day, None)
        self._keep(Look.of(day, self._clock(), found, self._known.get(day)))

    def _look_beside(self, verifier: Verifier) -> None:
        self._keep(Look.of(None, self._clock(), verifier.look_beside(), self._known.get(None)))

    def _keep(self, look: Look) -> None:
        self._looks.keep(look)
        self._known[look.day] = look

    def _found(self) -> list[Look]:
        """The looks that found something, what is new first."""
        found = (each for each in self._known.values() if each.findings)
        return sorted(found, key=lambda each: each.same_since, reverse=True)

    def _news(self, now: datetime, *, is_told: bool = False) -> datetime | None:
        """When something new was found last; as it was told before, where that was not long ago."""
        told_at = self._stands.found_at
        newest = next((each.same_since for each in self._found()), None)
        if newest is None or (told_at is not None and newest <= told_at <= now):
            return told_at
        is_time = told_at is None or not timedelta() <= now - told_at < NEWS_EVERY
        return newest if is_told or is_time else told_at

    def _sum_up(self, *, is_told: bool = False, **what: object) -> None:
        """`is_told` where what was found new is told in any case."""
        found = self._found()
        fields = {
            "findings": sum(each.findings for each in found),
            "first": tuple(islice(_one_of_each_first(found), NAMED)),
            "problem": self._why_broken,
            "found_at": self._news(self._clock(), is_told=is_told),
            **what,
        }
        self._stands = replace(self._stands, **fields)  # type: ignore[arg-type]
        self._looks.sum_up(self._stands)

    def tell_of(self, problem: str) -> None:
        """Keeps why it cannot be looked."""
        self._stands = replace(self._stands, problem=problem)
        try:
            self._looks.sum_up(self._stands)
        except OSError as error:  # the disk may be what is wrong: it is tried again
            log.warning("vault_verification_not_kept", extra={"reason": str(error)})

    def _verifier(self) -> Verifier:
        vault_dir = self._settings.vault_dir
        return Verifier(
            self._settings.paths.recordings,
            shelf_for(self._settings),
            public_pems(vault_dir),
            lambda: ring_names(vault_dir),
            heads=Heads(vault_dir),
            is_written_to=lambda: True,
        )


def _is_suspect(verifier: Verifier, day: date) -> bool:
    """Whether the chain is not in order, or that cannot be said: then the look at the whole day tells why."""
    try:
        return bool(verifier.heads([day]))
    except Exception:
        log.exception("vault_day_not_verified", extra={"day": day.isoformat()})
        return True


def _again_after(look: Look) -> timedelta:
    return AGAIN_AFTER + (look.at - look.same_since)


def _one_of_each_first(found: list[Look]) -> Iterator[str]:
    for row in zip_longest(*(each.first for each in found)):
        yield from (words for words in row if words is not None)


def run(settings: Settings) -> NoReturn:
    """Works through each night, for ever."""
    nightly: Nightly | None = None
    while True:
        pause_s, problem = LOOK_EVERY_S, ""
        try:
            nightly = nightly or Nightly(settings)
            nightly.step()
        except (ShelfAway, KeyMissing, NotAllLooked, OSError) as error:
            log.warning("vault_not_verified", extra={"reason": str(error)})
            problem = str(error) or repr(error)
        except Exception as error:
            log.exception("vault_verifying_broken")
            problem = f"a defect, which is in the log: {error!r}"
        if problem:
            pause_s = RETRY_S
            if nightly is not None:
                nightly.tell_of(problem)
        time.sleep(pause_s)


def start(settings: Settings) -> None:
    """Verifies each night from now on, in a thread of its own: what it needs of the disk keeps nobody from sealing."""
    threading.Thread(target=run, args=(settings,), name="verifying", daemon=True).start()
