"""What Asterisk holds, and the commands that change it: phones, queue members, running calls.

Counterpart: `gateway/centre.py` names this port (`Switchboard`); the domain computes the commands.
"""

from collections.abc import Mapping, Sequence

from gateway.asterisk.board import Board
from gateway.asterisk.errors import AsteriskError, AsteriskRefused
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink
from gateway.asterisk.translator import TECHNOLOGY, is_phone
from gateway.centre import SIP_REALM, SwitchboardAway
from gateway.domain.operators import (
    AddMember,
    Command,
    Holding,
    Member,
    Phone,
    PutPhone,
    RemoveMember,
    RemovePhone,
    SetPenalty,
)

PHONES_FILE = "pjsip_wizard.conf"
LIST_TIMEOUT_S = 10.0


class AsteriskSwitchboard:
    """The port, over one AMI link. Each full look also renews the live board."""

    def __init__(self, link: AmiLink, board: Board) -> None:
        self._link = link
        self._board = board

    async def holding(self) -> Holding:
        """The phones of pjsip_wizard.conf and the dynamic members of all queues. Raises SwitchboardAway."""
        try:
            status = await self._link.ask_list("QueueStatus", timeout_s=LIST_TIMEOUT_S)
            self._board.look(status)
            return Holding(await self._phones(), _members(status))
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error

    async def carry_out(self, commands: Sequence[Command]) -> Mapping[str, str]:
        """See centre.Switchboard. Raises SwitchboardAway."""
        problems: dict[str, str] = {}
        phones_changed = False
        try:
            for command in commands:
                try:
                    await self._carry_out(command)
                    phones_changed |= isinstance(command, PutPhone | RemovePhone)
                except AsteriskRefused as refusal:
                    problems[command.subject] = refusal.message
            if phones_changed:
                await self._link.ask("Reload", ("Module", "res_pjsip.so"), timeout_s=LIST_TIMEOUT_S)
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        return problems

    async def live_calls(self) -> set[str]:
        """The linked ids of the channels that Asterisk has. Raises SwitchboardAway."""
        try:
            channels = await self._link.ask_list("CoreShowChannels", timeout_s=LIST_TIMEOUT_S)
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        return {channel.get("Linkedid", "") for channel in channels if channel.name == "CoreShowChannel"}

    async def _phones(self) -> dict[str, Phone]:
        try:
            config = await self._link.ask("GetConfig", ("Filename", PHONES_FILE), timeout_s=LIST_TIMEOUT_S)
        except AsteriskRefused:
            return {}  # Asterisk says so of a file without sections
        return {phone.number: phone for phone in _sections(config)}

    async def _carry_out(self, command: Command) -> None:
        match command:
            case PutPhone(phone=phone, is_new=is_new):
                await self._edit_phones(([] if is_new else [_drop(phone.number)]) + _section(phone))
            case RemovePhone(number=number):
                await self._edit_phones([_drop(number)])
            case AddMember(member=member):
                await self._link.ask(
                    "QueueAdd",
                    ("Queue", member.queue),
                    ("Interface", TECHNOLOGY + member.phone),
                    ("StateInterface", TECHNOLOGY + member.phone),
                    ("MemberName", member.phone),
                    ("Penalty", str(member.penalty)),
                )
            case RemoveMember(queue=queue, phone=phone):
                await self._link.ask("QueueRemove", ("Queue", queue), ("Interface", TECHNOLOGY + phone))
            case SetPenalty(member=member):
                await self._link.ask(
                    "QueuePenalty",
                    ("Queue", member.queue),
                    ("Interface", TECHNOLOGY + member.phone),
                    ("Penalty", str(member.penalty)),
                )

    async def _edit_phones(self, edits: Sequence[tuple[tuple[str, str], ...]]) -> None:
        """One UpdateConfig; Asterisk writes the whole file anew, or nothing."""
        numbered = [(f"{name}-{index:06d}", value) for index, edit in enumerate(edits) for name, value in edit]
        await self._link.ask("UpdateConfig", ("SrcFilename", PHONES_FILE), ("DstFilename", PHONES_FILE), *numbered)


def _settings(phone: Phone) -> dict[str, str]:
    """A phone's section in pjsip_wizard.conf. A phone with a fixed contact may not register; both kinds must give
    their password in order to call."""
    where = (
        {"aor/max_contacts": "1", "aor/remove_existing": "yes", "aor/qualify_frequency": "30"}
        if phone.contact is None
        else {"aor/max_contacts": "0", "aor/contact": phone.contact}
    )
    return {
        "type": "wizard",
        "accepts_registrations": "yes",
        "accepts_auth": "yes",
        "sends_auth": "no",
        "inbound_auth/auth_type": "md5",
        "inbound_auth/realm": SIP_REALM,
        "inbound_auth/username": phone.number,
        "inbound_auth/md5_cred": phone.digest,
        **where,
        "endpoint/context": "from-operator",
        "endpoint/allow": "!all,opus,g722,alaw,ulaw",
        "endpoint/direct_media": "no",
        "endpoint/rtp_symmetric": "yes",
        "endpoint/force_rport": "yes",
        "endpoint/rewrite_contact": "yes" if phone.contact is None else "no",
        "endpoint/send_connected_line": "no",
        "endpoint/send_pai": "yes",
        "endpoint/timers": "no",
        "endpoint/language": "id",
        "endpoint/device_state_busy_at": "1",
    }


def _section(phone: Phone) -> list[tuple[tuple[str, str], ...]]:
    return [
        (("Action", "NewCat"), ("Cat", phone.number)),
        *(
            (("Action", "Append"), ("Cat", phone.number), ("Var", name), ("Value", value))
            for name, value in _settings(phone).items()
        ),
    ]


def _drop(number: str) -> tuple[tuple[str, str], ...]:
    return (("Action", "DelCat"), ("Cat", number))


def _sections(config: Message) -> list[Phone]:
    """The phones in a GetConfig answer. A section that does not read as this module would write it is given an empty
    digest, so that it differs from what is wanted and is written anew."""
    numbers: dict[str, str] = {}
    lines: dict[str, dict[str, str]] = {}
    for name, value in config.headers:
        kind, _, rest = name.partition("-")
        if kind == "Category":
            numbers[rest] = value
            lines[rest] = {}
        elif kind == "Line":
            key, _, setting = value.partition("=")
            lines[rest.partition("-")[0]][key] = setting
    phones = []
    for index, number in numbers.items():
        said = lines[index]
        phone = Phone(number, said.get("inbound_auth/md5_cred", ""), said.get("aor/contact"))
        phones.append(phone if said == _settings(phone) else Phone(number, ""))
    return phones


def _members(status: Sequence[Message]) -> dict[tuple[str, str], Member]:
    """The members that were added over AMI. Those that an engineer wrote into queues.conf are his."""
    members = {}
    for event in status:
        if event.name != "QueueMember" or event.get("Membership") != "dynamic":
            continue
        phone = event.get("Location", "").removeprefix(TECHNOLOGY)
        if is_phone(phone):
            member = Member(event.get("Queue", ""), phone, int(event.get("Penalty", "0")))
            members[member.key] = member
    return members
