"""Silence: trunks that bring no calls where they usually do, or do not answer, and test calls that fail or do not come.

Counterparts: `flow.py` tells of each call that comes; `domain/habits.py` says when a silence is no chance; the live
board tells which carriers answer.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from gateway.domain.alarms import Alarm
from gateway.domain.books import Books
from gateway.domain.call import PROBE_TRUNK
from gateway.domain.flow import PROBE_FAILED, QUIET_TRUNK, Arrival
from gateway.domain.habits import LOOKS_BACK, ProbeCall, clock, is_too_quiet, probe_fault
from gateway.domain.presence import LEAP
from gateway.domain.trunks import Trunk
from gateway.line import Line
from gateway.past import Past

UNANSWERED = timedelta(minutes=1)
"""How long a carrier may leave OPTIONS unanswered, and a registration not taken."""
DEAF = timedelta(minutes=1)
"""Where the centre itself heard nothing for longer than this, calls may have failed to come for that reason."""
PROBES_READ = 40
_NO_CALL = "no call since"
_EVER = datetime.min.replace(tzinfo=UTC)


class Silence:
    """A silence counts from when on the centre hears: one that it slept through is nobody's fault. An alarm that stands
    stands until the trunk brings a call or answers again, also over a restart."""

    def __init__(self, past: Past, line: Line) -> None:
        self._past = past
        self._line = line
        self._last: dict[str, datetime] = {}
        self._asked_for: frozenset[str] = frozenset()
        self._heard_since: datetime | None = None
        self._heard_at = _EVER
        self._amiss_since: dict[tuple[str, str], datetime] = {}
        """Since when something is not as it should be, by the trunk and what it is."""
        self._told: dict[str, tuple[datetime, str]] = {}
        """What is said of each silence, by its beginning: the words stay while it lasts."""
        self._probes: list[ProbeCall] = []
        self._is_probe_new = True
        self._alarms: dict[str, Alarm] = {}

    def adopt(self, alarm: Alarm) -> None:
        """Takes up an alarm that stood when the gateway was started anew."""
        self._alarms[alarm.subject] = alarm
        said = alarm.detail.partition("; ")[0]
        if alarm.kind == QUIET_TRUNK and said.startswith(_NO_CALL):
            self._told[alarm.subject] = alarm.raised_at, said

    def take(self, arrival: Arrival) -> None:
        """Takes a call that came. Never waits."""
        self._last[arrival.trunk] = max(arrival.at, self._last.get(arrival.trunk, arrival.at))

    def take_probe(self) -> None:
        """A test call came or ended. Never waits."""
        self._is_probe_new = True

    async def alarms(self, books: Books, now: datetime, *, is_hearing: bool) -> list[Alarm]:
        """The silences that go on. While the centre itself does not hear, those that stood stand."""
        self._take_back(now)
        if is_hearing:
            heard_since = self._hears(now)
            await self._read(books.trunks, now)
            found = [*self._quiet_trunks(books, heard_since, now), *self._failed_probe(heard_since, now)]
            self._alarms = {alarm.subject: alarm for alarm in found}
        return list(self._alarms.values())

    def _hears(self, now: datetime) -> datetime:
        """Since when the centre hears what comes."""
        if now < self._heard_at:
            self._is_probe_new = True
        if self._heard_since is None or not timedelta(0) <= now - self._heard_at <= DEAF:
            self._heard_since = now
        self._heard_at = now
        return self._heard_since

    def _take_back(self, now: datetime) -> None:
        """What came by a clock that has been put back since came by now: or no silence would be seen before that clock
        has come round, nor that the next call comes after it. Such a call may be told of late, and such an alarm be
        taken up by a new start, so this is done at every look."""
        self._last = {trunk: min(at, now) for trunk, at in self._last.items()}
        self._told = {trunk: (min(begun, now), words) for trunk, (begun, words) in self._told.items()}

    async def _read(self, trunks: Mapping[str, Trunk], now: datetime) -> None:
        unknown = frozenset(trunks) - self._asked_for
        if unknown:
            last = await self._past.ask(lambda history: history.last_calls(unknown), now)
            if last is not None:
                self._asked_for |= unknown
                # one of a time to come was made by a clock that has been put back since: it ends no silence of now
                known = {trunk: min(at, now) for trunk, at in last.items() if at <= now + LEAP}
                self._last = {**known, **self._last}
        if self._is_probe_new:
            probes = await self._past.ask(lambda history: history.probes(now - LOOKS_BACK, PROBES_READ), now)
            if probes is not None:
                self._probes, self._is_probe_new = [each for each in probes if each.at <= now + LEAP], False

    def _quiet_trunks(self, books: Books, heard_since: datetime, now: datetime) -> Iterator[Alarm]:
        least = timedelta(minutes=books.rules.quiet_after_min)
        for trunk in books.trunks.values():
            stands = self._alarms.get(trunk.name)
            if stands and not (self._past.is_read(trunk.name) and trunk.name in self._asked_for):
                yield stands  # until it is known what came before the start
                continue
            said = [
                self._silent(trunk.name, heard_since, now, least),
                self._unanswered(trunk, now),
                self._unregistered(trunk, now),
            ]
            if any(said):
                yield Alarm(QUIET_TRUNK, trunk.name, "; ".join(filter(None, said)), now)

    def _silent(self, trunk: str, heard_since: datetime, now: datetime, least: timedelta) -> str | None:
        """What is to be said of a trunk that brings no calls; None where it does, or none are to be expected."""
        habit = self._past.habit(trunk)
        begun, words = self._told.get(trunk, (heard_since, ""))
        since = self._last.get(trunk, begun)
        if trunk not in self._alarms:
            since = max(since, heard_since)
        elif words:
            since = max(since, begun)
        if habit is None or not is_too_quiet(habit, since, now, least):
            # in a long silence the habit itself wastes away: what stands ends with a call
            goes_on = trunk in self._alarms and self._last.get(trunk, begun) <= begun
            return words if words and goes_on else None
        if begun != since or not words:
            usual = habit.expected(since, now)
            words = f"{_NO_CALL} {clock(since, self._past.zone)}: in that time {usual:.0f} are usual"
            self._told[trunk] = since, words
        return words

    def _unanswered(self, trunk: Trunk, now: datetime) -> str | None:
        """The same of one that does not answer when it is asked whether it is there."""
        is_amiss = trunk.is_asked and self._line.trunks_up.get(trunk.name) is False
        if (since := self._amiss(trunk, "answer", now, is_amiss=is_amiss)) is None:
            return None
        return f"{trunk.carrier} has not answered since {clock(since, self._past.zone)} when asked (SIP OPTIONS)"

    def _unregistered(self, trunk: Trunk, now: datetime) -> str | None:
        """The same of one that does not take the centre's registration, and sends its calls elsewhere."""
        is_amiss = trunk.registration is not None and self._line.trunks_registered.get(trunk.name) is False
        if (since := self._amiss(trunk, "registration", now, is_amiss=is_amiss)) is None:
            return None
        at = clock(since, self._past.zone)
        return f"{trunk.carrier} has not taken the registration since {at}: server, username or password, or its line"

    def _amiss(self, trunk: Trunk, what: str, now: datetime, *, is_amiss: bool) -> datetime | None:
        """Since when it is so; None where it is not, or not for long."""
        key = trunk.name, what
        if not is_amiss:
            self._amiss_since.pop(key, None)
            return None
        since = self._amiss_since[key] = min(self._amiss_since.get(key, now), now)
        # one that stood when the gateway was started anew stands on
        return None if now - since < UNANSWERED and trunk.name not in self._alarms else since

    def _failed_probe(self, heard_since: datetime, now: datetime) -> Iterator[Alarm]:
        stands = self._alarms.get(PROBE_TRUNK)
        if stands and self._is_probe_new:
            yield stands  # the store is away
            return
        since = _EVER if stands else heard_since
        if (fault := probe_fault(self._probes, since, now, self._past.zone)) is not None:
            yield Alarm(PROBE_FAILED, PROBE_TRUNK, fault, now)
