"""What Asterisk holds, and the commands that change it: phones, trunks, queues, members, notes, running calls.

Counterparts: `gateway/ports.py` names this port (`Switchboard`); the domain computes the commands; `sections.py` knows
how Asterisk writes things.
"""

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from gateway.asterisk import sections
from gateway.asterisk.board import Board, member_phone
from gateway.asterisk.elsewhere import carriers_addresses, forget_elsewhere
from gateway.asterisk.errors import AsteriskError, AsteriskRefused, AsteriskSilent, UnsafeValue
from gateway.asterisk.framing import LINES_LIMIT, Message
from gateway.asterisk.link import LIST_TIMEOUT_S, AmiLink, LinkState, listed
from gateway.asterisk.sections import BANNED_FILE, PHONES_FILE, QUEUES_FILE
from gateway.asterisk.translator import DIAL_ID_LEAD, OWN_LINE, RING_ID_LEAD, TECHNOLOGY, WHISPER, is_phone
from gateway.domain.holding import (
    AddMember,
    ChangeBans,
    Command,
    Held,
    Member,
    PutNote,
    PutPhone,
    PutQueue,
    PutTrunk,
    RemoveMember,
    RemoveNote,
    RemovePhone,
    RemoveQueue,
    RemoveTrunk,
    SetPause,
    SetPenalty,
)
from gateway.domain.trunks import Trunk
from gateway.ports import Dialling, Refused, Ring, SwitchboardAway

log = logging.getLogger(__name__)

T = TypeVar("T")

NOTES = "gateway112"
"""The family of AstDB in which the notes for the dialplan stand."""
LISTENS = "func_talkdetect.so"
"""The module that hears whether callers speak."""
RINGS_KEPT = 100
OPERATOR_RING_S = 25
"""How long an operator's own phone rings before somebody is called back: whoever asked for it sits beside it."""
_PLAIN = re.compile(r"[^\w .@+-]")
EDITS_AT_ONCE = (LINES_LIMIT - 8) // 5
"""Edits of one UpdateConfig: each has five lines at most."""

LEAST_ROOM_BYTES = 4_000_000
"""Asterisk empties a file before it writes it anew, takes no notice of what did not fit, and says that it succeeded: on
a full disk every trunk and phone would be gone with the next reload. The largest of the files has a few hundred
kilobytes."""
NO_ROOM = "the disk of its configuration is full: nothing is written there before there is room again"

Edit = tuple[tuple[str, str], ...]


def room_bytes(folder: Path) -> int:
    """How much room there is on the disk of that folder, for who is no administrator; enough, where that cannot be
    said. Blocking: a disk, for a moment."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return LEAST_ROOM_BYTES


class AsteriskSwitchboard:
    """The port, over one AMI link. Each full look also renews the live board. `room_bytes` says how much room there is
    where Asterisk keeps its configuration."""

    def __init__(self, link: AmiLink, board: Board, room_bytes: Callable[[], int] = lambda: LEAST_ROOM_BYTES) -> None:
        self._link = link
        self._board = board
        self._room_bytes = room_bytes
        self._read_phones = _Remembering(sections.phones_and_trunks)
        self._read_queues = _Remembering(sections.queues)
        self._rings: dict[str, str] = {}
        """The centre's own rings that go on, by the id of the action that began each."""
        self._early_failures: dict[str, None] = {}
        """Actions of which Asterisk said that their ring failed before `ring` had heard that it began."""
        self._astray: set[str] = set()
        """Phones that led elsewhere, and that no look has handed out yet: one may fail after it has found them."""
        self.can_hear = False
        """Whether Asterisk tells who speaks, by the last full look; one that an older gateway started does not."""
        self._seen_in_login = 0
        self._owed_in_login = 0
        self._owed: set[str] = set()
        """The files that Asterisk has on its disk otherwise than it was told to take over, for all that is known: a
        change that was cut off between the two is not seen in the file."""

    @property
    def is_seeing(self) -> bool:
        """Whether the live board is true: the link is up, and all was looked at since it came up."""
        return self._link.state is LinkState.UP and self._seen_in_login == self._link.counters.logins

    def ring_that_failed(self, event: Message) -> str | None:
        """The id of the ring that nobody picked up, where the event tells of one."""
        if event.name != "OriginateResponse":
            return None
        ring_id = self._rings.pop(event.action_id, None)
        if event.get("Response") != "Failure":
            return None
        if ring_id is None:
            _keep(self._early_failures, event.action_id, None)
        return ring_id

    async def holding(self) -> Held:
        """See ports.Switchboard. Members are the dynamic ones: those that an engineer wrote into a file are his."""
        try:
            login = self._link.counters.logins
            self._board.begin_look()
            status = await self._link.ask_list("QueueStatus", timeout_s=LIST_TIMEOUT_S)
            self._board.look(status)
            contacts = await listed(self._link, "PJSIPShowContacts")
            self._board.look_at_contacts(contacts)
            self._seen_in_login = login
            await self._take_over()
            # asked for at once, they are answered in a few gulps
            on_phones, on_queues, on_bans, notes, self.can_hear = await asyncio.gather(
                self._config(PHONES_FILE),
                self._config(QUEUES_FILE),
                self._config(BANNED_FILE),
                self._notes(),
                self._has_module(LISTENS),
            )
            phones, trunks = self._read_phones(on_phones)
            registering = [trunk.name for trunk in trunks.values() if trunk.registration]
            self._board.look_at_trunks(await self._told_of(trunks.values()), registering)
            self._board.carriers = carriers_addresses(trunks.values())
            await forget_elsewhere(self._link, contacts, self._board.carriers, self._astray)
            held = Held(
                phones=phones,
                trunks=trunks,
                queues=self._read_queues(on_queues),
                members=_members(status),
                notes=notes,
                busy=self._board.busy_phones,
                occupied=frozenset(event.get("Queue") for event in status if event.name == "QueueEntry"),
                banned=sections.banned(on_bans),
                registered=self._board.phone_addresses,
                astray=frozenset(self._astray),
            )
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        self._astray.clear()
        return held

    async def carry_out(self, commands: Sequence[Command]) -> Mapping[str, str]:
        """See ports.Switchboard. Queues and phones are there before members are put into them, and who comes is there
        before others go: a queue is never empty in between. Members leave before what they stand in goes."""
        problems: dict[str, str] = {}
        try:
            for kinds in _IN_ORDER:
                problems |= await self._carry_out_group([each for each in commands if isinstance(each, kinds)])
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        return problems

    async def live_calls(self) -> set[str]:
        """The ids of the calls and dials that Asterisk has. Raises SwitchboardAway."""
        try:
            channels = await self._link.ask_list("CoreShowChannels", timeout_s=LIST_TIMEOUT_S)
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        return {
            channel.last("Linkedid").removeprefix(DIAL_ID_LEAD)
            for channel in channels
            if channel.name == "CoreShowChannel"
        }

    async def tell(self, phone: str, text: str) -> None:
        """See ports.Switchboard: a SIP MESSAGE (RFC 3428)."""
        await self._do("MessageSend", ("To", f"pjsip:{phone}"), ("From", "sip:112@gateway112"), ("Body", text))

    async def ring(self, ring: Ring) -> None:
        """See ports.Switchboard: Asterisk rings, and then asks what `dialplan/centre.conf` asks. Where its answer is
        late it may ring all the same: that it failed is told then, too, and whoever waits for what comes of it gives up
        after a while."""
        where = f"{ring.phone}@{ring.trunk}" if ring.trunk else ring.phone
        try:
            await self._originate(
                ring.id,
                *_own_line(TECHNOLOGY + where, ring.ring_s, "112", "112"),
                ("ChannelId", RING_ID_LEAD + ring.id),
                ("Context", "from-centre"),
                ("Exten", ring.step),
                ("Variable", f"RING_ID={ring.id}"),
                ("Variable", f"RING_ABOUT={ring.about}"),
                ("Variable", f"RING_STEP={ring.step}"),
            )
        except SwitchboardAway as error:
            silent = error.__cause__
            if not isinstance(silent, AsteriskSilent):
                raise
            log.warning("ring_not_confirmed", extra={"about": ring.about, "reason": str(error)})
            self._remember_ring(silent.action_id, ring.id)

    async def dial(self, dialling: Dialling) -> None:
        """See ports.Switchboard: Asterisk rings the operator, and `dialplan/callback.conf` does the rest. The phone
        shows whom the call is to."""
        await self._originate(
            dialling.id,
            *_own_line(TECHNOLOGY + dialling.phone, OPERATOR_RING_S, dialling.number, "Callback"),
            ("ChannelId", DIAL_ID_LEAD + dialling.id),
            ("Context", "from-callback"),
            ("Exten", "dial"),
            ("Variable", f"CALLBACK_NUMBER={dialling.number}"),
            ("Variable", f"CALLBACK_TRUNK={dialling.trunk}"),
            ("Variable", f"CALLBACK_RECORDING={dialling.recording}"),
        )

    async def _originate(self, ring_id: str, *pairs: tuple[str, str]) -> None:
        """Raises Refused, SwitchboardAway."""
        answer = await self._do("Originate", *pairs, ("Priority", "1"), ("Async", "true"))
        self._remember_ring(answer.action_id, ring_id)

    def _remember_ring(self, action_id: str, ring_id: str) -> None:
        """Remembers which ring the action began. Raises Refused where Asterisk has said already that it failed."""
        if action_id in self._early_failures:
            del self._early_failures[action_id]
            raise Refused("the phone could not be rung")
        _keep(self._rings, action_id, ring_id)

    async def ask_for_key(self, call_id: str, by: str) -> None:
        """See ports.Switchboard: a channel of Asterisk's own whispers it (`dialplan/centre.conf`). A call's id is that
        of its caller's channel."""
        await self._do(
            "Originate",
            ("Channel", f"{WHISPER}/n"),
            ("Context", "whisper"),
            ("Exten", "into-call"),
            ("Priority", "1"),
            # the link waits for it: such a channel answers at once, or something is wrong
            ("Timeout", "1000"),
            ("Variable", f"ASKED={call_id}"),
            ("Variable", f"WHISPER_TO={call_id}"),
            # a comma would part one variable from the next
            ("Variable", f"ASKED_BY={_PLAIN.sub(' ', by)}"),
        )

    async def _do(self, action: str, *pairs: tuple[str, str]) -> Message:
        try:
            return await self._link.ask(action, *pairs)
        except AsteriskRefused as refusal:
            raise Refused(refusal.message) from refusal
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error

    async def _config(self, file: str) -> Message:
        try:
            return await self._link.ask("GetConfig", ("Filename", file), timeout_s=LIST_TIMEOUT_S)
        except AsteriskRefused:
            return Message((("Response", "Success"),))  # Asterisk says so of a file without sections

    async def _has_module(self, name: str) -> bool:
        try:
            await self._link.ask("ModuleCheck", ("Module", name), timeout_s=LIST_TIMEOUT_S)
        except AsteriskRefused:
            return False
        return True

    async def _told_of(self, trunks: Collection[Trunk]) -> list[Message]:
        """What Asterisk knows of the carriers' ends: who answers, and who took a registration. A contact that stands
        in the configuration is in no list of contacts, so each trunk is asked for."""
        found: list[Message] = []
        for trunk in trunks:
            if trunk.is_asked:
                found += await listed(self._link, "PJSIPShowEndpoint", ("Endpoint", trunk.name))
        if any(trunk.registration for trunk in trunks):
            found += await listed(self._link, "PJSIPShowRegistrationsOutbound")
        return found

    async def _notes(self) -> dict[str, str]:
        found = await listed(self._link, "DBGetTree", ("Family", NOTES))
        lead = f"/{NOTES}/"
        return {
            event.get("Key").removeprefix(lead): event.get("Val")
            for event in found
            if event.name == "DBGetTreeResponse"
        }

    async def _carry_out_group(self, group: Sequence[Command]) -> dict[str, str]:
        problems: dict[str, str] = {}
        for command in group:
            if isinstance(command, _OF_FILES):
                if self._room_bytes() < LEAST_ROOM_BYTES:
                    problems[command.subject] = NO_ROOM
                    continue
                self._owed.add(_file_of(command))
            try:
                await self._carry_out(command)
            except AsteriskRefused as refusal:
                problems[command.subject] = refusal.message
            except UnsafeValue as error:  # one value that is too much for AMI holds nothing else up
                problems[command.subject] = str(error)
        await self._take_over()
        return problems

    async def _take_over(self) -> None:
        """Has Asterisk take over each file that it may not have taken over yet: after a change, and once after each
        login, for whoever changed it last may not have come so far. What it refuses stays owed."""
        if self._owed_in_login != self._link.counters.logins:
            self._owed_in_login = self._link.counters.logins
            self._owed |= _RELOADS.keys()
        for action, pairs in dict.fromkeys(_RELOADS[file] for file in sorted(self._owed)):
            files = {file for file in self._owed if _RELOADS[file] == (action, pairs)}
            try:
                await self._link.ask(action, *pairs, timeout_s=LIST_TIMEOUT_S)
            except AsteriskRefused as refusal:
                log.warning("reload_refused", extra={"about": ", ".join(sorted(files)), "reason": refusal.message})
            else:
                self._owed -= files

    async def _carry_out(self, command: Command) -> None:
        match command:
            case PutPhone(phone=phone, is_new=is_new):
                await self._edit(PHONES_FILE, sections.edits(sections.of_phone(phone), is_new=is_new))
            case PutTrunk(trunk=trunk, is_new=is_new):
                await self._edit(PHONES_FILE, sections.edits(sections.of_trunk(trunk), is_new=is_new))
            case PutQueue(queue=queue, is_new=is_new):
                await self._edit(QUEUES_FILE, sections.edits(sections.of_queue(queue), is_new=is_new))
            case RemovePhone(number=name) | RemoveTrunk(name=name):
                await self._edit(PHONES_FILE, [sections.drop(name)])
            case RemoveQueue(name=name):
                await self._edit(QUEUES_FILE, [sections.drop(name)])
            case AddMember(member=member):
                await self._link.ask(
                    "QueueAdd",
                    *_place(member.queue, member.phone),
                    ("StateInterface", TECHNOLOGY + member.phone),
                    ("MemberName", member.phone),
                    ("Penalty", str(member.penalty)),
                    *([("Paused", "true"), ("Reason", member.pause)] if member.pause is not None else []),
                )
            case RemoveMember(queue=name, phone=phone_number):
                await self._link.ask("QueueRemove", *_place(name, phone_number))
            case SetPenalty(member=member):
                await self._link.ask(
                    "QueuePenalty", *_place(member.queue, member.phone), ("Penalty", str(member.penalty))
                )
            case SetPause(member=member):
                await self._link.ask(
                    "QueuePause",
                    *_place(member.queue, member.phone),
                    ("Paused", "false" if member.pause is None else "true"),
                    ("Reason", member.pause or ""),
                )
            case ChangeBans(come=come, go=go):
                await self._edit(BANNED_FILE, sections.ban_edits(come, go))
            case PutNote(path=path, text=text):
                await self._link.ask("DBPut", ("Family", NOTES), ("Key", path), ("Val", text))
            case RemoveNote(path=path):
                await self._link.ask("DBDel", ("Family", NOTES), ("Key", path))

    async def _edit(self, file: str, edits: Sequence[Edit]) -> None:
        """One UpdateConfig or more; each writes the whole file anew, or nothing. A section that was cut off between two
        of them is seen at the next look, and written again."""
        for start in range(0, len(edits), EDITS_AT_ONCE):
            part = edits[start : start + EDITS_AT_ONCE]
            numbered = [
                (f"{name}-{index:06d}", _kept(name, value)) for index, edit in enumerate(part) for name, value in edit
            ]
            await self._link.ask("UpdateConfig", ("SrcFilename", file), ("DstFilename", file), *numbered)


class _Remembering(Generic[T]):
    """Reads a file that Asterisk shows only where it is not, line by line, what it was at the last look."""

    def __init__(self, read: Callable[[Message], T]) -> None:
        self._read = read
        self._last: tuple[tuple[tuple[str, str], ...], T] | None = None

    def __call__(self, config: Message) -> T:
        lines = config.headers[_FIRST_OF_FILE:]
        if self._last is None or self._last[0] != lines:
            self._last = lines, self._read(config)
        return self._last[1]


_FIRST_OF_FILE = 2
"""Before it stand Response and ActionID, which is another one each time."""
_OF_QUEUES = (PutQueue, RemoveQueue)
_OF_FILES = (*_OF_QUEUES, PutPhone, RemovePhone, PutTrunk, RemoveTrunk, ChangeBans)
_IN_ORDER: tuple[tuple[type, ...], ...] = (
    (PutQueue, PutPhone, PutTrunk),
    (AddMember, SetPenalty, PutNote, RemoveNote),
    (SetPause, RemoveMember, ChangeBans),
    (RemoveQueue, RemovePhone, RemoveTrunk),
)
"""Every command of the domain stands in one of these."""
_RELOADS: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    QUEUES_FILE: ("QueueReload", (("Parameters", "yes"), ("Members", "no"), ("Rules", "no"))),
    PHONES_FILE: ("Reload", (("Module", "res_pjsip.so"),)),
    BANNED_FILE: ("Reload", (("Module", "res_pjsip.so"),)),
}
"""The action that takes a file over, and what it needs."""


def _file_of(command: Command) -> str:
    """The file that the command changes."""
    if isinstance(command, ChangeBans):
        return BANNED_FILE
    return QUEUES_FILE if isinstance(command, _OF_QUEUES) else PHONES_FILE


def _kept(name: str, value: str) -> str:
    """What has Asterisk write that value: it takes one > off the front of it (`name => value`), as of a password."""
    return f">{value}" if name == "Value" and value.startswith(">") else value


def _own_line(line: str, ring_s: int, number: str, name: str) -> tuple[tuple[str, str], ...]:
    """What an Originate needs to ring that line, which shows the number and the name: by way of the dialplan
    (`dialplan/centre.conf`), for Asterisk itself would follow a phone that sends it elsewhere (SIP 302)."""
    return (
        ("Channel", f"{OWN_LINE}/n"),
        ("Timeout", str(ring_s * 1000)),
        ("Variable", f"OWN_LINE={line}"),
        ("Variable", f"OWN_RING_S={ring_s}"),
        ("Variable", f"OWN_NUMBER={number}"),
        ("Variable", f"OWN_NAME={name}"),
    )


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    """Keeps it, and of the older ones as many as there may be."""
    while len(kept) >= RINGS_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = value


def _place(queue: str, phone: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("Queue", queue), ("Interface", TECHNOLOGY + phone)


def _members(status: Sequence[Message]) -> dict[tuple[str, str], Member]:
    members = {}
    for event in status:
        if event.name != "QueueMember" or event.get("Membership") != "dynamic":
            continue
        phone = member_phone(event)
        if is_phone(phone):
            pause = event.get("PausedReason") if event.get("Paused") == "1" else None
            member = Member(event.get("Queue"), phone, int(event.get("Penalty", "0")), pause)
            members[member.key] = member
    return members
