"""Watches over the operator's phone: starts its process, keeps what it tells, and ends it, whatever it does.

Counterpart: `phone.py`, which is that process.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

from gateway.probe.order import Order
from gateway.probe.report import StepFailed
from gateway.settings import PROJECT

POLL_S = 0.02
STOP_TIMEOUT_S = 3.0


class Softphone:
    """The phone's process. `async with` starts it and ends it.

    `events` holds the first of each kind that the phone told: registered, ready, refused, rung, answered, tone, left.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.events: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        search = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __aexit__
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.probe.phone"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=os.environ | {"PYTHONPATH": search},
            start_new_session=True,  # Ctrl-C is for the probe, which then ends the phone
        )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._process.stdin is not None:  # the secret goes this way: a command line can be read by everybody
            self._process.stdin.write(json.dumps(asdict(self._order)).encode() + b"\n")
        return self

    async def __aexit__(self, *exception: object) -> None:
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # asks it to say goodbye to Asterisk
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        reading.cancel()
        await asyncio.wait([reading], timeout=1)
        self._complaints.close()

    def at(self, event: str) -> float | None:
        """When it happened, in seconds since the epoch; None when it did not."""
        told = self.events.get(event)
        return None if told is None else float(told["at"])

    async def await_event(self, event: str, timeout_s: float, said: Callable[[], str], remedy: str) -> float:
        """When it happened. Raises StepFailed, with what `said` says then, after `timeout_s`, or at once when the
        process has ended."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while (at := self.at(event)) is None:
            if self._reading is None or self._reading.done():
                raise StepFailed(
                    f"the phone's process ended: {self._last_complaint()}", "`make setup` installs what it needs"
                )
            if loop.time() > deadline_s:
                raise StepFailed(f"{said()} (waited {timeout_s:g} s)", remedy)
            await asyncio.sleep(POLL_S)
        return at

    def _last_complaint(self) -> str:
        """The last line that the process wrote to stderr: an exception's own words."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").splitlines()
        return lines[-1][:200] if lines else "it said nothing"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            told = json.loads(line)
            self.events.setdefault(told["event"], told)
