"""Steady traffic: SIPp plays the carriers and the operators' phones, and keeps logs of all that it saw.

Counterparts: `sightings.py` reads the logs; `bench/load.py` and `tests/sip.py`, of whose scenarios these are made.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.load import logging_to, once
from chaos.sightings import CarrierLog, PhoneLog, Seen, Talk
from tests import sip
from tests.sip import Sipp

STEADY, OTHER = ("127.0.0.11", "telkomsel"), ("127.0.0.12", "indosat")
"""Carriers, each by its address and its trunk: of the steady traffic, and of those that misbehave."""
PHONES_ADDRESS, BAD_PHONES_ADDRESS = "127.0.0.21", "127.0.0.22"
PATIENCE_MS = 27_000
"""So long operators stay on a line. They send no sound, and Asterisk lets a phone go of which it has heard nothing for
30 s: it takes it for one that vanished, and its caller goes back into the queue."""
NO_ANSWER_MS = 20_000
"""So long a carrier waits for an answer."""
LENGTHS_MS = ((0.4, 1_000, 4_000), (0.4, 4_000, 10_000), (0.17, 10_000, 24_000), (0.03, 24_000, 45_000))
"""Mixed lengths: which part of all calls is how long, once answered. The longest are for phones that vanish."""
LENGTHS = 1000
"""After so many calls the same lengths come again."""
AT_ONCE = 2000
MEAN_S = sum(part * (low + high) / 2 for part, low, high in LENGTHS_MS) / 1000
SPOKEN_S = 2
"""Asterisk writes sound out a second at a time: of one second alone nothing may be on the disk when it is killed."""
MEDIA = "m=audio [rtpstream_audio_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000"
_ALAW_SILENCE = b"\xd5"
_ALAW_LOUD = b"\x9a\x1a" * 4000
_NUMBERS = '<ereg regexp="sip:([0-9]+)@" search_in="hdr" header="From:" check_it="true" assign_to="whole,number"/>'
_NOW = '<gettimeofday assign_to="s,us"/>'
_ANSWER = '<recv response="200" rrs="true" rtd="true"/>'


class Traffic:
    """All carriers and phones of one campaign. `shortest_ms` and `longest_ms` bound the calls' length, `patience_ms` an
    operator's."""

    def __init__(
        self,
        folder: Path,
        sip_port: int,
        luck: random.Random,
        *,
        longest_ms: int,
        shortest_ms: int = 0,
        patience_ms: int = PATIENCE_MS,
    ) -> None:
        self.folder = folder
        self.phones = Sipp(
            _logged_phone(sip.phone_loses_patience(patience_ms=patience_ms)),
            address=PHONES_ADDRESS,
            options=logging_to(folder / "phones.log"),
        )
        self._sip_port = sip_port
        self._luck = luck
        self._shortest_ms = shortest_ms
        self._longest_ms = longest_ms
        self._background = AsyncExitStack()
        self._running: list[Sipp] = []
        self._carriers: list[CarrierLog] = []
        self._phone_logs = [PhoneLog(folder / "phones.log")]

    async def goes_on(self, device: Sipp) -> None:
        """Starts a device that comes to its own end, or to that of the campaign."""
        self._running.append(await self._background.enter_async_context(device))

    async def stop(self, limit_s: float) -> None:
        """Waits until every device that goes on has come to its end, for so long at most, and ends what is left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._running:
                    await self._running[0].result(timeout_s=limit_s)
                    del self._running[0]
        await self._background.aclose()

    def steady(self, *, rate: float) -> Sipp:
        """A carrier that sends `rate` calls a second, of mixed lengths, each with some sound, until it is told to call
        no more."""
        lengths = self.folder / "lengths.csv"
        rows = "".join(f"{self._length_ms()};\n" for _ in range(LENGTHS))
        lengths.write_text(f"SEQUENTIAL\n{rows}")
        lead = self._next_lead()
        talk = sip.caller_talks(hold_ms=1, caller=f"<sip:{lead}[call_number]@[local_ip]>", media=MEDIA)
        read = '<nop><action><assignstr assign_to="hold" value="[field0]"/><todouble assign_to="ms" variable="hold"/>'
        talk = talk.replace("<send retrans", f"{read}</action></nop>\n<send retrans", 1)
        talk = once(talk, '<pause milliseconds="1"/>', f'{self.speak()}<pause variable="ms"/>')
        options = ("-inf", str(lengths), *self._logged(lead, STEADY[1]))
        return Sipp.caller(_gives_up(talk), self._sip_port, address=STEADY[0], calls=10**6, rate=rate, options=options)

    def speak(self) -> str:
        """The step in which a caller speaks for SPOKEN_S; his INVITE must offer MEDIA."""
        sound = self.folder / "spoken.alaw"
        sound.write_bytes(_ALAW_LOUD * SPOKEN_S + _ALAW_SILENCE * 400)
        return f'<nop><action><exec rtp_stream="{sound},1,8,PCMA/8000"/></action></nop>\n'

    def other(self, scenario: str, *, calls: int, rate: float, at_once: int = AT_ONCE) -> Sipp:
        """A carrier of another trunk that plays `scenario`, in which `@CALLER@` is the caller. Where `at_once` of them
        run, it begins no other."""
        lead = self._next_lead()
        played = scenario.replace("@CALLER@", f"<sip:{lead}[call_number]@[local_ip]>")
        options = ("-l", str(at_once), *self._logged(lead, OTHER[1]))
        return Sipp.caller(played, self._sip_port, address=OTHER[0], calls=calls, rate=rate, options=options)

    @asynccontextmanager
    async def bad_phones(self, scenario: str) -> AsyncIterator[Sipp]:
        """A device of phones that play `scenario`."""
        log = self.folder / f"bad-phones-{len(self._phone_logs)}.log"
        self._phone_logs.append(PhoneLog(log))
        async with Sipp(
            _logged_phone(scenario), address=BAD_PHONES_ADDRESS, port=self.bad_phones_port, options=logging_to(log)
        ) as device:
            yield device

    @property
    def bad_phones_port(self) -> int:
        """Where all of them are: the operators' contact stays the same. It follows the good phones' own."""
        return self.phones.port + 1

    def read(self) -> None:
        """Takes up what the logs have got since."""
        for carrier in self._carriers:
            carrier.read()
        for phones in self._phone_logs:
            phones.read()

    @property
    def seen(self) -> list[Seen]:
        """Every INVITE until now."""
        return [seen for carrier in self._carriers for seen in carrier.seen.values()]

    @property
    def talks(self) -> Mapping[str, list[Talk]]:
        """Every talk on a phone, by the caller's number."""
        found: dict[str, list[Talk]] = {}
        for log in self._phone_logs:
            for number, talks in log.talks.items():
                found.setdefault(number, []).extend(talks)
        return found

    def _length_ms(self) -> int:
        parts = [part for part, _, _ in LENGTHS_MS]
        [(_, low, high)] = self._luck.choices(LENGTHS_MS, parts)
        return min(self._longest_ms, max(self._shortest_ms, round(self._luck.uniform(low, high))))

    def _next_lead(self) -> str:
        return f"08{len(self._carriers) + 1:03}"

    def _logged(self, lead: str, trunk: str) -> tuple[str, ...]:
        log = self.folder / f"carrier-{lead}.log"
        self._carriers.append(CarrierLog(log, lead, trunk))
        return ("-trace_shortmsg", "-shortmessage_file", str(log), "-shortmessage_overwrite", "true")


@asynccontextmanager
async def playing(*devices: Sipp) -> AsyncIterator[None]:
    """All of them play while the block runs."""
    async with AsyncExitStack() as stack:
        for device in devices:
            await stack.enter_async_context(device)
        yield


async def over(device: Sipp, limit_s: float) -> bool:
    """Whether all its calls came to their end within so long."""
    try:
        await device.result(timeout_s=limit_s)
    except TimeoutError:
        return False
    return True


def _gives_up(scenario: str) -> str:
    """A caller whom nobody answers leaves: Asterisk may have died under him. SIPp cancels what it gives up itself."""
    waiting = f'<recv response="200" rrs="true" rtd="true" timeout="{NO_ANSWER_MS}"/>'
    return once(scenario, _ANSWER, waiting)


def _logged_phone(scenario: str) -> str:
    """A phone's scenario that logs its talks, where it has any."""
    for start in ('<recv request="INVITE" rrs="true"><action>', '<recv request="INVITE"/>'):
        if start in scenario:
            taken = f"<action>{_NUMBERS}" if start.endswith("/>") else _NUMBERS
            opened = start.replace("/>", ">") if start.endswith("/>") else start
            closed = "</action></recv>" if start.endswith("/>") else ""
            scenario = once(scenario, start, f"{opened}{taken}{closed}")
            break
    if "200 OK" in scenario:
        began = f'<recv request="ACK"><action>{_NOW}<log message="talked [$number] [$s] [$us]"/></action></recv>'
        scenario = once(scenario, '<recv request="ACK"/>', began)
        left = f'<nop><action>{_NOW}<log message="left [$number] [$s] [$us]"/></action></nop>\n'
        bye = '<send retrans="500"><![CDATA[\nBYE '
        if bye in scenario:
            scenario = once(scenario, bye, left + bye)
        return once(scenario, "</scenario>", '<Reference variables="whole"/>\n</scenario>')
    return once(scenario, "</scenario>", '<Reference variables="whole,number"/>\n</scenario>')
