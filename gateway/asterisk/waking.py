"""Wakes whoever waits in Asterisk for a moment from which the machine's clock was set back.

Asterisk measures each of its waits by that clock: set back by an hour, it lets a caller in a queue wait an hour more
before it looks whose turn it is, and he keeps those behind him from theirs. So do a menu, a ring that nobody answers, a
wrap-up.

Counterparts: `gateway/setback.py` says when; the waits are those of `dialplan/queue.conf`, `notice.conf` and
`fallback.conf`.
"""

from collections.abc import Iterator

from gateway.asterisk.errors import AsteriskError, AsteriskRefused
from gateway.asterisk.framing import Message
from gateway.asterisk.link import LIST_TIMEOUT_S, AmiLink
from gateway.asterisk.translator import DIAL_ID_LEAD, TECHNOLOGY, endpoint, is_phone
from gateway.ports import SwitchboardAway

KEY = "D"
"""As if the caller had pressed it: a wait ends with any key, and the dialplan takes this one, which no phone has, for
none."""
WAKES_BY_KEY = frozenset({"Queue", "Read"})
RINGS = frozenset({"0", "3", "5"})
"""Asterisk's states of a line that was called and has not answered."""

Action = tuple[str, tuple[tuple[str, str], ...]]


class Waking:
    """Over one AMI link."""

    def __init__(self, link: AmiLink) -> None:
        self._link = link

    async def wake(self) -> int:
        """Ends the waits that go on now, and the wrap-ups; returns how many commands Asterisk took. Raises
        SwitchboardAway."""
        try:
            channels = await self._link.ask_list("CoreShowChannels", timeout_s=LIST_TIMEOUT_S)
            woken = 0
            for name, pairs in _actions(channels):
                try:
                    await self._link.ask(name, *pairs)
                    woken += 1
                except AsteriskRefused:
                    continue  # gone meanwhile, or an Asterisk of an older configuration
        except AsteriskError as error:
            raise SwitchboardAway(str(error)) from error
        return woken


def _actions(channels: list[Message]) -> Iterator[Action]:
    for channel in channels:
        name = channel.get("Channel")
        if channel.name != "CoreShowChannel" or channel.get("BridgeId") or not name.startswith(TECHNOLOGY):
            continue
        this = ("Channel", name)
        if channel.get("ChannelState") in RINGS:
            # an operator who calls somebody back hears how long it rings
            if not channel.get("Linkedid").startswith(DIAL_ID_LEAD):
                yield "Hangup", (this,)
        elif is_phone(endpoint(name)):
            continue
        elif channel.get("Application") in WAKES_BY_KEY:
            yield "PlayDTMF", (this, ("Digit", KEY), ("Receive", "true"))
        elif (channel.get("Context"), channel.get("Exten"), channel.get("Application")) == ("fallback", "stay", "Wait"):
            yield "Redirect", (this, ("Context", "queue"), ("Exten", "s"), ("Priority", "1"))
    # whose talk ended in what is the future now would be in his wrap-up until then
    yield "QueueReset", ()
