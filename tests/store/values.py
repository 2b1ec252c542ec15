"""Domain values for the store's tests: a few by hand, and every kind that can be by hypothesis."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from gateway.domain.advice_rules import AdviceRule, Condition, Effect
from gateway.domain.agencies import Agency, DutyPhone, Service
from gateway.domain.bans import Ban
from gateway.domain.blocks import Block
from gateway.domain.books import PauseReason, Rules
from gateway.domain.call import Attempt, Call, Outcome, Result, Stage
from gateway.domain.change import Change, Position, SetAside
from gateway.domain.dispositions import Category, Disposed, Disposition
from gateway.domain.encryption import SoundEncryption, Transport
from gateway.domain.erasing import Erasure
from gateway.domain.events import Event, StoredEvent
from gateway.domain.facts import Side
from gateway.domain.holding import Member
from gateway.domain.kept import Kept
from gateway.domain.operators import Operator
from gateway.domain.presence import Presence, Said
from gateway.domain.queues import Queue, Strategy
from gateway.domain.retention import LegalHold, RetentionRule
from gateway.domain.roster import Absence, Assignment, OnCall, Swap, SwapState
from gateway.domain.shifts import Shift
from gateway.domain.tokens import Role, Token
from gateway.domain.trunks import Registration, Trunk
from gateway.domain.webhooks import Webhook
from gateway.ports import Committed

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def a_call(number: int, **fields: Any) -> Call:
    """A call that arrived `number` seconds after noon."""
    known: dict[str, Any] = {
        "id": f"112-{number}",
        "trunk": "telkomsel",
        "caller": f"0812{number}",
        "arrived_at": NOON + timedelta(seconds=number),
    }
    return Call(**known | fields)


def ended(number: int, outcome: Outcome = Outcome.ANSWERED, **fields: Any) -> Call:
    at = NOON + timedelta(seconds=number + 60)
    return a_call(number, stage=Stage.ENDED, ended_at=at, outcome=outcome, **fields)


def disposed(call: Call, disposition: Disposition, **fields: Any) -> Disposed:
    """What that call was, as Siti said a minute after it arrived."""
    known: dict[str, Any] = {"category": None, "note": "", "operator_id": call.operator_id, "set_by": "Siti"}
    set_at = call.arrived_at + timedelta(minutes=1)
    return Disposed(call.id, call.caller, disposition, **known | {"set_at": set_at} | fields)


def an_event(call_id: str | None = None, **data: Any) -> Event:
    return Event("call.described", NOON, call_id, data)


def an_operator(phone: str, id: int = 0, **fields: Any) -> Operator:
    known: dict[str, Any] = {"name": "Siti", "digest": "d1", "contact": None, "created_at": NOON}
    return Operator(id=id, phone=phone, **known | fields)


def told(count: int, **change: Any) -> Change:
    """A change with that many events."""
    return Change(events=tuple(an_event(number=number) for number in range(count)), **change)


def at(**offsets: int) -> dict[str, Position]:
    """Positions in the journal, by segment."""
    return {segment: Position(offset) for segment, offset in offsets.items()}


def numbers(stored: Sequence[StoredEvent] | Committed) -> list[int]:
    return [each.seq for each in (stored.events if isinstance(stored, Committed) else stored)]


# what PostgreSQL refuses (NUL, halves of surrogate pairs) is not among it: a test of its own says what becomes of that
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40) | st.sampled_from(
    ["", "Siti “112” 🚒👩‍🚒", 'O\'Neil \\ "x"; DROP TABLE calls; --', "\x01\x1f\x7f\r\n\t", "%_\\%", "ﷺ" * 255]
)
keys = words.filter(bool)
several_words = st.lists(words, max_size=3).map(tuple)
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
attempts = st.builds(
    Attempt,
    leg=words,
    phone=words,
    rung_at=times,
    answered_at=st.none() | times,
    left_at=st.none() | times,
    result=st.none() | st.sampled_from(Result),
)
any_call = st.builds(
    Call,
    id=keys,
    trunk=words,
    caller=words,
    arrived_at=times,
    stage=st.sampled_from(Stage),
    caller_name=words,
    dialled=words,
    sip_call_id=words,
    diversion=words,
    access_network=words,
    geolocation=words,
    location=words,
    greeted_at=st.none() | times,
    queued_at=st.none() | times,
    answered_at=st.none() | times,
    ended_at=st.none() | times,
    queue=st.none() | words,
    priority=st.integers(-(2**63), 2**63 - 1),
    operator=st.none() | words,
    operator_id=st.none() | st.integers(1, 2**31 - 1),
    operator_name=st.none() | words,
    relieved_by=st.none() | words,
    agency=st.none() | words,
    message=st.none() | words,
    spoke_at=st.none() | times,
    attempts=st.lists(attempts, max_size=3).map(tuple),
    outcome=st.none() | st.sampled_from(Outcome),
    hung_up_by=st.none() | st.sampled_from(Side),
    cause=st.none() | st.integers(0, 127),
    recording=st.none() | words,
)
any_event = st.builds(
    Event, type=words, at=times, call_id=st.none() | words, data=st.dictionaries(words, json_values, max_size=4)
)
any_set_aside = st.builds(SetAside, at=times, source=words, reason=words, raw=words)
days = st.dates(date(1970, 1, 1), date(2200, 1, 1))
walls = st.times().map(lambda wall: wall.replace(microsecond=0))
ids = st.integers(1, 2**31 - 1)
small = st.integers(0, 2**31 - 1)
_SHARED: dict[str, Any] = {"created_at": times}
any_kept: st.SearchStrategy[Kept] = st.one_of(
    st.builds(
        Operator,
        name=words,
        phone=keys,
        digest=words,
        contact=st.none() | words,
        skills=several_words,
        languages=several_words,
        home_queues=several_words,
        sound_encryption=st.sampled_from(SoundEncryption),
        digest_sha256=words,
        **_SHARED,
    ),
    st.builds(
        Queue,
        name=keys,
        strategy=st.sampled_from(Strategy),
        ring_s=small,
        minimum=small,
        announces_position=st.booleans(),
        music=st.none() | words,
        **_SHARED,
    ),
    st.builds(
        Trunk,
        name=keys,
        carrier=words,
        addresses=several_words,
        port=small,
        codecs=several_words,
        queue=st.none() | words,
        channels=st.none() | small,
        is_asked=st.booleans(),
        registration=st.none() | st.builds(Registration, words, words, words),
        transport=st.sampled_from(Transport),
        sound_encryption=st.sampled_from(SoundEncryption),
        **_SHARED,
    ),
    st.builds(
        Shift,
        name=keys,
        start=walls,
        end=walls,
        rule=words,
        first_date=days,
        last_date=st.none() | days,
        exceptions=st.lists(days, max_size=3).map(tuple),
        overlap_min=small,
        **_SHARED,
    ),
    st.builds(
        Assignment,
        operator_id=ids,
        shift_id=ids,
        queue=keys,
        penalty=small,
        first_date=days,
        last_date=days,
        **_SHARED,
    ),
    st.builds(Absence, operator_id=ids, from_at=times, until_at=times, reason=words, **_SHARED),
    st.builds(
        Swap,
        operator_id=ids,
        shift_id=ids,
        date=days,
        state=st.sampled_from(SwapState),
        taken_by=st.none() | ids,
        note=words,
        **_SHARED,
    ),
    st.builds(
        OnCall,
        operator_id=ids,
        place=small,
        queues=several_words,
        number=st.none() | words,
        trunk=st.none() | words,
        from_at=st.none() | times,
        until_at=st.none() | times,
        **_SHARED,
    ),
    st.builds(PauseReason, digit=keys, name=words, **_SHARED),
    st.builds(Rules, least_rest_h=st.floats(0, 1000), lone_check_min=st.none() | small, **_SHARED),
    st.builds(
        Agency,
        name=words,
        service=st.sampled_from(Service),
        phones=st.lists(st.builds(DutyPhone, words, st.none() | words), max_size=3).map(tuple),
        ring_s=small,
        **_SHARED,
    ),
    st.builds(
        AdviceRule,
        name=words,
        place=small,
        is_on=st.booleans(),
        condition=st.sampled_from(Condition),
        within_min=st.none() | small,
        least_numbers=st.none() | small,
        is_by_trunk=st.none() | st.booleans(),
        least_score=st.none() | st.floats(0, 1000),
        number=st.none() | words,
        is_prefix=st.none() | st.booleans(),
        trunk=st.none() | words,
        effect=st.sampled_from(Effect),
        queue=st.none() | words,
        **_SHARED,
    ),
    st.builds(
        RetentionRule,
        name=words,
        place=st.integers(1, 2**31 - 1),
        disposition=st.none() | st.sampled_from(Disposition),
        queue=st.none() | words,
        keep_days=st.integers(1, 2**31 - 1),
        **_SHARED,
    ),
    st.builds(LegalHold, call_id=keys, reason=words, set_by=words, **_SHARED),
    st.builds(
        Erasure,
        number=words,
        reason=words,
        asked_by=words,
        pseudonym=words,
        confirmed_by=words,
        confirmed_at=st.none() | times,
        done_at=st.none() | times,
        calls=st.integers(0, 2**31 - 1),
        recordings=st.integers(0, 2**31 - 1),
        left_out=st.integers(0, 2**31 - 1),
        **_SHARED,
    ),
    st.builds(Block, number=keys, reason=words, until=times, **_SHARED),
    st.builds(Ban, address=keys, reason=words, until=times, **_SHARED),
    st.builds(
        Token,
        name=keys,
        role=st.sampled_from(Role),
        token_hash=keys,
        operator_id=st.none() | ids,
        **_SHARED,
    ),
)
any_presence = st.builds(
    Presence,
    operator_id=ids,
    said=st.none() | st.sampled_from(Said),
    said_at=st.none() | times,
    until=st.none() | times,
    queues=several_words,
    pause=st.none() | words,
    paused_at=st.none() | times,
    misses=small,
)
any_disposed = st.builds(
    Disposed,
    call_id=keys,
    caller=words,
    disposition=st.sampled_from(Disposition),
    category=st.none() | st.sampled_from(Category),
    note=words,
    operator_id=st.none() | ids,
    set_by=words,
    set_at=times,
)
any_member = st.builds(Member, queue=keys, phone=keys, penalty=st.integers(0, 1000))
any_webhook = st.builds(
    Webhook,
    id=keys,
    url=words,
    secret=words,
    types=st.lists(words, max_size=3).map(tuple),
    after_seq=st.integers(0, 2**63 - 1),
    created_at=times,
)
