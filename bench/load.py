"""Load: SIPp plays carriers and one phone behind many numbers, and stamps each call's INVITE on both sides.

Counterpart: the scenarios of `tests/sip.py`, which are played as they are, with stamps added. Caller and phone run on
one machine, so their stamps share one clock.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests import sip
from tests.sip import Sipp

PHONE_ADDRESS = "127.0.0.21"
HOLD_MS = 5600
"""From the trunk's 200 OK to the caller's BYE: a caller who was heard (`domain/callbacks.HEARD_S`). One who is cut
sooner opens a callback, which is more work, and not the usual."""
SPOKEN_MS = 200
_ALAW_SILENCE = b"\xd5"
GRACE_S = 45.0
"""After the last call should be over, so long may SIPp still take (its own retransmissions end at 32 s)."""

_NOW = '<gettimeofday assign_to="s,us"/>'
_INVITE_IN = '<recv request="INVITE"/>'
_ACK_IN = '<recv request="ACK"/>'
_ANSWER_IN = '<recv response="200" rrs="true" rtd="true"/>'


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one load. Times are seconds since the epoch, by the caller's number."""

    sent: int
    failed: int
    invited: Mapping[str, float] = field(repr=False)
    answered: Mapping[str, float] = field(repr=False)
    output: str = field(repr=False)
    messages: Path
    """SIPp's log of all that it sent and heard, where that was asked for."""
    lead: str
    """What each caller's number begins with."""


class Phones(AbstractAsyncContextManager["Phones"]):
    """One SIPp that answers at once, whatever number is rung, and stamps each INVITE and each talk by its caller's
    number. `log` is where."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "phones.log"
        taken = (
            f"<action>{_NOW}"
            '<ereg regexp="sip:([0-9]+)@" search_in="hdr" header="From:" check_it="true" assign_to="whole,number"/>'
            '<log message="rung [$number] [$s] [$us]"/></action>'
        )
        scenario = once(sip.phone_answers(), _INVITE_IN, f'<recv request="INVITE">{taken}</recv>')
        talked = f'<action>{_NOW}<log message="talked [$number] [$s] [$us]"/></action>'
        scenario = once(scenario, _ACK_IN, f'<recv request="ACK">{talked}</recv>')
        scenario = once(scenario, "</scenario>", '<Reference variables="whole"/>\n</scenario>')
        self.device = Sipp(scenario, address=PHONE_ADDRESS, options=logging_to(self.log))

    async def __aenter__(self) -> "Phones":
        await self.device.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.device.__aexit__(kind, error, trace)

    def rung(self) -> Mapping[str, float]:
        """When the first INVITE of each caller came, of all loads until now."""
        return _stamps(self.log, "rung")


class Carrier:
    """Places loads, each with caller's numbers of its own, so that no two calls of a run share one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loads = 0

    async def place(
        self, port: int, *, rate: int, seconds: float, spoken_ms: int = 0, is_logged: bool = False
    ) -> Played:
        """Sends `rate` calls a second for `seconds` to the Asterisk at `port`, and waits until all are over. A caller
        sends so much sound as soon as he is answered."""
        self._loads += 1
        log = self._folder / f"carrier-{self._loads}.log"
        calls = round(rate * seconds)
        lead = f"08{self._loads:03}"
        number = f"{lead}[call_number]"
        caller = f"<sip:{number}@[local_ip]>"
        scenario = self._speaking(caller, spoken_ms) if spoken_ms else sip.caller_talks(hold_ms=HOLD_MS, caller=caller)
        out = f'<nop><action>{_NOW}<log message="invited {number} [$s] [$us]"/></action></nop>\n<send retrans'
        scenario = scenario.replace("<send retrans", out, 1)
        back = f'<action>{_NOW}<log message="answered {number} [$s] [$us]"/></action>'
        scenario = once(scenario, _ANSWER_IN, f'<recv response="200" rrs="true" rtd="true">{back}</recv>')
        messages = log.with_suffix(".messages")
        logging = ("-trace_shortmsg", "-shortmessage_file", str(messages), "-shortmessage_overwrite", "true")
        options = (*logging_to(log), *(logging if is_logged else ()))
        async with Sipp.caller(scenario, port, calls=calls, rate=rate, options=options) as sipp:
            result = await sipp.result(timeout_s=seconds + HOLD_MS / 1000 + GRACE_S)
        stamps = _stamps(log, "invited"), _stamps(log, "answered")
        return Played(calls, result.failed, *stamps, result.output, messages, lead)

    def _speaking(self, caller: str, spoken_ms: int) -> str:
        sound = self._folder / f"spoken-{spoken_ms}.alaw"
        sound.write_bytes(_ALAW_SILENCE * (8 * spoken_ms))
        media = "m=audio [rtpstream_audio_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000"
        speak = f'<nop><action><exec rtp_stream="{sound},1,8,PCMA/8000"/></action></nop>\n<pause'
        return sip.caller_talks(hold_ms=HOLD_MS, caller=caller, media=media).replace("<pause", speak, 1)


def once(scenario: str, old: str, new: str) -> str:
    """The scenario with `new` for `old`, which must stand there once."""
    assert scenario.count(old) == 1, f"{old} does not stand once in the scenario"  # noqa: S101  # tests/sip.py changed
    return scenario.replace(old, new)


def logging_to(file: Path) -> tuple[str, ...]:
    """SIPp's options for what its scenarios log."""
    # at SIPp's default of 10 ms its stamps would be coarser than what is measured
    return ("-trace_logs", "-log_file", str(file), "-timer_resol", "1")


def _stamps(log: Path, word: str) -> Mapping[str, float]:
    stamps: dict[str, float] = {}
    for line in log.read_text().splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[0] == word:
            stamps.setdefault(parts[1], float(parts[2]) + float(parts[3]) / 1e6)
    return stamps
