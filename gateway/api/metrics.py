"""Metrics for Prometheus: what is stored and how things stand, counted at the moment of the scrape.

Counterpart: a Prometheus server with a reader's token. Names follow its naming rules: base units, `_total` for counts.
"""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.api.context import Context
from gateway.api.routes import route
from gateway.domain.call import Outcome
from gateway.domain.tokens import May

PREFIX = "gateway112"


class _Found(Collector):
    """What one scrape found."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def metrics(context: Context) -> web.StreamResponse:
    """Prometheus' text format. Probe calls are not counted."""
    families = [*await _stored(context), *_standing(context), *_at_the_door(context), *_of_sound(context)]
    families += _receivers(context)
    registry = CollectorRegistry()
    registry.register(_Found(families))
    ProcessCollector(registry=registry)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _stored(context: Context) -> list[Metric]:
    counts = await context.reads.outcome_counts()
    ended = CounterMetricFamily(f"{PREFIX}_calls_ended", "Calls that ended, by outcome.", labels=["outcome"])
    for outcome in Outcome:
        ended.add_metric([outcome], counts.get(outcome, 0))
    return [
        ended,
        CounterMetricFamily(f"{PREFIX}_events", "Events in the ledger.", value=await context.store.newest_seq()),
        CounterMetricFamily(
            f"{PREFIX}_set_aside_records",
            "Records of Asterisk's that could not be used, and are kept whole.",
            value=await context.reads.set_aside_count(),
        ),
    ]


def _standing(context: Context) -> list[Metric]:
    status = context.status()
    running = sum(not call.is_probe for call in context.centre.running_calls.values())
    known = status.operators_available
    return [
        InfoMetricFamily(PREFIX, "The gateway.", value={"version": status.version}),
        _gauge("start_time_seconds", "When the gateway started.", status.started_at.timestamp()),
        _gauge("calls_running", "Calls that have not ended.", running),
        _gauge("asterisk_up", "Whether Asterisk can be reached.", int(status.asterisk_up)),
        _gauge("journal_lag_bytes", "What Asterisk wrote and is not read yet.", status.journal_lag_bytes),
        _gauge("operators_available", "Operators at their phones; NaN while unknown.", _or_nan(known)),
        _gauge("commands_refused", "What Asterisk refuses to hold now.", len(context.level.applied.problems)),
        _gauge("event_streams", "Open streams of events.", context.streams.open_count),
        CounterMetricFamily(
            f"{PREFIX}_event_streams_dropped",
            "Streams cut off because the listener did not read.",
            value=context.streams.dropped_count,
        ),
    ]


def _at_the_door(context: Context) -> list[Metric]:
    status = context.status()
    refused = CounterMetricFamily(f"{PREFIX}_sip_refused", "SIP requests that were not let in.", labels=["reason"])
    for reason, count in status.sip_refused.items():
        refused.add_metric([reason], count)
    advice = CounterMetricFamily(f"{PREFIX}_advice", "Advice on arriving calls.", labels=["result"])
    advice.add_metric(["given"], status.advice_given)
    advice.add_metric(["missed"], status.advice_missed)
    advice.add_metric(["without_past"], status.advice_late)
    advice.add_metric(["rule_failed"], status.advice_rule_faults)
    return [refused, advice]


def _of_sound(context: Context) -> list[Metric]:
    standing = context.status().recordings
    told = CounterMetricFamily(
        f"{PREFIX}_recordings_told", "What became of recordings since the start.", labels=["what"]
    )
    for what in ("sealed", "failed", "lost", "found"):
        told.add_metric([what], standing.told[what])
    return [
        told,
        _gauge("recordings_stalled", "Running calls whose sound is not being written.", len(standing.stalled)),
        _gauge("recordings_waiting", "Recordings that are over and wait to be sealed.", standing.counts.waiting),
        _gauge("recordings_failing", "Those of them that could not be sealed when tried.", standing.counts.failing),
        _gauge(
            "recordings_not_moved",
            "Sealed ones that wait to be moved to the bucket, or back; NaN without one.",
            _or_nan(standing.moving.waiting if standing.moving else None),
        ),
        _gauge("vault_up", "Whether the vault's worker answers.", int(not standing.vault_away)),
    ]


def _receivers(context: Context) -> list[Metric]:
    lag = GaugeMetricFamily(f"{PREFIX}_webhook_lag_events", "Events not yet taken by a webhook.", labels=["webhook"])
    failing = GaugeMetricFamily(
        f"{PREFIX}_webhook_failing", "Whether a webhook's last post failed.", labels=["webhook"]
    )
    for webhook_id, standing in context.deliveries.standings.items():
        lag.add_metric([webhook_id], max(0, context.feed.newest - standing.after_seq))
        failing.add_metric([webhook_id], int(standing.failing_since is not None))
    return [lag, failing]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _or_nan(value: int | None) -> float:
    return float("nan") if value is None else value


ROUTES = (route("GET", "/metrics", metrics, "Metrics for Prometheus", may=May.SEE_BOARD, media_type="text/plain"),)
