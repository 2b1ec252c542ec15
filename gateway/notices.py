"""Notices: what the centre shows on an operator's phone: that something was done to his duty that he did not do, that
his caller is silent, that a code he dialled was in vain.

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


SILENT = "112: Penelepon diam. Tekan *9 untuk memintanya menekan tombol. (The caller is silent: *9 asks for a key.)"


IN_VAIN = "112: Tidak ada panggilan dalam satu jam terakhir untuk dicatat. (No call of the last hour to note.)"


class Notices:
    """Takes what became of operators' duties and what else they should see, and shows it to them."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(WAITING)

    def take(self, told: Iterable[Told]) -> None:
        """Takes what was done. Never waits."""
        for each in told:
            data = each.deed.data
            if each.deed.action == f"operator.{Step.PAUSE}" and data.get("reason") == NO_ANSWER:
                self.show(str(data["phone"]), PAUSED)

    def show(self, phone: str, text: str) -> None:
        """Takes a text for a phone. Never waits."""
        try:
            self._waiting.put_nowait((phone, text))
        except asyncio.QueueFull:
            log.warning("notice_not_shown", extra={"phone": phone, "reason": "too many wait"})

    async def run(self) -> None:
        """Shows one after the other, for ever."""
        while True:
            phone, text = await self._waiting.get()
            try:
                await self._switchboard.tell(phone, text)
            except (Refused, SwitchboardAway) as error:
                log.warning("notice_not_shown", extra={"phone": phone, "reason": str(error)})
