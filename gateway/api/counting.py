"""A report counted, with a name for each of its groups: of a carrier, a person, a shift, an hour.

Counterparts: `reports.py` and `monthly.py` tell it; `gateway/store/report_reads.py` counts, `gateway/domain/reports.py`
makes figures of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.api.apart import apart
from gateway.api.context import Context
from gateway.domain.operators import Operator
from gateway.domain.report_groups import (
    ANSWERED_WITHIN,
    HOURS_OF_DAY,
    By,
    Span,
    Stint,
    Wanted,
    first_day_of_roster,
    midnight,
    name_of_hour,
    pieces,
    spans,
    stints,
)
from gateway.domain.reports import Figures, Key, Report, report
from gateway.domain.roster import Plan
from gateway.domain.shifts import occurrence
from gateway.domain.trunks import Trunk

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Label:
    """What a group is called, and when it is, where it is a time. Without a key: the calls of no other group."""

    key: str | None
    name: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A report with a label for each of its groups."""

    report: Report
    labels: Mapping[Key, Label]
    as_of: datetime

    @property
    def groups(self) -> list[tuple[Label, Figures]]:
        return [(self._label(key), figures) for key, figures in self.report.groups]

    def _label(self, key: Key) -> Label:
        if key is None:
            return Label(None, "")
        return self.labels.get(key) or Label(str(key), str(key))


@dataclass(frozen=True, slots=True)
class _Groups:
    """The labels that are known beforehand, the groups that are told where nothing came, too, and who worked when, by
    shift."""

    labels: Mapping[Key, Label]
    always_told: tuple[Key, ...] = ()
    stints: tuple[Stint, ...] = ()


async def count(
    context: Context, by: By, first: date, last: date, *, queue: str | None = None, trunk: str | None = None
) -> Counted:
    """The report of those days, counted now. Raises StoreAway."""
    zone, now = context.bookkeeper.zone, context.clock()
    groups = await _groups(context, by, first, last)
    wanted = Wanted(by, pieces(by, first, last, zone), queue, trunk, groups.stints)
    counts = await context.reads.reports.counts(wanted, now)
    made = await apart(report, counts, groups.always_told)
    if by is By.NONE:
        made = Report(made.total, ())
    return Counted(made, groups.labels, now)


async def _groups(context: Context, by: By, first: date, last: date) -> _Groups:
    match by:
        case By.NONE | By.QUEUE:
            return _Groups({})
        case By.TRUNK:
            trunks = await context.store.kept(Trunk, include_retired=True)
            return _Groups({each.name: Label(each.name, each.carrier) for each in trunks})
        case By.OPERATOR:
            people = await context.store.kept(Operator, include_retired=True)
            return _Groups({each.id: Label(str(each.id), each.name) for each in people})
        case By.SHIFT:
            plan = await context.bookkeeper.plan(first_day_of_roster(first), last + DAY)
            return await apart(_shifts, plan, first, last)
        case By.HOUR_OF_DAY:
            return _all_told({hour: Label(f"{hour:02}", f"{hour:02}:00") for hour in range(HOURS_OF_DAY)})
    zone = context.bookkeeper.zone
    return _all_told({span.key: _of_time(by, span) for span in spans(by, first, last, zone)})


def _all_told(labels: Mapping[Key, Label]) -> _Groups:
    return _Groups(labels, tuple(labels))


def _of_time(by: By, span: Span) -> Label:
    name = name_of_hour(span.starts_at) if by is By.HOUR else f"{span.starts_at:{_DATES[by]}}"
    return Label(name, name, span.starts_at, span.ends_at)


_DATES = {By.DAY: "%Y-%m-%d", By.MONTH: "%Y-%m"}


def _shifts(plan: Plan, first: date, last: date) -> _Groups:
    """Who worked when in those days, and the shifts by their places. Of those that began after the days but soon enough
    to answer a call of theirs, only the ones that did are told."""
    since, until = midnight(first, plan.zone), midnight(last + DAY, plan.zone)
    there = [duty for duty in plan.duties if duty.starts_at < until + ANSWERED_WITHIN and duty.leaves_at > since]
    working, places = stints(there)
    within = {(duty.shift_id, duty.date) for duty in there if duty.starts_at < until}
    labels: dict[Key, Label] = {}
    for place, (shift_id, day) in enumerate(places):
        shift = plan.shifts[shift_id]
        when = occurrence(shift, day, plan.zone)
        times = (when.starts_at.astimezone(plan.zone), when.ends_at.astimezone(plan.zone))
        labels[place] = Label(f"{shift_id}/{day}", f"{shift.name}, {day}", *times)
    always = tuple(place for place, which in enumerate(places) if which in within)
    return _Groups(labels, always, working)
