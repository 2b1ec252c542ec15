"""Notices: what the centre shows on an operator's phone, because something was done to his duty that he did not do.

Counterpart: `gateway/asterisk/switchboard.py` sends them (SIP MESSAGE). A notice is a courtesy: the event, the board
and the audit log tell the same, so one that cannot be shown is logged and no more.
"""

import asyncio
import logging
from collections.abc import Iterable

from gateway.domain.duty import Step, Told
from gateway.domain.presence import NO_ANSWER
from gateway.ports import Refused, Switchboard, SwitchboardAway

log = logging.getLogger(__name__)

WAITING = 100
"""Notices that may wait. One more is not shown."""

PAUSED = "112: Anda dijeda karena panggilan tidak dijawab. Tekan *47 untuk kembali. (Paused: calls were not answered.)"


class Notices:
    """Takes what became of operators' duties, and shows what concerns them."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(WAITING)

    def take(self, told: Iterable[Told]) -> None:
        """Takes what was done. Never waits."""
        for each in told:
            data = each.deed.data
            if each.deed.action == f"operator.{Step.PAUSE}" and data.get("reason") == NO_ANSWER:
                try:
                    self._waiting.put_nowait((str(data["phone"]), PAUSED))
                except asyncio.QueueFull:
                    log.warning("notice_not_shown", extra={"phone": data["phone"], "reason": "too many wait"})

    async def run(self) -> None:
        """Shows one after the other, for ever."""
        while True:
            phone, text = await self._waiting.get()
            try:
                await self._switchboard.tell(phone, text)
            except (Refused, SwitchboardAway) as error:
                log.warning("notice_not_shown", extra={"phone": phone, "reason": str(error)})
