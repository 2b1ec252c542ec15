"""The sides that are compared, each a real Asterisk of its own on free loopback ports, with the same phones.

Counterparts: `bench/plain/` configures plain Asterisk; `tests/centre.py` starts the centre. Both Asterisks run all the
time; only the gateway is started and stopped between rounds, so that the machine's drift hits all sides alike.
"""

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Carrier, Phones
from gateway.asterisk import installation
from gateway.settings import PROJECT
from tests.centre import Api, RealCentre, real_centre
from tests.sip import Sipp, free_port

PHONES = 260
"""More than are ever busy: 40 calls/s that each keep a phone for about 5.5 s."""
FIRST_PHONE = 2001
AT_ONCE = 10
"""So many operators are created at the same time."""
BOOT_LIMIT_S = 30.0

Say = Callable[[str], None]


class PlainAsterisk:
    """Asterisk with bench/plain/ alone, in a folder of its own."""

    def __init__(self, folder: Path, phones: Sipp, sip_port: int | None = None) -> None:
        self.sip_port = sip_port or free_port()
        self._folder = folder
        self._installation = installation.find()
        self._etc = self._write(phones)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def asterisk_pid(self) -> int:
        if self._process is None:
            raise RuntimeError("plain Asterisk is not running")
        return self._process.pid

    @contextmanager
    def running(self) -> Iterator["PlainAsterisk"]:
        """Started when the block begins, ended when it ends. Raises RuntimeError when it does not boot."""
        log = self._folder / "output.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._installation.command(self._etc, "-f"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            limit = time.monotonic() + BOOT_LIMIT_S
            while "System uptime" not in self._cli("core show uptime"):
                if time.monotonic() > limit or self._process.poll() is not None:
                    raise RuntimeError(f"plain Asterisk did not boot:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.2)
            yield self
        finally:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def _cli(self, command: str) -> str:
        argv = self._installation.command(self._etc, "-rx", command)
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout

    def _write(self, phones: Sipp) -> Path:
        home = self._folder
        etc = home / "etc"
        shutil.copytree(PROJECT / "bench/plain", etc)
        for name in ("lib/keys", "lib/sounds", "run", "spool", "log", "recordings"):
            (home / name).mkdir(parents=True)
        (home / "lib/documentation").symlink_to(self._installation.documentation)
        folders = {
            "astetcdir": etc,
            "astmoddir": self._installation.modules,
            "astspooldir": home / "spool",
            "astrundir": home / "run",
            "astlogdir": home / "log",
            "astsbindir": home / "run",
            **dict.fromkeys(("astvarlibdir", "astdbdir", "astkeydir", "astdatadir", "astagidir"), home / "lib"),
        }
        numbers = range(FIRST_PHONE, FIRST_PHONE + PHONES)
        first_rtp = 30_500  # the centre's lie below, the ports that the system gives out above
        files = {
            "asterisk.conf": "[directories]\n"
            + "".join(f"{name} = {folder}\n" for name, folder in folders.items())
            + "[options]\ndocumentation_language = en_US\nhideconnect = yes\nnocolor = yes\n",
            "site.conf": f"[transport-udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{self.sip_port}\n",
            "rtp.conf": f"[general]\nrtpstart = {first_rtp}\nrtpend = {first_rtp + 2000}\nstrictrtp = yes\n",
            "globals.conf": f"RECORDINGS = {home / 'recordings'}\n",
            "phones.conf": "".join(
                f"[{number}](phone)\naors = {number}\n"
                f"[{number}]\ntype = aor\ncontact = sip:{number}@{phones.address}:{phones.port}\n"
                for number in numbers
            ),
            "members.conf": "".join(f"member => PJSIP/{number},0,{number},PJSIP/{number}\n" for number in numbers),
        }
        for name, text in files.items():
            (etc / name).write_text(text)
        return etc


@dataclass(frozen=True, slots=True)
class Sides:
    """All that the blocks measure with."""

    plain: PlainAsterisk
    centre: RealCentre
    phones: Phones
    carrier: Carrier
    folder: Path

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Api]:
        """The gateway, running and level with the journal, for as long as the block runs."""
        self.centre.start_gateway()
        try:
            await self.centre.ready()
            async with self.centre.api() as api:
                yield api
        finally:
            await asyncio.to_thread(self.centre.stop_gateway, signal.SIGTERM)


@asynccontextmanager
async def all_sides(folder: Path, say: Say) -> AsyncIterator[Sides]:
    """Both Asterisks and the phones, ready for calls; the gateway not running."""
    async with Phones(folder) as phones:
        say("starting plain Asterisk")
        plain = PlainAsterisk(folder / "plain", phones.device)
        with plain.running(), real_centre({"call": {"queue_max_wait_s": 60}}) as centre:
            say("starting the centre's Asterisk")
            await asyncio.to_thread(centre.start_asterisk)
            sides = Sides(plain, centre, phones, Carrier(folder), folder)
            async with sides.gateway() as api:
                say(f"making {PHONES} operators at the centre")
                await make_operators(api, phones.device, PHONES)
            yield sides


async def make_operators(api: Api, device: Sipp, count: int, *, penalty: int = 0) -> None:
    """So many operators, all at the one device, with a standing place in the queue."""
    for first in range(FIRST_PHONE, FIRST_PHONE + count, AT_ONCE):
        await asyncio.gather(
            *(
                api.operator(str(number), device, name=f"Petugas {number}", penalty=penalty)
                for number in range(first, min(first + AT_ONCE, FIRST_PHONE + count))
            )
        )
