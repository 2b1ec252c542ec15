"""The operator's phone: pyVoIP in a process of its own (`python -m gateway.probe.phone`), which registers, answers one
call, sends a tone into it and listens for the caller's.

Counterpart: `softphone.py` starts it. What to do (`order.py`) comes as one JSON line on stdin, whose end means: stop.
What happens is told as JSON lines on stdout, each with `event` and `at` (seconds since the epoch).

pyVoIP 1.6.8 is kept to what it does well: it never calls; it offers PCMU alone (under PCMA it sends mu-law); and it is
taught to answer OPTIONS, without which Asterisk takes the phone for dead when it qualifies it.
"""

import json
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

import pyVoIP.VoIP  # before its parts: SIP, when it is the first to be imported, imports itself in a circle
from pyVoIP import RTP, SIP
from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone
from pyVoIP.VoIP.status import PhoneStatus

from gateway.probe import tones
from gateway.probe.order import Order
from gateway.probe.tones import Ear

LIFETIME_S = 120
"""The kernel ends this process after that, whatever hangs."""
MEMORY_BYTES = 1 << 30
"""pyVoIP lays out what it hears by RTP timestamp: a jump in the timestamps is a buffer of gigabytes."""

REGISTER_RETRY_S = 0.5
REGISTER_ANSWER_S = 2
RECEIVES_AFTER_S = 1.1
"""pyVoIP begins to read a second after it has registered: only then can the phone be rung."""
TONE_S = 60
LISTEN_EVERY_S = 0.1
SILENCE = 0x80
"""8-bit samples without sign, which is how pyVoIP takes and gives sound."""


class Phone:
    """One phone, one call."""

    def __init__(self, order: Order, tell: TextIO) -> None:
        self._order = order
        self._tell = tell
        self._ear = Ear(order.listen_hz)
        self._stopping = threading.Event()
        self._telling = threading.Lock()
        self._refusal = ""

    def stop(self) -> None:
        """Asks `run` to end."""
        self._stopping.set()

    def run(self) -> None:
        """Registers, until it is accepted or stopped; answers a call; returns once it was told to stop."""
        SIP.debug = self._overhear  # pyVoIP tells why a registration failed to its debug log alone
        phone = self._register()
        if phone is None:
            return
        try:
            self._stopping.wait()
        finally:
            phone.stop()

    def _register(self) -> VoIPPhone | None:
        """A registered phone; None when it was stopped before. Asterisk may only just be learning its password."""
        order, told = self._order, ""
        while not self._stopping.is_set():
            phone = _RungPhone(
                order.host,
                order.port,
                order.number,
                order.secret,
                myIP=order.own_host,
                callCallback=self._answer,
                sipPort=order.own_port,
                rtpPortLow=order.sound_port,
                rtpPortHigh=order.sound_port,
            )
            phone.sip.register_timeout = REGISTER_ANSWER_S
            phone.on_ring = lambda: self._say("rung")
            _answer_options(phone.sip)
            phone.start()
            if phone.get_status() is PhoneStatus.REGISTERED:
                self._say("registered")
                if not self._stopping.wait(RECEIVES_AFTER_S):
                    self._say("ready")
                return phone
            if self._refusal != told:
                told = self._refusal
                self._say("refused", reason=told)
            self._stopping.wait(REGISTER_RETRY_S)
        return None

    def _answer(self, call: VoIPCall) -> None:
        """Answers, and talks until the call ends. pyVoIP calls this in a thread of its own, a second after the ring."""
        call.write_audio(_unsigned(tones.sine(self._order.send_hz, TONE_S * tones.SAMPLE_RATE_HZ)))
        call.answer()
        self._say("answered")
        began, taken, has_tone = time.monotonic(), 0, False
        while call.state is CallState.ANSWERED and not self._stopping.is_set():
            time.sleep(LISTEN_EVERY_S)
            due = int((time.monotonic() - began - 2 * LISTEN_EVERY_S) * tones.SAMPLE_RATE_HZ)
            if due > taken:
                self._ear.hear((byte - SILENCE) * 256 for byte in call.read_audio(due - taken, blocking=False))
                taken = due
            if self._ear.heard_s and not has_tone:
                has_tone = True
                self._say("tone")
        self._say("left", heard_s=round(self._ear.heard_s, 3), loudest=round(self._ear.loudest))

    def _overhear(self, text: object, also: object = None) -> None:
        del also
        if str(text).startswith("REGISTERATION ERROR: "):
            self._refusal = str(text).removeprefix("REGISTERATION ERROR: ").strip()

    def _say(self, event: str, **values: object) -> None:
        with self._telling:
            print(json.dumps({"event": event, "at": time.time(), **values}), file=self._tell, flush=True)


class _RungPhone(VoIPPhone):
    """A phone that says at once that it rings; pyVoIP's own callback comes a second later."""

    on_ring: Callable[[], None]

    def _create_Call(self, request: Any, sess_id: int) -> None:
        self.on_ring()
        super()._create_Call(request, sess_id)


def _answer_options(client: SIP.SIPClient) -> None:
    """Teaches one client OPTIONS (RFC 3261, 11.2)."""
    others = client.parse_message

    def parse_message(message: Any) -> None:
        if message.type == SIP.SIPMessageType.MESSAGE and message.method == "OPTIONS":
            client.out.sendto(client.gen_ok(message).encode(), (client.server, client.port))
        else:
            others(message)

    client.parse_message = parse_message  # type: ignore[method-assign]


def _unsigned(samples: list[int]) -> bytes:
    return bytes((sample >> 8) + SILENCE for sample in samples)


def main() -> int:
    """Plays one phone. Exit status 0, also when nobody called."""
    signal.alarm(LIFETIME_S)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    tell, sys.stdout = sys.stdout, sys.stderr  # pyVoIP prints
    pyVoIP.RTPCompatibleCodecs = [RTP.PayloadType.PCMU, RTP.PayloadType.EVENT]
    pyVoIP.SIPCompatibleMethods.append("OPTIONS")
    pyVoIP.REGISTER_FAILURE_THRESHOLD = 1  # else it tries again at once, without a pause

    phone = Phone(Order(**json.loads(sys.stdin.readline())), tell)

    def wait_for_the_end() -> None:
        sys.stdin.read()
        phone.stop()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    phone.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
