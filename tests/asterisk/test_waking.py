"""Which lines are woken once the clock was set back, and how."""

from typing import Any

import pytest

from gateway.asterisk.errors import AsteriskAway, AsteriskRefused
from gateway.asterisk.framing import Message
from gateway.asterisk.waking import Waking
from gateway.ports import SwitchboardAway

CALLER, PHONE = "PJSIP/telkomsel-00000001", "PJSIP/1001-00000002"


def line(name: str, **fields: str) -> Message:
    there = {"ChannelState": "6", "BridgeId": "", "Linkedid": "112-1.0"} | fields
    return Message((("Event", "CoreShowChannel"), ("Channel", name), *there.items()))


class ToldLink:
    """Has these lines; `refuses` names actions that it does not take."""

    def __init__(self, *lines: Message) -> None:
        self.lines = lines
        self.done: list[tuple[str, str]] = []
        self.refuses: set[str] = set()
        self.is_away = False

    async def ask(self, action: str, *pairs: tuple[str, str], **_: Any) -> Message:
        if self.is_away:
            raise AsteriskAway("gone")
        if action in self.refuses:
            raise AsteriskRefused(action, "no such channel")
        self.done.append((action, dict(pairs).get("Channel", "")))
        return Message((("Response", "Success"),))

    async def ask_list(self, *_: Any, **__: Any) -> list[Message]:
        return [Message((("Response", "Success"),)), *self.lines, Message((("Event", "CoreShowChannelsComplete"),))]


@pytest.mark.parametrize(
    ("there", "action"),
    [
        (line(CALLER, Application="Queue", Context="queue"), "PlayDTMF"),
        (line(CALLER, Application="Read", Context="fallback"), "PlayDTMF"),
        (line(CALLER, Application="Wait", Context="fallback", Exten="stay"), "Redirect"),
        (line(PHONE, Application="AppQueue", ChannelState="5"), "Hangup"),
        (line("PJSIP/telkom-00000003", Application="AppDial", ChannelState="0"), "Hangup"),
        (line(CALLER, Application="Queue", Context="queue", BridgeId="b-1"), ""),
        (line(PHONE, Application="AppQueue", BridgeId="b-1"), ""),
        (line(CALLER, Application="Record", Context="fallback"), ""),
        (line(CALLER, Application="Playback", Context="emergency", ChannelState="4"), ""),
        (line(PHONE, Application="Read", Context="duty"), ""),
        (line("PJSIP/telkom-00000003", ChannelState="5", Linkedid="centre-callback-7-ab"), ""),
        (line("Local/ring@third-00000001;1", ChannelState="5"), ""),
    ],
)
async def test_waits_and_rings_are_ended_and_nobody_who_talks_or_speaks_is_disturbed(
    there: Message, action: str
) -> None:
    link = ToldLink(there)
    await Waking(link).wake()  # type: ignore[arg-type]
    wakes = [(action, there.get("Channel"))] if action else []
    assert link.done == [*wakes, ("QueueReset", "")]


async def test_a_line_that_is_gone_meanwhile_keeps_no_other_waiting() -> None:
    link = ToldLink(line(PHONE, ChannelState="5"), line(CALLER, Application="Queue"))
    link.refuses = {"Hangup"}
    assert await Waking(link).wake() == 2  # type: ignore[arg-type]
    assert link.done == [("PlayDTMF", CALLER), ("QueueReset", "")]


async def test_an_asterisk_that_goes_away_meanwhile_is_told_of() -> None:
    link = ToldLink(line(CALLER, Application="Queue"))
    link.is_away = True
    with pytest.raises(SwitchboardAway):
        await Waking(link).wake()  # type: ignore[arg-type]
