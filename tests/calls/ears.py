"""An ear for what a carrier's caller hears: it takes the sound that Asterisk sends, as the SDP said where to.

Counterpart: `tests/sip.py`, whose SIPp callers say in their SDP that the sound goes here (`Ear.media`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.probe import tones
from gateway.probe.rtp import PCMU, NotRtp, Packet
from tests.sip import TELKOMSEL, ULAW

SILENT_BELOW = 50.0
"""The level of a window (0.2 s) below which a person hears nothing: 56 dB under full scale."""


@dataclass
class Ear(asyncio.DatagramProtocol):
    """`samples` is all that was heard; where nothing was sent there is nothing."""

    port: int = 0
    samples: list[int] = field(default_factory=list)

    @property
    def media(self) -> str:
        """The line of the SDP that leads the sound here."""
        return ULAW.replace("[media_port]", str(self.port))

    @property
    def heard_s(self) -> float:
        return len(self.samples) / tones.SAMPLE_RATE_HZ

    def loud(self, since_s: float = 0) -> list[bool]:
        """For each window from there on, whether there was sound in it."""
        start = int(since_s * tones.SAMPLE_RATE_HZ)
        return [tones.level(window) >= SILENT_BELOW for window in tones.windows(self.samples[start:])]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        try:
            packet = Packet.decode(data)
        except NotRtp:
            return
        if packet.payload_type == PCMU:
            self.samples += tones.decode_ulaw(packet.payload)


@asynccontextmanager
async def listening(address: str = TELKOMSEL) -> AsyncIterator[Ear]:
    """An ear at the carrier's address."""
    loop = asyncio.get_running_loop()
    transport, ear = await loop.create_datagram_endpoint(Ear, local_addr=(address, 0))
    try:
        ear.port = transport.get_extra_info("sockname")[1]
        yield ear
    finally:
        transport.close()
