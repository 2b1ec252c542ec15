"""What is fuzzed: everything of the gateway that reads bytes which somebody else made. Each target takes any bytes, and
raises nothing but what says that they cannot be used; AssertionError is a defect, and so is any other exception.

Counterparts: `test_targets.py` tries them in the suite, `__main__.py` (`make fuzz`) for as long as one likes. What was
found once stands in `seeds/`, one folder a target.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from gateway.api.exchange import CsvBody
from gateway.api.models import EventModel
from gateway.api.telling import told_json
from gateway.asterisk.errors import FramingError, UnsafeValue
from gateway.asterisk.framing import Framing, Message, encode
from gateway.asterisk.record import FORM, Unreadable, parse, split
from gateway.asterisk.translator import translate
from gateway.domain import exchange, life
from gateway.domain.call import Call
from gateway.domain.events import Event, StoredEvent
from gateway.domain.facts import AnyFact, Entered, Fact
from gateway.store.columns import storable, to_json

SEEDS = Path(__file__).with_name("seeds")
LIMIT_BYTES = 4000
MESSAGE_LIMIT_BYTES = 300
MOST_FACTS = 200


def framing(data: bytes) -> None:
    """The stream of AMI: however it is cut, the messages are the same, can be stored, and can be sent back or are
    refused. The first byte says where it is cut."""
    cut, stream = data[:1], data[1:]
    size = cut[0] % 50 + 1 if cut else 1

    def fed(pieces: list[bytes]) -> tuple[list[Message], bool]:
        reading, found = Framing(message_limit_bytes=MESSAGE_LIMIT_BYTES), []
        try:
            for piece in pieces:
                found += reading.feed(piece)
        except FramingError:
            return found, True
        return found, False

    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    (at_once, is_refused), (in_pieces, is_refused_too) = fed([stream]), fed(pieces)
    assert is_refused == is_refused_too
    assert is_refused or at_once == in_pieces
    for message in in_pieces:
        assert message.headers
        assert storable(message.name) is not None
        for name, value in message.headers:
            text = f"{name}{value}".encode()  # a half of a surrogate pair would fail here, and in every database
            assert text is not None
        try:
            sent = encode(message.headers)
        except UnsafeValue:
            continue
        [again] = Framing().feed(b"\r\n\r\n" + sent)  # behind an end, so that no first line is taken for the banner
        assert again == message


def journal(data: bytes) -> None:
    """The journal: whatever stands in it, each line is facts or is kept aside whole; and what the facts make of calls
    can be stored and told."""
    calls: dict[str, Call] = {}
    taken = 0
    for line in data.split(b"\n"):
        parts = split(line)
        assert b"".join(parts) == line
        for part in parts:
            try:
                fact = translate(parse(part))
            except Unreadable:
                continue
            if isinstance(fact, Fact) and taken < MOST_FACTS:
                taken += 1
                _happen(calls, fact)


def invite(data: bytes) -> None:
    """What a carrier's INVITE says, as the dialplan writes it down: numbers, names, headers and a location (PIDF-LO as
    Asterisk has read it), each encoded, none trusted. Fields are divided by NUL."""
    fields = (*data.split(b"\0"), *[b""] * 8)[:8]
    names = ("caller", "name", "dialled", "sip_call_id", "diversion", "access_network", "geolocation", "location")
    said = "&".join(f"{name}={quote(value, safe='')}" for name, value in zip(names, fields, strict=True))
    start = _line("CHAN_START", "", *fields[:3])
    arrived = _line("ARRIVED", "1", extra=json.dumps({"extra": said}))
    calls: dict[str, Call] = {}
    for line in (start, arrived):
        assert split(line) == [line], "nor divides a record"
        record = parse(line)
        assert record.linked_id == "112-1.1", "nothing that a caller says moves a field"
        fact = translate(record)
        assert isinstance(fact, Fact)
        _happen(calls, fact)
    [call] = calls.values()
    assert call.trunk == "telkomsel"


def roster(data: bytes) -> None:
    """A file for a spreadsheet: it is read or has faults, and what was read is written and read alike, with no cell
    that a spreadsheet would run."""
    try:
        text = CsvBody(data).text
    except UnicodeDecodeError:
        return
    sheet = exchange.parse(text)
    for fault in sheet.faults:
        assert fault.line >= 1
        assert fault.reason.isprintable(), fault
    written = exchange.write(sheet.lines)
    for row in csv.reader(io.StringIO(written, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), row
    again = exchange.parse(written)
    if sheet.lines and not sheet.faults:
        assert not again.faults
        assert [_bare(line) for line in again.lines] == [_bare(line) for line in sheet.lines]


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "framing": framing,
    "journal": journal,
    "invite": invite,
    "roster": roster,
}


def seeds(target: str) -> list[bytes]:
    """What the target is tried with first, each time."""
    return [file.read_bytes() for file in sorted((SEEDS / target).iterdir())]


def _bare(line: exchange.Line) -> tuple[object, ...]:
    return line.first, line.last, line.shift, line.phone, line.queue, line.penalty, line.name


def _line(
    kind: str, user_defined: str, caller: bytes = b"", name: bytes = b"", dialled: bytes = b"", extra: str = ""
) -> bytes:
    """A record as `asterisk-config/cel_custom.conf` has Asterisk write it."""
    fields = ["1766000000.000001", kind, user_defined, "112-1.1", "112-1.1", "PJSIP/telkomsel-00000001"]
    rest = [*(quote(each, safe="") for each in (caller, name, dialled)), "", quote(extra, safe="")]
    return FORM + ",".join([*fields, *rest]).encode()


def _happen(calls: dict[str, Call], fact: AnyFact) -> None:
    """Takes a fact into its call, as the centre does, and has its events stored and told."""
    assert isinstance(fact, Fact)
    call_id = fact.call_id
    events: tuple[Event, ...]
    if isinstance(fact, Entered):
        if call_id in calls:
            return
        calls[call_id], event = life.enter(fact)
        events = (event,)
    elif call_id in calls:
        try:
            calls[call_id], events = life.apply(calls[call_id], fact)
        except life.OutOfPlace:
            return  # the centre keeps it aside
    else:
        return
    for event in events:
        kept = storable(dict(event.data))
        assert json.loads(to_json(kept)) == kept
        stored = StoredEvent(1, Event(event.type, event.at, event.call_id, kept))
        for hides in (False, True):
            told = told_json(EventModel.of(stored), hides_numbers=hides)
            assert b"\n" not in told, "a line of its own would be an event of its own on the stream"
            json.loads(told)
