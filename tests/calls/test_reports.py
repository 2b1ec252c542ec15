"""A report's figures are those that SIPp's own logs come to.

What went over the wire, and when, is read here from what the carrier's SIPp and the phones' SIPp wrote down: no part of
the project has touched it.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import sip
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

XLSMART, TRUNK = "127.0.0.13", "xlsmart"
PHONES = {"127.0.0.31": 0, "127.0.0.32": 6_000, "127.0.0.33": 11_000}
"""How long each phone rings before it is answered, in milliseconds."""


@dataclass(frozen=True)
class Said:
    """One message in SIPp's log."""

    at: datetime
    is_sent: bool
    line: str
    """The first line: a request's or an answer's."""
    caller: str
    method: str


def messages(log: Path) -> list[Said]:
    """What one SIPp sent and received, in order, by its `-trace_msg`."""
    parts = re.split(r"^-{20,} (\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d\.\d+).*$", log.read_text(), flags=re.MULTILINE)
    found = []
    for stamp, text in zip(parts[1::2], parts[2::2], strict=True):
        head, _, message = text.strip().partition("\n\n")
        caller = re.search(r"^(?:From|f):.*?sip:(\d+)@", message, re.MULTILINE)
        method = re.search(r"^CSeq:\s*\d+ (\w+)", message, re.MULTILINE)
        assert caller, text
        assert method, text
        at = datetime.fromisoformat(stamp.replace("\t", " ")).astimezone()
        found.append(Said(at, " sent " in head, message.splitlines()[0], caller[1], method[1]))
    return found


def all_messages(folder: Path, logs: str) -> list[Said]:
    return [said for log in sorted(folder.glob(logs)) for said in messages(log)]


def recomputed(carriers: list[Said], phones: list[Said]) -> dict[str, Any]:
    """What became of each call, from the INVITE that the carrier sent to the 200 OK that a phone sent."""
    came: dict[str, datetime] = {}
    for each in carriers:
        if each.is_sent and each.line.startswith("INVITE "):
            came.setdefault(each.caller, each.at)
    answered: dict[str, datetime] = {}
    for each in phones:
        if each.is_sent and each.line.startswith("SIP/2.0 200") and each.method == "INVITE":
            answered.setdefault(each.caller, each.at)
    accepted = [each for each in carriers if not each.is_sent and each.line.startswith("SIP/2.0 200")]
    taken = {each.caller for each in accepted if each.method == "INVITE"}
    waits = sorted((answered[caller] - at).total_seconds() for caller, at in came.items() if caller in answered)
    return {
        "presented": len(came),
        "answered": len(waits),
        "abandoned": len(taken - answered.keys()),
        "cancelled": len(came.keys() - taken),
        "within": {limit_s: sum(wait_s <= limit_s for wait_s in waits) for limit_s in (5, 10, 15)},
        "waits": waits,
    }


async def reported(api: Api) -> dict[str, Any]:
    """The carrier's calls of these days, as the report tells them."""
    now = datetime.now(UTC)
    days = {"from": f"{now - timedelta(days=1):%Y-%m-%d}", "to": f"{now + timedelta(days=1):%Y-%m-%d}"}
    total = (await api.get("/v1/reports/service-level", trunk=TRUNK, **days))["total"]
    return {
        "presented": total["presented"],
        "answered": total["answered"]["count"],
        "abandoned": total["abandoned"]["count"],
        "cancelled": total["cancelled"]["count"],
        "within": {each["limit_s"]: each["count"] for each in total["within"] if each["limit_s"] in (5, 10, 15)},
        "waits_s": (total["waits"]["mean_s"] or 0) * total["waits"]["count"],
    }


def less(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    return {
        name: less(value, before[name]) if isinstance(value, dict) else value - before[name]
        for name, value in after.items()
    }


async def test_the_reports_figures_are_those_of_sipps_own_logs(centre: RealCentre, api: Api, tmp_path: Path) -> None:
    """Three callers are answered, at once, after 6 s and after 11 s; one leaves the queue, one hangs up before 112
    answers."""
    before, mark = await reported(api), datetime.now(UTC).isoformat()
    [queue] = [each for each in (await api.get("/v1/queues"))["items"] if each["name"] == "emergency"]
    usual = {name: queue[name] for name in ("max_wait_s", "ring_s")}
    await api.send("PATCH", f"/v1/queues/{queue['id']}", {"max_wait_s": 30, "ring_s": 25})

    def traced(name: str) -> tuple[str, ...]:
        return "-trace_msg", "-message_file", str(tmp_path / name)

    async def calls(name: str, scenario: str) -> None:
        caller = Sipp.caller(scenario, centre.sip_port, address=XLSMART, options=traced(name))
        async with caller as carrier:
            result = await carrier.result()
        assert result.failed == 0, result.output

    def caller(number: int) -> str:
        return f"<sip:0817555{number:02}@[local_ip]>"

    phones = [
        Sipp(sip.phone_answers(after_ms=after_ms), address=address, options=traced(f"phone-{address}"))
        for address, after_ms in PHONES.items()
    ]
    try:
        async with phones[0], phones[1], phones[2]:
            for number, phone in enumerate(phones):
                await api.operator(f"102{number}", phone, name=f"Petugas {number}")
            centre.cli("dialplan set global RING_BEFORE_ANSWER_S 5")
            await calls("carrier-4", sip.caller_cancels(after_ms=300, caller=caller(4)))
            centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
            talking = [
                asyncio.create_task(calls(f"carrier-{each}", sip.caller_talks(hold_ms=13_000, caller=caller(each))))
                for each in range(3)
            ]
            await asyncio.sleep(0.5)  # now all three phones ring or talk
            await calls("carrier-3", sip.caller_talks(hold_ms=2_000, caller=caller(3)))
            await asyncio.gather(*talking)
            await api.ended_calls(5, after=mark)
    finally:
        centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
        await api.send("PATCH", f"/v1/queues/{queue['id']}", usual)

    expected = recomputed(all_messages(tmp_path, "carrier-*"), all_messages(tmp_path, "phone-*"))
    told = less(await reported(api), before)
    assert expected["within"] == {5: 1, 10: 2, 15: 3}
    waits = expected.pop("waits")
    assert told.pop("waits_s") == pytest.approx(sum(waits), abs=0.1 * len(waits) + 0.3)
    assert told == expected
