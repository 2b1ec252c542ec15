"""A whole centre for the tests: a real Asterisk and a real gateway, each a process of its own, on free loopback ports.

Counterpart: `tests/sip.py` plays the carriers and the phones.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from gateway.api.tls import client_context
from gateway.asterisk import installation
from gateway.charge import Charge
from gateway.settings import PROJECT, Settings, load
from tests.sip import Sipp, free_port

START_TIMEOUT_S = 60.0
Json = dict[str, Any]


class RealCentre:
    """Asterisk and gateway. `start` and `stop` of either do not touch the other."""

    def __init__(self, folder: Path, settings: Settings, environ: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self._environ = environ
        self._asterisk: subprocess.Popen[bytes] | None = None
        self._gateway: subprocess.Popen[bytes] | None = None
        self._waiting: list[subprocess.Popen[bytes]] = []
        self._installation = installation.find()
        self.gateway_environ: dict[str, str] = {}
        """What is told to the gateway alone, from its next start on."""

    def with_clock(self) -> None:
        """From the next start on the gateway's wall clock is the test's own (`set_clock`), as libfaketime gives it to
        the process: every leap of it is one of the system's clock to the gateway. Monotonic clocks are true."""
        library = clock_library()
        assert library, "libfaketime is not installed: `make test` installs it, or: apt-get install faketime"
        self.set_clock(timedelta())
        self.gateway_environ |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # else each wait for the interpreter's lock ends at once, and threads spin: four times the processor's time
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    @property
    def sip_port(self) -> int:
        return self.settings.sip.port

    # ---------------------------------------------------------------- processes

    def start_asterisk(self, **environ: str) -> None:
        """Returns once Asterisk has booted."""
        self._asterisk = self._spawn("asterisk", "asterisk.log", environ)
        self._wait(self._has_booted, "Asterisk did not boot")
        # Asterisk also boots where another program was quicker at its port, and the phones then register there
        shown = self.cli("pjsip show transports")
        assert "transport-udp" in shown, (
            f"Asterisk did not open SIP port {self.sip_port}:\n{self.log('asterisk')[-3000:]}"
        )

    def _has_booted(self) -> bool:
        assert self._asterisk
        if (status := self._asterisk.poll()) is not None:
            who = ["ss", "-anp", f"sport = :{self.sip_port} or sport = :{self.settings.ami.port}"]
            holds = subprocess.run(who, capture_output=True, text=True, timeout=20, check=False).stdout
            raise AssertionError(f"Asterisk ended with {status}:\n{self.log('asterisk')[-3000:]}\n{holds}")
        return "fully booted" in self.cli("core waitfullybooted")

    def start_gateway(self, **environ: str) -> None:
        """Returns once the gateway's process runs; `ready` waits until it has taken up its work."""
        self._gateway = self._spawn("serve", "gateway.log", {**self.gateway_environ, **environ})

    def start_gateway_beside(self) -> None:
        """Starts another gateway beside the one that runs, and returns once it waits for that one's end. Whichever of
        those that wait takes over at the next `stop_gateway` is the gateway from then on."""
        waited = self.log().count("gateway_waits")
        self._waiting.append(self._spawn("serve", "gateway.log", self.gateway_environ))
        self._wait(lambda: self.log().count("gateway_waits") > waited, "no other gateway waits")

    def without_clock(self) -> None:
        """From the next start on the gateway's clock is the system's."""
        for name in [name for name in self.gateway_environ if name == "LD_PRELOAD" or name.startswith("FAKETIME_")]:
            del self.gateway_environ[name]

    def set_clock(self, offset: timedelta) -> None:
        """Has the gateway's clock differ from the true one by so much, from now on (see `with_clock`)."""
        fresh = self.folder / "clock.fresh"
        fresh.write_text(f"{offset.total_seconds():+.0f}s")
        fresh.replace(self.folder / "clock")

    def stop_gateway(self, number: int = signal.SIGTERM) -> int:
        """Ends the gateway by a signal; returns its exit status."""
        assert self._gateway
        self._gateway.send_signal(number)
        status = self._gateway.wait(START_TIMEOUT_S)
        self._gateway = None
        if self._waiting:
            charge, waiting = Charge(self.settings.paths.var), {process.pid: process for process in self._waiting}
            self._wait(lambda: charge.holder().pid in waiting, "no other gateway took over")
            self._gateway = waiting[charge.holder().pid or 0]
            self._waiting.remove(self._gateway)
        return status

    def freeze_gateway(self) -> None:
        """Holds the gateway still, until `thaw_gateway`."""
        os.kill(self.gateway_pid, signal.SIGSTOP)

    def thaw_gateway(self) -> None:
        os.kill(self.gateway_pid, signal.SIGCONT)

    def stop_asterisk(self, number: int = signal.SIGTERM) -> None:
        """Ends Asterisk by a signal."""
        assert self._asterisk
        self._asterisk.send_signal(number)
        self._asterisk.wait(START_TIMEOUT_S)
        self._asterisk = None

    def stop(self) -> None:
        """Ends whatever runs."""
        for process in (*self._waiting, self._gateway, self._asterisk):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)

    @property
    def has_gateway_ended(self) -> bool:
        """Whether it was started, and has ended by itself."""
        return self._gateway is not None and self._gateway.poll() is not None

    @property
    def has_asterisk_ended(self) -> bool:
        """The same of Asterisk."""
        return self._asterisk is not None and self._asterisk.poll() is not None

    @property
    def gateway_pid(self) -> int:
        assert self._gateway
        return self._gateway.pid

    @property
    def asterisk_pid(self) -> int:
        assert self._asterisk
        return self._asterisk.pid

    def cli(self, command: str) -> str:
        """What Asterisk's console says to `command`."""
        argv = self._installation.command(self.settings.asterisk_dir / "etc", "-rx", command)
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout

    def log(self, name: str = "gateway") -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _spawn(self, command: str, log: str, more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "gateway", command],
                cwd=PROJECT,
                env={**self._environ, **(more or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _logs(self) -> str:
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in sorted(self.folder.glob("*.log")))

    def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        limit = time.monotonic() + START_TIMEOUT_S
        while not condition():
            if time.monotonic() > limit:
                raise AssertionError(f"{complaint}:\n{self._logs()}")
            time.sleep(0.05)

    # ---------------------------------------------------------------- the API

    @asynccontextmanager
    async def api(self) -> AsyncIterator["Api"]:
        """A client with the admin's token."""
        token = (self.settings.paths.var / "admin-token").read_text().strip()
        async with aiohttp.ClientSession(
            self.settings.api_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=20),
            connector=self._connector(),
        ) as session:
            yield Api(session)

    async def ready(self) -> None:
        """Returns once the gateway is linked to Asterisk, has read the journal to its end and has compared what
        Asterisk holds."""
        url = f"{self.settings.api_url}/v1/health"
        async with aiohttp.ClientSession(connector=self._connector()) as session, asyncio.timeout(START_TIMEOUT_S):
            while True:
                with contextlib.suppress(aiohttp.ClientError, KeyError):
                    async with session.get(url) as response:
                        health = await response.json()
                        if health["asterisk"]["up"] and health["journal"]["lag_bytes"] == 0:
                            return
                await asyncio.sleep(0.05)

    def _connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(ssl=client_context(self.settings.api))


class Api:
    """The API as a client sees it: JSON in, JSON out, and the status checked."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def get(self, path: str, status: int = 200, **query: Any) -> Json:
        async with self.session.get(path, params=query) as response:
            assert response.status == status, await response.text()
            answer: Json = await response.json()
            return answer

    async def send(self, method: str, path: str, body: Json | None = None, status: int | None = None) -> Json:
        """Without a `status` any success will do."""
        async with self.session.request(method, path, json=body, headers={"If-Match": "*"}) as response:
            assert response.ok if status is None else response.status == status, await response.text()
            return await response.json() if response.content_length else {}

    async def calls(self, **query: Any) -> list[Json]:
        """All calls, oldest first."""
        items: list[Json] = []
        page = await self.get("/v1/calls", limit=200, **query)
        items += page["items"]
        while page["next"]:
            page = await self.get("/v1/calls", limit=200, cursor=page["next"], **query)
            items += page["items"]
        return items[::-1]

    async def events(self, after: int = 0) -> list[Json]:
        """All events after `after`, in order."""
        items: list[Json] = []
        while True:
            page = await self.get("/v1/events", after=after + len(items), limit=500)
            items += page["items"]
            if not page["items"]:
                return items

    async def ended_calls(self, count: int, *, after: str = "", timeout_s: float = 30) -> list[Json]:
        """The calls that arrived after a time, oldest first, once `count` of them are there and none of them runs."""
        calls: list[Json] = []
        try:
            async with asyncio.timeout(timeout_s):
                while len(calls) < count or not all(call["outcome"] for call in calls):
                    await asyncio.sleep(0.1)
                    calls = [call for call in await self.calls() if call["arrived_at"] > after]
        except TimeoutError:
            raise AssertionError(f"expected {count} ended calls, there are {calls}") from None
        return calls

    async def ended_calls_at_least(self, count: int) -> None:
        """Returns once so many calls have ended, whatever runs besides."""
        async with asyncio.timeout(30):
            while sum(bool(call["outcome"]) for call in await self.calls()) < count:
                await asyncio.sleep(0.05)

    async def operator(
        self, phone: str, device: Sipp | None, name: str = "Siti", queue: str = "emergency", penalty: int = 0
    ) -> Json:
        """A new operator at `device`, or at a phone that is to register, with a standing place in `queue` (empty: in
        none)."""
        body = {"name": name, "phone": phone}
        if device is not None:
            body["contact"] = f"sip:{phone}@{device.address}:{device.port}"
        made = await self.send("POST", "/v1/operators", body, status=201)
        assert made["applied"], made
        if queue:
            await self.send("PUT", f"/v1/queues/{queue}/members/{phone}", {"penalty": penalty})
        return made

    async def retire_advice(self) -> None:
        """From now on callers wait as they come, whatever became of their last call."""
        for rule in (await self.get("/v1/advice-rules"))["items"]:
            await self.send("DELETE", f"/v1/advice-rules/{rule['id']}", status=204)

    async def retire_everybody(self) -> None:
        for operator in (await self.get("/v1/operators"))["items"]:
            await self.send("DELETE", f"/v1/operators/{operator['id']}", status=204)


def clock_library() -> Path | None:
    """Where libfaketime lies; None where it is not installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@contextmanager
def real_centre(sections: Mapping[str, Mapping[str, object]] | None = None) -> Iterator[RealCentre]:
    """A centre of its own, in a folder of its own, which is removed with it; `sections` are settings by section, such
    as {"trunks.indosat": {"priority": 2}}. Nothing is started yet."""
    folder = Path(tempfile.mkdtemp(prefix="centre-"))
    first_rtp = random.randrange(10000, 26000, 2500)  # below the ports that free_port and the system give out
    values: dict[str, dict[str, object]] = {
        "sip": {"port": free_port()},
        "ami": {"port": free_port()},
        "api": {"port": free_port(), "requests_per_address": 0, "requests_per_token": 0},
        "rtp": {"first_port": first_rtp, "last_port": first_rtp + 2000},
        "call": {"greeting": "", "queue_max_wait_s": 8},
    }
    for section, given in (sections or {}).items():
        values[section] = values.get(section, {}) | dict(given)
    file = folder / "gateway.toml"
    file.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in given.items())
            for section, given in values.items()
        )
    )
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY112_")}
    centre = RealCentre(folder, load(file, {}), environ | {"GATEWAY112_CONFIG": str(file)})
    try:
        yield centre
    finally:
        centre.stop()
        shutil.rmtree(folder)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
