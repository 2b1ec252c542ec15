"""AMI bytes into messages: the gateway's framing beside panoramisk's own parser, on the same bytes.

Counterpart: `gateway/asterisk/framing.py`. No Asterisk is needed: the bytes are a queue event as Asterisk 22 writes it.
"""

import time
from collections.abc import Callable

from panoramisk.ami_protocol import AMIProtocol

from bench.report import Block, Row
from bench.sides import Say
from gateway.asterisk.framing import Framing

EVENT_BYTES = 382
READ_BYTES = 16_384
"""What one read of the socket brings."""
TIMES = 5
OURS, PANORAMISK = "gateway", "panoramisk"

_EVENT = (
    "Event: QueueMemberStatus\r\nPrivilege: agent,all\r\nSequence: 184225\r\nSystemName: 112\r\nQueue: emergency\r\n"
    "MemberName: 2017\r\nInterface: PJSIP/2017\r\nStateInterface: PJSIP/2017\r\nMembership: dynamic\r\nPenalty: 0\r\n"
    "CallsTaken: 41\r\nLastCall: 1795476254\r\nLastPause: 0\r\nLoginTime: 1795470011\r\nInCall: 0\r\nStatus: 1\r\n"
    "Paused: 0\r\nPausedReason: {}\r\nRinginuse: 0\r\nWrapuptime: 0\r\n\r\n"
)
EVENT = _EVENT.format("x" * (EVENT_BYTES - len(_EVENT.format("")))).encode()
BANNER = b"Asterisk Call Manager/11.0.0\r\n"


class _Counting:
    """Stands where panoramisk's Manager stands: counts what is dispatched."""

    save_stream = None

    def __init__(self) -> None:
        self.count = 0

    def dispatch(self, _: object) -> None:
        self.count += 1


def measure(say: Say, *, events: int) -> Block:
    """Parses the same `events` events TIMES times with each, in turns; the best time of each counts."""
    data = BANNER + EVENT * events
    reads = [data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES)]
    best_s = dict.fromkeys((PANORAMISK, OURS), float("inf"))
    say(f"framing: {events} events, {TIMES} times each")
    for _ in range(TIMES):
        for side, parse in ((PANORAMISK, _panoramisk), (OURS, _ours)):
            best_s[side] = min(best_s[side], _time_s(parse, reads, events))
    rates = {side: events / best_s[side] for side in best_s}
    return Block(
        f"AMI framing, events of {EVENT_BYTES} bytes",
        (PANORAMISK, OURS),
        (
            Row("events/s", rates, ratio=rates[OURS] / rates[PANORAMISK]),
            Row("MB/s", {side: rate * EVENT_BYTES / 1e6 for side, rate in rates.items()}, "MB/s"),
            Row("a message takes", {side: 1e6 / rate for side, rate in rates.items()}, "us"),
        ),
        ("ratio: gateway / panoramisk; both on one core, best of five",),
    )


def _time_s(parse: Callable[[list[bytes]], int], reads: list[bytes], events: int) -> float:
    begun = time.perf_counter()
    found = parse(reads)
    took = time.perf_counter() - begun
    if found != events:
        raise RuntimeError(f"{parse.__name__} found {found} events of {events}")
    return took


def _ours(reads: list[bytes]) -> int:
    framing = Framing()
    return sum(message.kind == "Event" for read in reads for message in framing.feed(read))


def _panoramisk(reads: list[bytes]) -> int:
    protocol = AMIProtocol()
    protocol.connection_made(None)
    protocol.factory = counting = _Counting()
    for read in reads:
        protocol.data_received(read)
    return counting.count
