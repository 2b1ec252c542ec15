"""What a look brings is what Asterisk holds now, also where it reads anew only what has changed; and what Asterisk was
told to hold it has taken over, or is told again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.asterisk import sections
from gateway.asterisk.board import Board
from gateway.asterisk.errors import AsteriskRefused, AsteriskSilent
from gateway.asterisk.framing import Message
from gateway.asterisk.link import Counters, LinkState
from gateway.asterisk.sections import BANNED_FILE, PHONES_FILE, QUEUES_FILE, Section
from gateway.asterisk.switchboard import LEAST_ROOM_BYTES, NO_ROOM, AsteriskSwitchboard
from gateway.domain.holding import AddMember, Member, Phone, PutPhone, RemoveMember, RemovePhone, SetPause
from gateway.domain.queues import Queue
from gateway.ports import Refused, Ring, SwitchboardAway

PHONE = Phone("1001", "d1")
RING = Ring("r1", "on-call", "fire", "1001", None, 20)
FAILED = Message((("Event", "OriginateResponse"), ("ActionID", "a-1"), ("Response", "Failure")))
QUEUE = Queue(name="fire", minimum=0, max_wait_s=0, created_at=datetime(1970, 1, 1, tzinfo=UTC))


class ToldLink:
    """Shows three files as Asterisk would, each answer with an ActionID of its own; there is nothing else in it."""

    def __init__(self, **files: list[Section]) -> None:
        self.files = files
        self.state = LinkState.UP
        self.counters = Counters()
        self.done: list[str] = []
        self.refuses: set[str] = set()
        self.places: list[Message] = []
        self.contacts: list[Message] = []
        self.channels: dict[str, str] = {}
        """Where each leads, by its name."""
        self.hung_up: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Called when the places have been told, before whoever asked for them goes on."""
        self._asked = 0

    async def ask(self, action: str, *pairs: tuple[str, str], **_: Any) -> Message:
        if action != "GetConfig":
            if action != "ModuleCheck":  # a question, which does nothing
                self.done.append(action)
            if action in self.refuses:
                raise AsteriskRefused(action, "not now")
            if action == "Hangup":
                self.hung_up.append(dict(pairs)["Channel"])
            if action == "Getvar":
                return Message((("Response", "Success"), ("Value", self.channels[dict(pairs)["Channel"]])))
            return Message((("Response", "Success"), ("ActionID", "a-1")))
        self._asked += 1
        return _config(self.files[_key(dict(pairs)["Filename"])], str(self._asked))

    async def ask_list(self, action: str, *_: tuple[str, str], **__: Any) -> list[Message]:
        if action == "QueueStatus":
            self.meanwhile()
            return self.places
        if action == "PJSIPShowContacts" and self.contacts:
            return self.contacts
        if action == "CoreShowChannels" and self.channels:
            return [Message((("Event", "CoreShowChannel"), ("Channel", each))) for each in self.channels]
        raise AsteriskRefused(action, "nothing there")


def _key(file: str) -> str:
    return {PHONES_FILE: "phones", QUEUES_FILE: "queues", BANNED_FILE: "banned"}[file]


def _config(there: list[Section], action_id: str) -> Message:
    headers = [("Response", "Success"), ("ActionID", action_id)]
    for number, section in enumerate(there):
        headers += [(f"Category-{number:06}", section.name), (f"Templates-{number:06}", section.template)]
        headers += [
            (f"Line-{number:06}-{place:06}", f"{name}={value}") for place, (name, value) in enumerate(section.values)
        ]
    return Message(tuple(headers))


def _contact(phone: str, uri: str) -> Message:
    return Message((("Event", "ContactList"), ("ObjectName", f"{phone};@hash"), ("Uri", uri), ("Status", "Reachable")))


@pytest.fixture
def link() -> ToldLink:
    return ToldLink(phones=[sections.of_phone(PHONE)], queues=[sections.of_queue(QUEUE)], banned=[sections.BANNED])


@pytest.fixture
def board() -> Board:
    return Board(clock=lambda: datetime.now(UTC))


@pytest.fixture
def switchboard(link: ToldLink, board: Board) -> AsteriskSwitchboard:
    return AsteriskSwitchboard(link, board)  # type: ignore[arg-type]


async def test_on_a_full_disk_no_file_is_written_of_which_asterisk_would_keep_a_part(
    link: ToldLink, board: Board
) -> None:
    """It empties the file first, and says that it succeeded."""
    room = 0
    switchboard = AsteriskSwitchboard(link, board, lambda: room)  # type: ignore[arg-type]
    await switchboard.holding()
    link.done.clear()
    new = [PutPhone(Phone("1002", "d2"), is_new=True), AddMember(Member("fire", "1001"))]
    assert await switchboard.carry_out(new) == {"1002": NO_ROOM}
    assert link.done == ["QueueAdd"], "what needs no room is done, and nothing is reloaded"
    room = LEAST_ROOM_BYTES
    assert await switchboard.carry_out(new[:1]) == {}
    assert link.done == ["QueueAdd", "UpdateConfig", "Reload"]


async def test_a_phone_that_comes_while_a_look_goes_on_is_there_after_it(
    switchboard: AsteriskSwitchboard, link: ToldLink, board: Board
) -> None:
    def place(name: str, status: str) -> Message:
        fields = {"Queue": "fire", "Interface": "PJSIP/1001", "Status": status, "Membership": "dynamic"}
        return Message((("Event", name), *fields.items()))

    link.places = [place("QueueMember", "5")]
    link.meanwhile = lambda: board.hear(place("QueueMemberStatus", "1"))
    assert set((await switchboard.holding()).members) == {("fire", "1001")}
    assert board.phone_states == {"1001": "free"}


async def test_a_phone_that_leads_elsewhere_is_forgotten_and_who_was_called_there_hung_up(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    link.contacts = [_contact("1001", "sip:0811@telkom.example:5060"), _contact("1002", "sip:1002@192.0.2.7:5060")]
    link.channels = {"PJSIP/1001-1": "sip:0811@telkom.example:5060", "PJSIP/1001-2": "sip:1001@192.0.2.8:5060"}
    link.channels |= {"PJSIP/1002-3": "sip:1002@telkom.example", "PJSIP/1001-4": ""}
    held = await switchboard.holding()
    assert held.astray == {"1001"}
    assert [each for each in link.done if each.startswith("DB")] == ["DBPut"]
    assert link.hung_up == ["PJSIP/1001-1"]
    assert held.phones == {"1001": PHONE}, "whether it is shut, others say"


async def test_a_phone_that_asterisk_cannot_forget_is_told_and_hinders_no_look(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    link.contacts = [_contact("1001", "sip:0811@telkom.example:5060")]
    link.refuses = {"DBPut"}
    held = await switchboard.holding()
    assert (held.astray, held.phones) == ({"1001"}, {"1001": PHONE})


async def test_a_phone_that_was_forgotten_by_a_look_that_failed_is_told_by_the_next_one(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    link.contacts, link.channels = [_contact("1001", "sip:0811@telkom.example:5060")], {"PJSIP/1001-1": ""}
    ask = link.ask

    async def ask_in_vain(action: str, *pairs: tuple[str, str], **how: Any) -> Message:
        if action == "Getvar":
            raise AsteriskSilent(action, 5.0)
        return await ask(action, *pairs, **how)

    link.ask = ask_in_vain  # type: ignore[method-assign]
    with pytest.raises(SwitchboardAway):
        await switchboard.holding()
    link.contacts = []  # Asterisk has forgotten it
    link.ask = ask  # type: ignore[method-assign]
    assert (await switchboard.holding()).astray == {"1001"}
    assert (await switchboard.holding()).astray == frozenset()


@pytest.mark.parametrize("phone", [PHONE, replace(PHONE, digest_sha256="d256")])
async def test_a_phone_that_is_shut_is_read_back_as_it_was_written(
    switchboard: AsteriskSwitchboard, link: ToldLink, phone: Phone
) -> None:
    shut = replace(phone, is_shut=True)
    link.files["phones"] = [sections.of_phone(shut)]
    assert (await switchboard.holding()).phones == {"1001": shut}


async def test_files_that_stay_are_read_once(
    switchboard: AsteriskSwitchboard, monkeypatch: pytest.MonkeyPatch, link: ToldLink
) -> None:
    first = await switchboard.holding()
    reads: list[object] = []
    monkeypatch.setattr(sections, "_read", lambda config: reads.append(config) or [])

    assert await switchboard.holding() == first
    assert not reads
    link.files["phones"] = []
    await switchboard.holding()
    assert len(reads) == 1


async def test_whatever_anybody_changes_in_a_file_is_seen_at_the_next_look(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    assert (await switchboard.holding()).phones == {"1001": PHONE}

    link.files["phones"] = [sections.of_phone(replace(PHONE, digest="d2"))]
    assert (await switchboard.holding()).phones == {"1001": replace(PHONE, digest="d2")}
    link.files["phones"] = [sections.of_phone(PHONE)]
    assert (await switchboard.holding()).phones == {"1001": PHONE}
    link.files["phones"] = [replace(sections.of_phone(PHONE), template="carrier")]
    assert (await switchboard.holding()).phones["1001"] != PHONE
    link.files["queues"] = []
    held = await switchboard.holding()
    assert held.queues == {}
    assert set(held.phones) == {"1001"}


async def test_a_section_that_the_gateway_did_not_write_hinders_no_look(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    """An engineer wrote it, or a power cut left the half of it: it is seen, and put right after the look. The phones
    stay where they are registered, also in a network that no carrier's could be."""
    link.files["phones"] += [
        Section("reception", "phone", ()),
        Section("backhoe", "carrier", (("identify/match", "10.0.0.0/8"),)),
        Section("telkom", "carrier", (("identify/match", "203.0.113.1/24,203.0.113.9"),)),
    ]
    link.contacts = [_contact("1001", "sip:1001@10.1.2.3:5060")]
    assert set((await switchboard.holding()).trunks) == {"reception", "backhoe", "telkom"}
    assert "DBPut" not in link.done
    link.contacts = [_contact("1001", "sip:1001@203.0.113.9:5060")]
    await switchboard.holding()
    assert "DBPut" in link.done


async def test_a_file_that_was_changed_is_taken_over_also_where_asterisk_first_refuses(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    link.refuses = {"Reload"}
    await switchboard.carry_out([PutPhone(PHONE, is_new=True)])
    link.refuses = set()
    link.done.clear()

    await switchboard.holding()
    await switchboard.holding()

    assert link.done == ["Reload"]


async def test_after_each_login_the_files_are_taken_over_once(switchboard: AsteriskSwitchboard, link: ToldLink) -> None:
    for _ in range(2):
        link.counters.logins += 1
        link.done.clear()
        await switchboard.holding()
        await switchboard.holding()
        assert sorted(link.done) == ["QueueReload", "Reload"]


async def test_who_comes_is_put_in_before_others_go(switchboard: AsteriskSwitchboard, link: ToldLink) -> None:
    await switchboard.carry_out(
        [
            RemoveMember("fire", "1001"),
            SetPause(Member("fire", "1003", 0, "shift over")),
            AddMember(Member("fire", "1002", 0)),
            RemovePhone("1001"),
            PutPhone(replace(PHONE, number="1002"), is_new=True),
        ]
    )

    assert link.done == ["UpdateConfig", "Reload", "QueueAdd", "QueueRemove", "QueuePause", "UpdateConfig", "Reload"]


async def test_a_ring_that_failed_before_it_was_said_to_have_begun_is_refused(
    switchboard: AsteriskSwitchboard,
) -> None:
    assert switchboard.ring_that_failed(FAILED) is None

    with pytest.raises(Refused):
        await switchboard.ring(RING)
    await switchboard.ring(RING)
    assert switchboard.ring_that_failed(FAILED) == "r1"


@pytest.fixture
def slow(link: ToldLink) -> None:
    """Asterisk answers nothing in time, whatever it does."""

    async def ask(action: str, *_: tuple[str, str], **__: Any) -> Message:
        raise AsteriskSilent(action, 5.0, "a-1")

    link.ask = ask  # type: ignore[method-assign]


@pytest.mark.usefixtures("slow")
async def test_a_ring_that_was_not_confirmed_and_fails_is_told_as_that_ring(switchboard: AsteriskSwitchboard) -> None:
    await switchboard.ring(RING)
    assert switchboard.ring_that_failed(FAILED) == "r1"


@pytest.mark.usefixtures("slow")
async def test_a_ring_that_failed_before_it_was_known_that_it_is_not_confirmed_is_refused(
    switchboard: AsteriskSwitchboard,
) -> None:
    assert switchboard.ring_that_failed(FAILED) is None
    with pytest.raises(Refused):
        await switchboard.ring(RING)


async def test_an_asterisk_that_does_not_tell_who_speaks_is_known_as_one(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    assert not switchboard.can_hear  # nobody has looked yet
    await switchboard.holding()
    assert switchboard.can_hear
    link.refuses.add("ModuleCheck")
    await switchboard.holding()
    assert not switchboard.can_hear
