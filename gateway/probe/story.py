"""What the API tells of the probe's call: the call with its fields, its events in order, its sound.

Counterpart: `gateway/api/calls.py`. This side is a client like any other; it knows the API's words and nothing behind.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Self

import aiohttp

from gateway.api.tls import client_context
from gateway.probe import PHONE, QUEUE
from gateway.probe.report import StepFailed
from gateway.remedies import GATEWAY_LOG, START_GATEWAY
from gateway.settings import Settings

Json = Mapping[str, Any]

REQUEST_TIMEOUT_S = 3.0
POLL_S = 0.1

EVENTS_IN_ORDER = (
    "call.arrived",
    "call.described",
    "call.recording_started",
    "call.greeted",
    "call.queued",
    "call.operator_rung",
    "call.answered",
    "call.ended",
)
"""Each must be there once, in this order; others may stand between."""

TIMES_IN_ORDER = ("arrived_at", "greeted_at", "queued_at", "answered_at", "ended_at")

_GATEWAY_LOG = f"see {GATEWAY_LOG} and `gateway112 doctor`"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the API should say about this very call."""

    sip_call_id: str
    since: datetime


class Api:
    """The API as a client sees it. `async with` opens and closes it."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._url = settings.api_url
        self._api = settings.api
        self._token = token

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self._url,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
            connector=aiohttp.TCPConnector(ssl=client_context(self._api)),
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    async def ended_call(self, expected: Expected, timeout_s: float) -> Json:
        """The call, once the API tells that it has ended. Raises StepFailed."""
        query = {
            "include_probes": "true",
            "trunk": "probe",
            "since": expected.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while True:
            calls = (await self._get("/v1/calls", query))["items"]
            found = next((call for call in calls if call["sip_call_id"] == expected.sip_call_id), None)
            if found is not None and found["outcome"] is not None:
                return await self._get(f"/v1/calls/{found['id']}")
            if loop.time() > deadline_s:
                known = "does not know the call" if found is None else "does not know that the call ended"
                raise StepFailed(
                    f"the API {known} (waited {timeout_s:g} s)",
                    f"the journal is written but not read, or not stored: {_GATEWAY_LOG}",
                )
            await asyncio.sleep(POLL_S)

    async def events(self, call_id: str) -> Sequence[Json]:
        """The call's events as the API orders them. Raises StepFailed."""
        items: Sequence[Json] = (await self._get(f"/v1/calls/{call_id}/events"))["items"]
        return items

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        try:
            async with self._session.get(path, params=query) as response:
                if response.status in (401, 403):
                    raise StepFailed(
                        f"the API refuses the token ({response.status})",
                        "use the token in var/admin-token of the gateway that runs (was var/ moved or made anew?)",
                    )
                if response.status != 200:
                    raise StepFailed(
                        f"the API answered GET {path} with {response.status}: {(await response.text())[:200]}",
                        _GATEWAY_LOG,
                    )
                answer: Json = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StepFailed(
                f"the API at {self._url} does not answer: {error or 'no answer in time'}",
                f"{START_GATEWAY}; or mend api.port",
            ) from None


def faults_of_call(call: Json) -> list[str]:
    """What the API's call says otherwise than it was, in words; empty when all is right. Pure."""
    wanted = {
        "trunk": "probe",
        "is_probe": True,
        "outcome": "answered",
        "operator": PHONE,
        "queue": QUEUE,
        "dialled": "112",
        "hung_up_by": "caller",
    }
    faults = [f"{key} is {call.get(key)!r}, not {value!r}" for key, value in wanted.items() if call.get(key) != value]
    missing = [key for key in TIMES_IN_ORDER if not call.get(key)]
    faults += [f"{key} is missing" for key in missing]
    if not missing:
        times = [datetime.fromisoformat(call[key].replace("Z", "+00:00")) for key in TIMES_IN_ORDER]
        if times != sorted(times):
            faults.append("its times are not in order")
    if not any(ring["phone"] == PHONE and ring["result"] == "answered" for ring in call.get("attempts") or ()):
        faults.append(f"attempts do not tell that {PHONE} answered")
    recording = call.get("recording")
    if not recording or recording["duration_s"] <= recording["silence_s"]:
        faults.append("it has no recording")
    return faults


def faults_of_events(events: Sequence[Json]) -> list[str]:
    """What is wrong with the call's events, in words; empty when all is right. Pure."""
    types = [event["type"] for event in events]
    faults = []
    for kind in EVENTS_IN_ORDER:
        if (count := types.count(kind)) != 1:
            faults.append(f"{kind} is told {count} times")
    if not faults and [kind for kind in types if kind in EVENTS_IN_ORDER] != list(EVENTS_IN_ORDER):
        faults.append(f"the order is {', '.join(types)}")
    numbers = [event["seq"] for event in events]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        faults.append("sequence numbers do not grow")
    return faults
