"""What SIPp saw, read from SIPp's own logs: each INVITE that a carrier sent, by its Call-ID, and each talk on a phone.

Counterpart: `conservation.py`, which holds the centre's history against it. Neither imports anything of `gateway/`.
Times are seconds since the epoch, by the machine's one clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TRYING, RINGING_END, REFUSED = 100, 200, 300
"""SIP's kinds of answers begin at these (RFC 3261, 21)."""


@dataclass(slots=True)
class Seen:
    """One INVITE of a carrier's, and what came of it as SIPp saw it. A time is None where it did not happen."""

    call_id: str
    number: str
    """The caller's, which no other call of the campaign has."""
    trunk: str
    invited_at: float
    last_invited_at: float
    """When it was sent for the last time: SIPp repeats what nobody answers."""
    tried_at: float | None = None
    """The first answer of any kind."""
    answered_at: float | None = None
    refused_at: float | None = None
    status: int = 0
    """Of the refusal."""
    acked_at: float | None = None
    left_at: float | None = None
    """The caller's BYE or CANCEL."""
    was_left_at: float | None = None
    """The centre's BYE."""

    @property
    def ended_at(self) -> float | None:
        """When it was over for the carrier; None while it is not, and of one that nobody ever answered."""
        ends = [at for at in (self.left_at, self.was_left_at, self.refused_at) if at is not None]
        return min(ends) if ends else None

    def is_open(self, at: float) -> bool:
        """Whether it was in flight then."""
        return self.invited_at <= at and (self.ended_at is None or self.ended_at > at)


@dataclass(slots=True)
class Talk:
    """A phone's line that Asterisk has acknowledged. `left_at` is None where no end of it was seen."""

    number: str
    began_at: float
    left_at: float | None = None


@dataclass(slots=True)
class _Tail:
    """The whole lines of a file that grows, each once."""

    file: Path
    _place: int = 0

    def lines(self) -> Iterator[str]:
        if not self.file.exists():
            return
        with self.file.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place += len(line)
                yield line.decode(errors="replace").rstrip("\n")


@dataclass(slots=True)
class CarrierLog:
    """SIPp's `-trace_shortmsg` of one carrier: a line for each message that was sent (S) or came (R). Its callers'
    numbers are `lead` and then the number of the call, which leads its Call-ID."""

    file: Path
    lead: str
    trunk: str
    seen: dict[str, Seen] = field(default_factory=dict)
    _tail: _Tail | None = None

    def read(self) -> None:
        """Takes up what was written since."""
        self._tail = self._tail or _Tail(self.file)
        for line in self._tail.lines():
            parts = line.split("\t")
            if len(parts) == 7:
                self._take(float(parts[2]), parts[3] == "S", parts[4], parts[5].removeprefix("CSeq:"), parts[6])

    def _take(self, at: float, is_sent: bool, call_id: str, sequence: str, first_line: str) -> None:
        call, method = self.seen.get(call_id), first_line.partition(" ")[0]
        if is_sent and method == "INVITE" and sequence == "1 INVITE":
            if call is None:
                number = self.lead + call_id.partition("-")[0]
                self.seen[call_id] = Seen(call_id, number, self.trunk, at, at)
            else:
                call.last_invited_at = at
        elif call is None:
            return  # not a call: OPTIONS
        elif method == "SIP/2.0":
            if not is_sent and sequence == "1 INVITE":
                self._answered(call, at, int(first_line.split()[1]))
        elif method == "ACK" and is_sent:
            call.acked_at = call.acked_at or at
        elif method in ("BYE", "CANCEL") and is_sent:
            call.left_at = call.left_at or at
        elif method == "BYE":
            call.was_left_at = call.was_left_at or at

    @staticmethod
    def _answered(call: Seen, at: float, status: int) -> None:
        call.tried_at = call.tried_at or at
        if status >= REFUSED:
            call.refused_at, call.status = call.refused_at or at, call.status or status
        elif status >= RINGING_END:
            call.answered_at = call.answered_at or at


@dataclass(slots=True)
class PhoneLog:
    """The log of a SIPp that plays phones: lines of a word (`talked`, `left`), the caller's number, and two numbers,
    seconds and microseconds."""

    file: Path
    talks: dict[str, list[Talk]] = field(default_factory=dict)
    """By the caller's number, in their order."""
    _tail: _Tail | None = None

    def read(self) -> None:
        """Takes up what was written since."""
        self._tail = self._tail or _Tail(self.file)
        for line in self._tail.lines():
            parts = line.split()
            if len(parts) != 4 or parts[0] not in ("talked", "left"):
                continue
            at = float(parts[2]) + float(parts[3]) / 1e6
            of_caller = self.talks.setdefault(parts[1], [])
            if parts[0] == "talked":
                of_caller.append(Talk(parts[1], at))
            elif of_caller and of_caller[-1].left_at is None:
                of_caller[-1].left_at = at
