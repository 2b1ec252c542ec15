"""Metrics for Prometheus: what is stored and how things stand, as of the moment of the scrape.

Counterpart: a Prometheus server with a reader's token; `setup/watching/` has its rules and a dashboard. Names follow
its naming rules: base units, `_total` for counts, and no label but those of which the centre has few. Nothing here
walks through all calls, and what the store does not tell now is left out: the rest is told all the same.
"""

import asyncio
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.api.context import Context
from gateway.api.health import Status
from gateway.api.reasons import CODES
from gateway.api.routes import route
from gateway.domain.call import Outcome
from gateway.domain.picture import History, Picture, Seen, Standing, picture
from gateway.domain.sight import Why
from gateway.domain.tokens import May
from gateway.meter import ANSWER_BOUNDS_S, Histogram
from gateway.ports import StoreAway
from gateway.watch import KINDS

PREFIX = "gateway112"
SOUND = ("sealed", "failed", "lost", "found")
ADVICE = ("given", "missed", "without_past", "rule_failed")


class _Found(Collector):
    """What one scrape found."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def metrics(context: Context) -> web.StreamResponse:
    """Prometheus' text format. Probe calls are not counted."""
    status = context.status()
    families = [
        *_gateway(context, status),
        *_sight(context),
        *_store(context),
        *_at_the_door(status),
        _refused_by_api(context),
        *_sound(context, status),
        *_receivers(context),
    ]
    for asked in (_calls, _live, _tasks_of_people):
        try:
            families += await asked(context)
        except StoreAway:
            continue  # gateway112_store_up and gateway112_problem say so
    registry = CollectorRegistry()
    registry.register(_Found(families))
    ProcessCollector(registry=registry)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


# ---------------------------------------------------------------- calls


async def _calls(context: Context) -> list[Metric]:
    meter = context.meter
    if meter.ended is None:
        meter.begin(*await context.reads.outcome_counts())
    ended = meter.ended or {}
    waits = HistogramMetricFamily(
        f"{PREFIX}_answer_seconds",
        "Seconds from a call's arrival to the first person's voice, by queue (empty: it was in none).",
        labels=["queue"],
    )
    for queue, histogram in sorted((meter.answered or {"": Histogram(ANSWER_BOUNDS_S)}).items()):
        waits.add_metric([queue], buckets=histogram.buckets, sum_value=histogram.sum)
    return [
        _counts(
            "calls_ended", "Calls that ended, by outcome.", "outcome", {each: ended.get(each, 0) for each in Outcome}
        ),
        waits,
        CounterMetricFamily(f"{PREFIX}_events", "Events in the ledger.", value=await context.store.newest_seq()),
        CounterMetricFamily(
            f"{PREFIX}_set_aside_records",
            "Records of Asterisk's that could not be used, and are kept whole.",
            value=await context.reads.set_aside_count(),
        ),
    ]


async def _live(context: Context) -> list[Metric]:
    """Who waits, who is there, which carriers answer."""
    books, status, now = await context.bookkeeper.at_hand(), context.status(), context.clock()
    line = context.board
    seen = Seen(tuple(line.places), dict(line.trunks_up), dict(context.centre.last_talks)) if status.is_seeing else None
    shown = picture(books, seen, context.centre.running_calls.values(), History(), now)
    stand = Counter(operator.state for operator in shown.operators)
    waits = {each.name: (now - each.waiting_since).total_seconds() for each in shown.queues if each.waiting_since}
    return [
        _gauges(
            "calls_waiting", "Callers who wait for an operator.", "queue", {q.name: q.waiting for q in shown.queues}
        ),
        _gauges(
            "longest_wait_seconds",
            "How long the caller who waits longest has waited since arriving; 0 where nobody waits.",
            "queue",
            {each.name: max(0.0, waits.get(each.name, 0.0)) for each in shown.queues},
        ),
        _gauges(
            "operators",
            "Operators by how they stand; unknown while the phones are not seen.",
            "state",
            {state: stand[state] for state in Standing},
        ),
        *_of_queues(shown),
        *_of_trunks(shown, context.meter.arrived),
    ]


def _of_queues(shown: Picture) -> Iterator[Metric]:
    there = {each.name: each.there for each in shown.queues if each.there is not None}
    yield _gauges("operators_there", "Operators who take calls of the queue, busy ones too.", "queue", there)
    least = {each.name: each.minimum for each in shown.queues}
    yield _gauges("operators_minimum", "How many of them must be there at any time.", "queue", least)


def _of_trunks(shown: Picture, arrived: Mapping[str, int]) -> Iterator[Metric]:
    brought = {each.name: 0 for each in shown.trunks} | dict(arrived)
    yield _counts("calls_arrived", "Calls since the start, by the trunk that brought them.", "trunk", brought)
    up = {each.name: int(each.is_up) for each in shown.trunks if each.is_up is not None}
    yield _gauges("trunk_up", "Whether the carrier answers, of trunks that are asked (OPTIONS).", "trunk", up)
    used = {each.name: each.channels_used for each in shown.trunks}
    yield _gauges("trunk_calls_running", "Calls that came over the trunk and go on.", "trunk", used)
    sold = {each.name: each.channels for each in shown.trunks if each.channels is not None}
    yield _gauges("trunk_channels", "How many calls it carries at once, where that is known.", "trunk", sold)


async def _tasks_of_people(context: Context) -> list[Metric]:
    """What waits for somebody: alarms and callbacks."""
    stand = Counter(alarm.kind for alarm in await context.store.standing_alarms())
    callbacks = await context.reads.callbacks.open_ones(context.clock())
    return [
        _gauges("alarms", "Alarms that stand.", "kind", {kind: stand[kind] for kind in sorted(KINDS)}),
        _gauge("callbacks_open", "Callers whom nobody heard and who are to be called back.", callbacks.count),
        _gauge("callbacks_overdue", "Those of them whose time is over.", callbacks.overdue),
    ]


# ---------------------------------------------------------------- the gateway itself


def _gateway(context: Context, status: Status) -> Iterator[Metric]:
    running = sum(not call.is_probe for call in context.centre.running_calls.values())
    codes = {each.code for each in context.health.reasons}
    build = GaugeMetricFamily(
        f"{PREFIX}_build_info", "Always 1; which gateway runs on which Python.", labels=["version", "python"]
    )
    build.add_metric([status.version, platform.python_version()], 1)
    yield build
    yield _gauge("start_time_seconds", "When the gateway started, since 1970.", status.started_at.timestamp())
    yield _gauge("calls_running", "Calls that have not ended.", running)
    yield _gauge(
        "operators_available", "Operators at their phones; NaN while unknown.", _or_nan(status.operators_available)
    )
    yield _gauges(
        "problem",
        "Whether /v1/health names this reason, as of the last look (5 s ago at most).",
        "reason",
        {code: int(code in codes) for code in CODES},
    )
    yield _gauge("commands_refused", "What Asterisk refuses to hold now.", len(context.level.applied.problems))
    yield _gauge("event_streams", "Open streams of events and of the board.", context.streams.open_count)
    yield CounterMetricFamily(
        f"{PREFIX}_event_streams_dropped",
        "Streams cut off because the listener did not read.",
        value=context.streams.dropped_count,
    )
    yield _gauge("strain_ratio", "How much there is to do for the gateway; from 1 on it is too much.", status.strain)
    waits = asdict(status.luxuries)
    yield _gauges("luxury_wait_seconds", "How long each waits because there is too much; 0: not.", "luxury", waits)
    yield _histogram("loop_delay_seconds", "How late the gateway came to what was due.", context.meter.delays)
    yield _gauge("tasks", "Things that the gateway does at once (asyncio tasks).", len(asyncio.all_tasks()))
    yield _gauges("disk_free_bytes", "Free space where calls are written down, by setting.", "place", status.free_bytes)


def _sight(context: Context) -> Iterator[Metric]:
    status, blindness = context.status(), context.blindness
    yield _gauge("asterisk_up", "Whether the manager link (AMI) to Asterisk is up.", int(status.asterisk_up))
    yield _gauge("journal_lag_bytes", "What Asterisk wrote and is not stored yet.", status.journal_lag_bytes)
    unread = sum(status.journal_unread_bytes.values())
    yield _gauge("journal_unread_bytes", "What the disk does not give of old pieces of the journal.", unread)
    yield _gauge(
        "journal_waiting", "Whether what Asterisk wrote cannot be stored now.", int(bool(status.journal_waits))
    )
    yield _gauge("blind", "Whether the gateway does not see what happens in Asterisk.", int(blindness.why is not None))
    seconds = blindness.seconds
    yield _counts("blind_seconds", "How long it has not seen, ever.", "why", {str(why): seconds[why] for why in Why})
    times = {str(why): blindness.times[why] for why in Why}
    yield _counts(
        "blind_times", "How many times it has not seen, ever; shorter ones than 3 s are left out.", "why", times
    )
    calls = {str(why): blindness.calls[why] for why in Why}
    yield _counts("blind_calls", "Calls that went on in these times: their history was read later.", "why", calls)
    yield CounterMetricFamily(
        f"{PREFIX}_ami_logins", "Logins to the manager since the start.", value=status.link_counts.get("logins", 0)
    )
    yield CounterMetricFamily(
        f"{PREFIX}_ami_events", "Events heard over it since the start.", value=status.link_counts.get("events", 0)
    )
    faults = {name: n for name, n in status.link_counts.items() if name not in ("logins", "events", "actions")}
    yield _counts("ami_faults", "What went wrong on it since the start.", "kind", faults)


def _store(context: Context) -> Iterator[Metric]:
    meter = context.meter
    yield _gauge("store_up", "Whether the last write to the database was stored.", int(meter.is_store_up))
    yield _histogram("store_write_seconds", "How long a write to the database took.", meter.write_s)
    yield CounterMetricFamily(
        f"{PREFIX}_store_write_failures",
        "Writes that were not stored; they are tried again.",
        value=meter.failed_writes,
    )


def _at_the_door(status: Status) -> Iterator[Metric]:
    yield _counts("sip_refused", "SIP requests that were not let in.", "reason", status.sip_refused)
    due = {"banned": status.sip_bans_made, "spared": status.sip_bans_spared}
    yield _counts("sip_bans", "Bans that were due at the SIP door.", "result", due)
    yield _gauge("sip_banned_addresses", "Addresses that the SIP door does not let in now.", status.sip_banned)
    ends_at = status.sip_certificate_ends_at
    yield _gauge(
        "sip_certificate_expiry_timestamp_seconds",
        "When the SIP door's certificate ends, since 1970; NaN without TLS.",
        ends_at.timestamp() if ends_at else float("nan"),
    )
    counts = (status.advice_given, status.advice_missed, status.advice_late, status.advice_rule_faults)
    yield _counts("advice", "Advice on arriving calls.", "result", dict(zip(ADVICE, counts, strict=True)))


def _refused_by_api(context: Context) -> Metric:
    """Requests that were answered with 429, and connections that were cut off."""
    door, limits = context.door, context.limits
    refused = {reason: limits.refused[reason] for reason in ("address", "token", "wrong_token")}
    refused |= {"crowd": door.crowd_out, "slow": door.slow, "unread": door.unread}
    return _counts("api_refused", "Requests and connections that the API did not take.", "reason", refused)


def _sound(context: Context, status: Status) -> Iterator[Metric]:
    standing, now = status.recordings, context.clock()
    counts = standing.counts
    oldest_s = max(0.0, (now - counts.oldest_at).total_seconds()) if counts.oldest_at else 0.0
    told = {what: standing.told[what] for what in SOUND}
    yield _counts("recordings_told", "What became of recordings since the start.", "what", told)
    yield _gauge("recordings_running", "Recordings whose sound is being written.", counts.running)
    yield _gauge("recordings_stalled", "Running calls whose sound is not being written.", len(standing.stalled))
    yield _gauge("recordings_waiting", "Recordings that are over and wait to be sealed.", counts.waiting)
    yield _gauge("recordings_failing", "Those of them that could not be sealed when tried.", counts.failing)
    yield _gauge(
        "recordings_oldest_waiting_seconds", "How long the first of them has been over; 0 where none is.", oldest_s
    )
    yield _gauge("recordings_lost", "Recordings that were found to be lost in the last 24 hours.", counts.lost)
    yield _gauge(
        "recordings_not_moved",
        "Sealed ones that wait to be moved to the bucket, or back; NaN without one.",
        _or_nan(standing.moving.waiting if standing.moving else None),
    )
    yield _gauge("vault_up", "Whether the vault's worker answers.", int(not standing.vault_away))
    verified = standing.verification
    yield _gauge(
        "vault_findings",
        "Where sealed recordings are not as they were left, as far as was looked; NaN while unknown.",
        _or_nan(verified.findings if verified else None),
    )
    yield _gauge(
        "vault_verified_timestamp_seconds",
        "When all that was due was looked at last (before the first time: since when it is waited for), since 1970.",
        verified.waited_since.timestamp() if verified else float("nan"),
    )


def _receivers(context: Context) -> Iterator[Metric]:
    standings = context.deliveries.standings
    lag = {each: max(0, context.feed.newest - standing.after_seq) for each, standing in standings.items()}
    yield _gauges("webhook_lag_events", "Events not yet taken by a webhook (50 webhooks at most).", "webhook", lag)
    failing = {each: int(standing.failing_since is not None) for each, standing in standings.items()}
    yield _gauges("webhook_failing", "Whether a webhook's last post failed.", "webhook", failing)


# ---------------------------------------------------------------- families


def _counts(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(f"{PREFIX}_{name}", text, buckets=histogram.buckets, sum_value=histogram.sum)


def _or_nan(value: int | None) -> float:
    return float("nan") if value is None else value


ROUTES = (route("GET", "/metrics", metrics, "Metrics for Prometheus", may=May.SEE_BOARD, media_type="text/plain"),)
