"""The caller: one call to 112 over the probe's trunk, whose signalling SIPp does (`caller.xml` is its scenario).

Counterpart: `rtp.py` is the caller's mouth and ear. What SIPp sends and receives is read from its message log.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from gateway.probe.report import StepFailed
from gateway.settings import Settings

SCENARIO = Path(__file__).with_name("caller.xml")
POLL_S = 0.02
END_TIMEOUT_S = 2.0
FAREWELL_S = 0.2
START_TIMEOUT_S = 5.0
START_ATTEMPTS = 3
BIND_FAILED = "Unable to bind"
LIFETIME_S = 120
"""SIPp ends itself after this, should the probe die and never end it."""

_ENTRY = re.compile(
    r"^-{40,} (?P<at>\d{4}-\d\d-\d\d[ T\t]\d\d:\d\d:\d\d\.\d+).*\n"
    r"UDP message (?P<way>sent|received) [\[(]\d+(?: bytes\)|\] bytes) ?:\n\n",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message in SIPp's log. `at` is in seconds since the epoch."""

    at: float
    is_sent: bool
    text: str

    @property
    def status(self) -> int | None:
        """A response's status; None for a request."""
        found = re.match(r"SIP/2\.0 (\d{3}) ", self.text)
        return int(found[1]) if found else None

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0].strip()

    @property
    def method(self) -> str:
        """The method that it asks for or answers (RFC 3261, 20.16: CSeq)."""
        found = re.search(r"^CSeq: *\d+ +([A-Z]+)", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    @property
    def sound_address(self) -> tuple[str, int] | None:
        """Where the other side wants the sound (RFC 8866: the first c= and m=audio); None when it does not say."""
        host = re.search(r"^c=IN IP4 (\S+)", self.text, re.MULTILINE)
        port = re.search(r"^m=audio (\d+) ", self.text, re.MULTILINE)
        return (host[1], int(port[1])) if host and port else None


def read_messages(log: str) -> list[Message]:
    """The messages in SIPp's log (-trace_msg), whose times are in UTC. A last one that is not written to its end yet
    is there as far as it goes."""
    heads = list(_ENTRY.finditer(log))
    ends = [head.start() for head in heads[1:]] + [len(log)]
    return [
        Message(
            datetime.fromisoformat(re.sub(r"\s", "T", head["at"])).replace(tzinfo=UTC).timestamp(),
            head["way"] == "sent",
            log[head.end() : end],
        )
        for head, end in zip(heads, ends, strict=False)
    ]


class Caller:
    """SIPp with one call. `async with` starts it; on the way out the call is ended, however far it came, and SIPp too.

    `call_id` is the Call-ID, chosen here: it has only letters, digits and `-`, so that it reads the same everywhere.
    """

    def __init__(self, settings: Settings, sound_port: int) -> None:
        self._settings = settings
        self._sound_port = sound_port
        self.call_id = f"probe-{secrets.token_hex(12)}"
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        """Returns once the INVITE was sent. Raises StepFailed when there is no SIPp, or its address cannot be used."""
        self._folder = Path(tempfile.mkdtemp(prefix="gateway112-probe-"))
        self._log, self._errors = self._folder / "messages", self._folder / "errors"
        try:
            for attempts_left in reversed(range(START_ATTEMPTS)):
                await self._start()
                try:
                    await self.invited(START_TIMEOUT_S)
                    break
                except StepFailed:
                    # a port that was free a moment ago is another program's by now
                    if not attempts_left or BIND_FAILED not in self._last_error():
                        raise
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            await self._end()
        finally:
            shutil.rmtree(self._folder)

    async def _start(self) -> None:
        host, sip = self._settings.probe.host, self._settings.sip
        try:
            self._port, control, media = _free_ports(host)
        except OSError as error:
            raise StepFailed(
                f"the address {host} cannot be used here: {error.strerror}",
                "give this machine that loopback address (Linux has all of 127.0.0.0/8), or set probe.host to one that "
                "it has, and start Asterisk anew",
            ) from None
        command = [
            *("sipp", f"{sip.near_host}:{sip.port}", "-sf", str(SCENARIO), "-m", "1", "-cid_str", self.call_id),
            *("-i", host, "-p", str(self._port), "-ci", host, "-cp", str(control), "-mi", host, "-mp", str(media)),
            *("-key", "sound_port", str(self._sound_port), "-nostdin", "-timeout", f"{LIFETIME_S}s"),
            *("-trace_msg", "-message_file", str(self._log), "-trace_err", "-error_file", str(self._errors)),
        ]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=os.environ | {"TZ": "UTC"},  # the log's times have no zone
                start_new_session=True,  # Ctrl-C is for the probe, which then says goodbye; SIPp would just go
            )
        except OSError as error:
            raise StepFailed(
                f"SIPp, which plays the caller, could not be started: {error.strerror}",
                "install the package sip-tester (`make setup` does)",
            ) from None

    def messages(self) -> list[Message]:
        """All that SIPp sent and received so far."""
        try:
            return read_messages(self._log.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return []

    async def invited(self, timeout_s: float) -> float:
        """When the INVITE was sent, in seconds since the epoch. Raises StepFailed."""
        sent = await self._await(
            lambda message: message.is_sent and message.method == "INVITE", timeout_s, "SIPp sent no INVITE"
        )
        return sent.at

    async def answered(self, timeout_s: float) -> Message:
        """The 200 that 112 answered with, whole, its SDP included. Raises StepFailed with SIP's own words."""
        answer = await self._await(_is_whole_answer, timeout_s, "112 did not answer the probe's INVITE")
        if answer.status != 200:
            raise StepFailed(f"112 refused the probe's call: {answer.first_line}", _remedy(answer.status))
        return answer

    async def hang_up(self, timeout_s: float) -> float:
        """Ends the call from the caller's side; when the BYE was answered, in seconds since the epoch.

        Raises StepFailed when the centre had ended the call before, or does not answer.
        """
        self._tell_to_hang_up()
        over = await self._await(_is_end, timeout_s, "nobody answered the caller's BYE")
        if over.status is None:
            raise StepFailed(
                "the centre ended the call before the caller did",
                "see Asterisk's log (var/asterisk/log/messages) at this time, and the call's events",
            )
        if over.status != 200:
            raise StepFailed(f"the caller's BYE was refused: {over.first_line}", "see Asterisk's log at this time")
        return over.at

    def _tell_to_hang_up(self) -> None:
        """An INFO of this call, to SIPp and to nobody else: its scenario waits for it."""
        host = self._settings.probe.host
        info = (
            f"INFO sip:probe@{host} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{self._port};branch=z9hG4bKhangup\r\n"
            f"From: <sip:probe@{host}>;tag=probe\r\nTo: <sip:probe@{host}>\r\nCall-ID: {self.call_id}\r\n"
            "CSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.bind((host, 0))
            control.sendto(info.encode(), (host, self._port))

    async def _await(self, wanted: Callable[[Message], bool], timeout_s: float, complaint: str) -> Message:
        """The first message that is wanted. Raises StepFailed with the complaint after `timeout_s`, or as soon as SIPp
        has ended without one."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while True:
            has_ended = self._process is None or self._process.returncode is not None
            for message in self.messages():
                if wanted(message):
                    return message
            if has_ended or loop.time() > deadline_s:
                why = f"SIPp ended: {self._last_error()}" if has_ended else f"waited {timeout_s:g} s"
                raise StepFailed(f"{complaint} ({why})", self._silence_remedy())
            await asyncio.sleep(POLL_S)

    def _silence_remedy(self) -> str:
        sip = self._settings.sip
        if any(not message.is_sent for message in self.messages()):
            return "see Asterisk's log (var/asterisk/log/messages) at this time, and `gateway112 doctor`"
        return f"nothing answers at {sip.host}:{sip.port}: start Asterisk, or mend sip.port; see `gateway112 doctor`"

    def _last_error(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            lines = [line.strip() for line in self._errors.read_text(errors="replace").splitlines()]
            told = " ".join(line for line in lines if line and not line.endswith("events occurred:"))
            if told:
                return told[:300]
        return f"exit status {self._process.returncode if self._process else '?'}"

    async def _end(self) -> None:
        """Ends the call that still is (BYE or CANCEL), and SIPp with it; by force where it does not end."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(StepFailed):  # ended before that, SIPp may leave a call behind that nobody ends
            await self.invited(END_TIMEOUT_S)
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):  # it may be at its end already
                    await process.wait()
        if process.returncode is None:
            with contextlib.suppress(TimeoutError, OSError):
                self._tell_to_hang_up()
                async with asyncio.timeout(END_TIMEOUT_S):
                    await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _is_final(message: Message, method: str) -> bool:
    """A final response that was received to a request of that method."""
    return not message.is_sent and message.status is not None and message.status >= 200 and message.method == method


def _is_whole_answer(message: Message) -> bool:
    """The end of waiting for 112: its 200 with where its sound goes, or its refusal."""
    return _is_final(message, "INVITE") and (message.status != 200 or message.sound_address is not None)


def _is_end(message: Message) -> bool:
    """The end of the call: our BYE was answered, or the centre's came first."""
    return _is_final(message, "BYE") or (not message.is_sent and message.first_line.startswith("BYE "))


def _remedy(status: int | None) -> str:
    match status:
        case 401 | 403:
            return "Asterisk does not know the probe's address: compare probe.host with [probe] in pjsip_wizard.conf"
        case 404 | 484:
            return "the dialplan has no way for 112: `gateway112 console dialplan show from-carrier`"
        case 488:
            return "the trunk takes no PCMU: see `allow` in pjsip_wizard.conf, and that codec_ulaw is loaded"
        case _:
            return "see Asterisk's log (var/asterisk/log/messages) at this time"


def _free_ports(host: str) -> tuple[int, int, int]:
    """UDP ports that are free now, for SIPp's signalling, its control and its media. Raises OSError when the address
    is not this machine's."""
    with contextlib.ExitStack() as trials:  # all open at the same time, so that no two are the same
        signalling, control, media = (_bound(trials, host) for _ in range(3))
        return signalling, control, media


def _bound(trials: contextlib.ExitStack, host: str) -> int:
    trial = trials.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    trial.bind((host, 0))
    return int(trial.getsockname()[1])
