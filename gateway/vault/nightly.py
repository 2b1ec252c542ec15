"""Each night the vault is verified, in the worker: the chains and signed heads of all days, every file of the two
newest ones, and of each other day once a week. What is found stands until a later look no longer finds it.

Counterparts: `worker.py` starts it, in a thread of its own, so that nothing is sealed later for it; `verify.py` looks,
`looks.py` keeps what came of it, day by day: whatever dies when, the next worker goes on with the next day.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import NoReturn
from zoneinfo import ZoneInfo

from gateway.domain.evidence import Verification
from gateway.settings import Settings
from gateway.vault.heads import Heads
from gateway.vault.keys import KeyMissing, KeyRing, public_pems
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
"""So soon, by day too, days are looked at again of which something was found: it may have been mended."""
NAMED = 20
"""So many findings are named where all is summed up."""


class Nightly:
    """`clock` returns the time now, in UTC. Blocking throughout."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._clock = clock
        self._zone = ZoneInfo(settings.centre.timezone)
        self._looks = Looks(settings.vault_dir)
        self._known = self._looks.all()
        self._started_at = clock()
        stands = self._looks.summed_up()
        self._stands = stands or Verification(since=self._started_at)
        if stands is None:
            self._looks.sum_up(self._stands)

    def run(self) -> NoReturn:
        """Works through each night, for ever."""
        while True:
            pause_s = LOOK_EVERY_S
            try:
                self.step()
            except (ShelfAway, KeyMissing, OSError) as error:
                log.warning("vault_not_verified", extra={"reason": str(error)})
                self._problem(str(error))
                pause_s = RETRY_S
            except Exception as error:
                log.exception("vault_verifying_broken")
                self._problem(f"a defect, which is in the log: {error!r}")
                pause_s = RETRY_S
            time.sleep(pause_s)

    def step(self) -> None:
        """Does what is due now. May raise ShelfAway, KeyMissing, OSError: then it is due again."""
        now = self._clock()
        night = self._night(now)
        # what a clock that was put back since has noted must not have it wait
        times = (each for each in (self._stands.at, self._stands.since) if each is not None and each <= now)
        if night > next(times, datetime.min.replace(tzinfo=UTC)):
            if now < self._until(night):
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
        """When its work ends. A night that was missed, for the machine was off, begins when the worker does."""
        return max(night, self._started_at) + LONGEST

    def _work(self, night: datetime) -> None:
        verifier = self._verifier()
        there = verifier.days()
        for day in self._known.keys() - {*there, None}:
            self._looks.forget(day)
            del self._known[day]
        newest = set(there[-NEWEST:])
        suspect = {each.day for each in verifier.heads(there)}
        due = [day for day in there if self._is_due(day, night, in_any_case=day in newest or day in suspect)]
        due.sort(key=lambda day: (day not in newest, self._looked_at(day), -day.toordinal()))
        while due and self._clock() < self._until(night):
            self._look(verifier, due.pop(0))
            self._sum_up(due=len(due))
        if due:
            log.warning("vault_not_all_verified", extra={"days_left": len(due)})
            return
        self._look_beside(verifier)
        tonight = [each for each in self._known.values() if each.at >= night]
        counts = {"days": len(there), "recordings": sum(each.recordings for each in tonight)}
        self._sum_up(at=self._clock(), due=0, **counts)
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
        old = [each for each in self._known.values() if each.findings and now - each.at >= AGAIN_AFTER]
        if not old:
            return
        verifier = self._verifier()
        for look in sorted(old, key=lambda each: each.at)[:AGAIN_AT_ONCE]:
            if look.day is None:
                self._look_beside(verifier)
            else:
                self._look(verifier, look.day)
        self._sum_up()

    def _look(self, verifier: Verifier, day: date) -> None:
        verifier.reach(day)
        self._keep(Look.of(day, self._clock(), verifier.look_at(day)))

    def _look_beside(self, verifier: Verifier) -> None:
        self._keep(Look.of(None, self._clock(), verifier.look_beside()))

    def _keep(self, look: Look) -> None:
        self._looks.keep(look)
        self._known[look.day] = look

    def _sum_up(self, **what: object) -> None:
        found = sorted((each for each in self._known.values() if each.findings), key=lambda each: each.at, reverse=True)
        first = tuple(words for each in found for words in each.first)[:NAMED]
        fields = {"findings": sum(each.findings for each in found), "first": first, "problem": "", **what}
        self._stands = replace(self._stands, **fields)  # type: ignore[arg-type]
        self._looks.sum_up(self._stands)

    def _problem(self, problem: str) -> None:
        self._stands = replace(self._stands, problem=problem)
        try:
            self._looks.sum_up(self._stands)
        except OSError as error:  # the disk may be what is wrong: it is tried again
            log.warning("vault_verification_not_kept", extra={"reason": str(error)})

    def _verifier(self) -> Verifier:
        vault_dir = self._settings.vault_dir
        try:
            names = frozenset(KeyRing(vault_dir).names)
        except KeyMissing:
            names = frozenset()
        return Verifier(
            self._settings.paths.recordings,
            shelf_for(self._settings),
            public_pems(vault_dir),
            names,
            heads=Heads(vault_dir),
            is_written_to=lambda: True,
        )


def start(settings: Settings) -> None:
    """Verifies each night from now on, in a thread of its own."""
    threading.Thread(target=Nightly(settings).run, name="verifying", daemon=True).start()
