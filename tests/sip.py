"""Carriers and phones made of SIPp: scenarios as text, and the process that plays them.

Counterpart: the Asterisk of `tests/centre.py`. SIPp speaks SIP that this project's authors did not write.
"""

import asyncio
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ALAW = "m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000"
ALAW_OR_ULAW = "m=audio [media_port] RTP/AVP 8 0\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000"
ULAW = "m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000"
G722 = "m=audio [media_port] RTP/AVP 9\na=rtpmap:9 G722/8000"
OPUS = "m=audio [media_port] RTP/AVP 107\na=rtpmap:107 opus/48000/2"
GSM = "m=audio [media_port] RTP/AVP 3\na=rtpmap:3 GSM/8000"

_DIALOG = """
      {line}
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      Max-Forwards: 70
      From: {caller};tag=[pid]c[call_number]
      To: <sip:{dialled}@[remote_ip]:[remote_port]>{tag}
      Call-ID: [call_id]
      CSeq: {cseq}
      Contact: <sip:carrier@[local_ip]:[local_port];transport=[transport]>
"""

_SDP = """
      v=0
      o=sipp 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      {media}
"""


def _send(text: str, *, retrans: bool = False) -> str:
    # SIPp takes the blanks at the start of a line away; an empty line must stay empty
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    resend = ' retrans="500"' if retrans else ""
    return f"<send{resend}><![CDATA[\n{lines}\n\n]]></send>\n"


def _scenario(name: str, *steps: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{"".join(steps)}</scenario>\n'


def _request(method: str, caller: str, dialled: str, *, in_dialog: bool, cseq: str, rest: str = "") -> str:
    uri = "[next_url]" if in_dialog and method == "BYE" else f"sip:{dialled}@[remote_ip]:[remote_port]"
    head = _DIALOG.format(
        line=f"{method} {uri} SIP/2.0",
        caller=caller,
        dialled=dialled,
        tag="[peer_tag_param]" if in_dialog else "",
        cseq=cseq,
    )
    return head.rstrip() + "\n" + (rest or "Content-Length: 0\n")


def _invite(caller: str, dialled: str, media: str, headers: tuple[str, ...]) -> str:
    body = _SDP.format(media=media).strip()
    more = "".join(f"{header}\n" for header in headers)
    rest = f"{more}Content-Type: application/sdp\nContent-Length: [len]\n\n{body}"
    return _send(_request("INVITE", caller, dialled, in_dialog=False, cseq="1 INVITE", rest=rest), retrans=True)


_PROVISIONAL = (
    '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
    '<recv response="183" optional="true"/>\n'
)
ANY_CALLER = "<sip:08110000[call_number]@[local_ip]>"


def caller_talks(
    *,
    hold_ms: int,
    caller: str = ANY_CALLER,
    dialled: str = "112",
    media: str = ALAW,
    headers: tuple[str, ...] = (),
    sound: Path | None = None,
) -> str:
    """A carrier's call that hangs up `hold_ms` after 112 answered the trunk. Anything but INVITE, ACK, BYE that
    Asterisk sends into it (a re-INVITE, an UPDATE) fails it. `sound` is a file of A-law samples that the caller plays
    over and over; without it the caller is mute."""
    if sound is not None:
        media = media.replace("[media_port]", "[rtpstream_audio_port]")
    return _scenario(
        "caller_talks",
        _invite(caller, dialled, media, headers),
        _PROVISIONAL,
        '<recv response="200" rrs="true" rtd="true"/>\n',
        _send(_request("ACK", caller, dialled, in_dialog=True, cseq="1 ACK")),
        _play(sound),
        f'<pause milliseconds="{hold_ms}"/>\n',
        _send(_request("BYE", caller, dialled, in_dialog=True, cseq="2 BYE"), retrans=True),
        '<recv response="200"/>\n',
    )


def caller_presses(
    key: str,
    *,
    after_ms: int,
    hold_ms: int,
    caller: str = ANY_CALLER,
    media: str = ALAW,
    sound: Path | None = None,
) -> str:
    """A carrier's call in which a key is pressed, told by SIP INFO (application/dtmf-relay), `after_ms` after 112
    answered; it ends `hold_ms` later. `sound` as in `caller_talks`."""
    if sound is not None:
        media = media.replace("[media_port]", "[rtpstream_audio_port]")
    told = f"Content-Type: application/dtmf-relay\nContent-Length: [len]\n\nSignal={key}\nDuration=160"
    return _scenario(
        "caller_presses",
        _invite(caller, "112", media, ()),
        _PROVISIONAL,
        '<recv response="200" rrs="true"/>\n',
        _send(_request("ACK", caller, "112", in_dialog=True, cseq="1 ACK")),
        _play(sound),
        f'<pause milliseconds="{after_ms}"/>\n',
        _send(_request("INFO", caller, "112", in_dialog=True, cseq="2 INFO", rest=told)),
        '<recv response="200"/>\n',
        f'<pause milliseconds="{hold_ms}"/>\n',
        _send(_request("BYE", caller, "112", in_dialog=True, cseq="3 BYE"), retrans=True),
        '<recv response="200"/>\n',
    )


def caller_waits(*, caller: str = ANY_CALLER, dialled: str = "112", media: str = ALAW) -> str:
    """A carrier's call that stays until the centre hangs up."""
    return _scenario(
        "caller_waits",
        _invite(caller, dialled, media, ()),
        _PROVISIONAL,
        '<recv response="200" rrs="true"/>\n',
        _send(_request("ACK", caller, dialled, in_dialog=True, cseq="1 ACK")),
        '<recv request="BYE" timeout="60000"/>\n',
        _send(_OK),
    )


def caller_loses_patience(*, patience_ms: int, caller: str = ANY_CALLER, media: str = ALAW) -> str:
    """A carrier's call that stays until the centre hangs up, for so long after 112 answered; then the caller leaves."""
    return _scenario(
        "caller_loses_patience",
        _invite(caller, "112", media, ()),
        _PROVISIONAL,
        '<recv response="200" rrs="true"/>\n',
        _send(_request("ACK", caller, "112", in_dialog=True, cseq="1 ACK")),
        f'<recv request="BYE" next="over" timeout="{patience_ms}" ontimeout="tired"/>\n',
        '<label id="tired"/>\n',
        _send(_request("BYE", caller, "112", in_dialog=True, cseq="2 BYE"), retrans=True),
        '<recv response="200" next="gone"/>\n',
        '<label id="over"/>\n',
        _send(_OK),
        '<label id="gone"/>\n',
    )


def caller_cancels(*, after_ms: int, caller: str = ANY_CALLER, dialled: str = "112") -> str:
    """A caller who hangs up while the trunk still rings."""
    cancel = _request("CANCEL", caller, dialled, in_dialog=False, cseq="1 CANCEL").replace("[branch]", "[branch-4]")
    ack = _request("ACK", caller, dialled, in_dialog=True, cseq="1 ACK").replace("[branch]", "[branch-7]")
    return _scenario(
        "caller_cancels",
        _invite(caller, dialled, ALAW, ()),
        '<recv response="100" optional="true"/>\n<recv response="180"/>\n',
        f'<pause milliseconds="{after_ms}"/>\n',
        _send(cancel, retrans=True),
        '<recv response="200"/>\n<recv response="487"/>\n',
        _send(ack),
    )


_OK = """
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
"""

_ANSWER = """
      SIP/2.0 {status}
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]p[call_number]
      [last_Call-ID:]
      {cseq}
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>
"""


def _answer(
    status: str,
    *,
    cseq: str = "[last_CSeq:]",
    sdp: bool = False,
    plays: bool = False,
    retrans: bool = False,
    media: str = ALAW_OR_ULAW,
) -> str:
    head = _ANSWER.format(status=status, cseq=cseq).rstrip() + "\n"
    body = "Content-Length: 0\n"
    if sdp:
        if plays:
            media = ALAW.replace("[media_port]", "[rtpstream_audio_port]")
        body = "Content-Type: application/sdp\nContent-Length: [len]\n\n" + _SDP.format(media=media).strip()
    return _send(head + body, retrans=retrans)


def phone_answers(*, after_ms: int = 0, sound: Path | None = None, media: str = ALAW_OR_ULAW) -> str:
    """A phone that rings `after_ms`, answers, and waits for the end. `sound` as in `caller_talks`; without it `media`
    says where its sound is."""
    return _scenario(
        "phone_answers",
        '<recv request="INVITE"/>\n',
        _answer("180 Ringing"),
        f'<pause milliseconds="{after_ms}"/>\n' if after_ms else "",
        _answer("200 OK", sdp=True, plays=sound is not None, retrans=True, media=media),
        '<recv request="ACK"/>\n',
        _play(sound),
        '<recv request="BYE"/>\n',
        _send(_OK),
    )


def _checks(headers: Mapping[str, str]) -> str:
    """SIPp's actions that fail a call whose request has not these headers."""
    return "".join(
        f'<ereg regexp="{value}" search_in="hdr" header="{name}:" check_it="true" assign_to="checked"/>'
        f'<log message="{name}:[$checked]"/>'
        for name, value in headers.items()
    )


def _play(sound: Path | None) -> str:
    return f'<nop><action><exec rtp_stream="{sound},-1,8"/></action></nop>\n' if sound else ""


_PHONES_BYE = """
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      Max-Forwards: 70
      [$to_from]
      [$from_to]
      [last_Call-ID:]
      CSeq: 2 BYE
      Content-Length: 0
"""

_KEEP_FOR_BYE = (
    '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>'
    '<assignstr assign_to="from_to" value="To:[$from]"/>'
    '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>'
    '<assignstr assign_to="to_from" value="From:[$to];tag=[pid]p[call_number]"/>'
)


def phone_hangs_up(*, talk_ms: int, sound: Path | None = None, invited: Mapping[str, str] | None = None) -> str:
    """A phone that answers at once and ends the call after `talk_ms`. `sound` as in `caller_talks`; `invited` are
    headers that the INVITE must have, each with a regular expression of its value: else the call fails."""
    return _scenario(
        "phone_hangs_up",
        f'<recv request="INVITE" rrs="true"><action>{_KEEP_FOR_BYE}{_checks(invited or {})}</action></recv>\n',
        _answer("200 OK", sdp=True, plays=sound is not None, retrans=True),
        '<recv request="ACK"/>\n',
        _play(sound),
        f'<pause milliseconds="{talk_ms}"/>\n',
        _send(_PHONES_BYE, retrans=True),
        '<recv response="200"/>\n',
    )


def phone_loses_patience(*, patience_ms: int) -> str:
    """A phone that answers at once and waits for the end, for so long; then it hangs up, whoever is there or not."""
    return _scenario(
        "phone_loses_patience",
        f'<recv request="INVITE" rrs="true"><action>{_KEEP_FOR_BYE}</action></recv>\n',
        _answer("200 OK", sdp=True, retrans=True),
        '<recv request="ACK"/>\n',
        f'<recv request="BYE" next="over" timeout="{patience_ms}" ontimeout="tired"/>\n',
        '<label id="tired"/>\n',
        _send(_PHONES_BYE, retrans=True),
        '<recv response="200" optional="true" next="gone"/>\n',
        '<recv response="481" next="gone"/>\n',
        '<label id="over"/>\n',
        _send(_OK),
        '<label id="gone"/>\n',
    )


def phone_sends_elsewhere(contact: str) -> str:
    """A phone that answers every call with 302 to `contact`."""
    moved = _answer("302 Moved Temporarily").replace(
        "Contact: <sip:[local_ip]:[local_port];transport=[transport]>", f"Contact: <{contact}>"
    )
    return _scenario("phone_sends_elsewhere", '<recv request="INVITE"/>\n', moved, '<recv request="ACK"/>\n')


def phone_refuses(status: str) -> str:
    """A phone that answers every call with `status`, such as `486 Busy Here`."""
    return _scenario("phone_refuses", '<recv request="INVITE"/>\n', _answer(status), '<recv request="ACK"/>\n')


def carrier_answers(method: str) -> str:
    """A carrier that takes every request of that method outside a call (`OPTIONS`, `REGISTER`)."""
    taken = _answer("200 OK").replace("Contact:", "Expires: 3600\nContact:")
    return _scenario("carrier_answers", f'<recv request="{method}"/>\n', taken)


def phone_rings() -> str:
    """A phone that rings until the other side gives up."""
    return _scenario(
        "phone_rings",
        '<recv request="INVITE"/>\n',
        _answer("180 Ringing"),
        '<recv request="CANCEL"/>\n',
        _send(_OK),
        _answer("487 Request Terminated", cseq="CSeq: 1 INVITE"),
        '<recv request="ACK"/>\n',
    )


TELKOMSEL, INDOSAT = "127.0.0.11", "127.0.0.12"


PORTS = range(28_000, 32_700, 4)
"""Below those that the system gives out to whoever asks for any (ip_local_port_range): one that was found free is not
given to a passer-by before the test has come to bind it. Each is followed by three for its RTCP and its video."""
CLAIMS = 200
"""How many of the ports that it was given last a process keeps others from being given."""
_ports = itertools.cycle(random.sample(PORTS, len(PORTS)))
_claims: deque[int] = deque()


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free now, for UDP and TCP, on `address`; another one each time, and none that another process
    which runs tests on this machine was given, though it has not come to bind it yet: of two Asterisks that boot at
    once with one port both start, and one of them hears nothing."""
    for port in itertools.islice(_ports, len(PORTS)):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind((address, port))
            tcp.bind((address, port))
            _claim(port)
            return port
    raise AssertionError(f"no port of {PORTS} is free on {address}")


def _claim(port: int) -> None:
    """Raises OSError where another process has claimed it. A claim is a name in the system's abstract space of sockets:
    it ends with the process, whatever ends that."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        claim.bind(f"\0gateway112-test-port-{port}")
        _claims.append(claim.detach())
    while len(_claims) > CLAIMS:
        os.close(_claims.popleft())


def tone(file: Path, frequency_hz: int) -> Path:
    """Writes a second of a tone, A-law, for `caller_talks(sound=…)`."""
    sound = f"sine={frequency_hz}:r=8000:d=1"
    made = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", sound, "-f", "alaw", str(file)]
    subprocess.run(made, check=True, timeout=20)
    return file


@dataclass(slots=True)
class Result:
    """What SIPp counted."""

    succeeded: int
    failed: int
    output: str = field(repr=False)


class Sipp:
    """One SIPp process. `scenario` is a text from above, or the name of one that SIPp brings with it (`uac`, `uas`).

    `async with Sipp(…) as phone:` starts it and ends it; `await sipp.result()` waits for its own end.
    """

    def __init__(self, scenario: str, *, address: str, port: int = 0, options: tuple[str, ...] = ()) -> None:
        self._scenario = scenario
        self.address = address
        self.port = port or free_port(address)
        media_port = str(free_port(address) & ~1)
        self._where = ("-i", address, "-p", str(self.port), "-mi", address, "-mp", media_port)
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="sipp-"))
        self._output = self._folder / "output"

    @property
    def pid(self) -> int:
        """Its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    @classmethod
    def caller(
        cls,
        scenario: str,
        centre_port: int,
        *,
        address: str = TELKOMSEL,
        calls: int = 1,
        rate: float = 10,
        options: tuple[str, ...] = (),
    ) -> "Sipp":
        """A carrier that places `calls` calls, `rate` a second, to the centre on 127.0.0.1."""
        bound = ("-m", str(calls), "-r", str(rate), "-l", "2000", "-s", "112", *options)
        return cls(scenario, address=address, options=(f"127.0.0.1:{centre_port}", *bound))

    async def __aenter__(self) -> "Sipp":
        if self._scenario.startswith("<?xml"):
            file = self._folder / "scenario.xml"
            file.write_text(self._scenario)
            play = ("-sf", str(file))
        else:
            play = ("-sn", self._scenario)
        with self._output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                "sipp",
                *self._options,
                *play,
                *self._where,
                "-nostdin",
                "-trace_err",
                "-error_file",
                str(self._folder / "errors"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
            )
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder)

    def call_no_more(self) -> None:
        """Begins no call any more; it ends with the last of those that run."""
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)

    async def result(self, timeout_s: float = 60) -> Result:
        """Waits for SIPp to end by itself; raises TimeoutError."""
        assert self._process
        async with asyncio.timeout(timeout_s):
            await self._process.wait()
        output = self._output.read_text(errors="replace")
        errors = self._folder / "errors"
        if errors.exists():
            output += errors.read_text(errors="replace")
        counted = {
            word: int(numbers[-1])
            for word in ("Successful", "Failed")
            if (numbers := re.findall(rf"{word} call +\| +\d+ +\| +(\d+)", output))
        }
        return Result(counted.get("Successful", 0), counted.get("Failed", -1), output)


async def call(scenario: str, centre_port: int, **where: object) -> Result:
    """Plays a carrier's calls to their end."""
    async with Sipp.caller(scenario, centre_port, **where) as sipp:  # type: ignore[arg-type]
        return await sipp.result()
