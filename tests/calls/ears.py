"""An ear for what a carrier's caller hears, and his mouth and finger: it takes the sound that Asterisk sends, as the
SDP said where to, and sends sound and keys back to where that came from.

Counterpart: `tests/sip.py`, whose SIPp callers say in their SDP that the sound goes here (`Ear.media`).
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.probe import tones
from gateway.probe.rtp import PACKET_S, PACKET_SAMPLES, PCMU, NotRtp, Packet
from tests.sip import TELKOMSEL, ULAW

SILENT_BELOW = 50.0
"""The level of a window (0.2 s) below which a person hears nothing: 56 dB under full scale."""


EVENTS = 101
"""The payload type of telephone events (RFC 4733)."""
EVENT_CODES = {key: code for code, key in enumerate("0123456789*#")}
LOW_HZ = {key: hz for keys, hz in (("123", 697), ("456", 770), ("789", 852), ("*0#", 941)) for key in keys}
HIGH_HZ = {key: hz for keys, hz in (("147*", 1209), ("2580", 1336), ("369#", 1477)) for key in keys}
"""The two tones of a key (ITU-T Q.23)."""


@dataclass
class Ear(asyncio.DatagramProtocol):
    """`samples` is all that was heard; where nothing was sent there is nothing."""

    port: int = 0
    samples: list[int] = field(default_factory=list)
    _transport: asyncio.DatagramTransport | None = None
    _peer: tuple[str, int] | None = None
    _sent: int = 0

    @property
    def media(self) -> str:
        """The line of the SDP that leads the sound here."""
        return ULAW.replace("[media_port]", str(self.port))

    @property
    def media_with_events(self) -> str:
        """The same, and keys come as telephone events."""
        return f"{self.media}\na=rtpmap:{EVENTS} telephone-event/8000".replace("AVP 0", f"AVP 0 {EVENTS}")

    async def press(self, key: str) -> None:
        """Presses the key for 100 ms, as telephone events (RFC 4733)."""
        began = self._sent * PACKET_SAMPLES
        for place in range(1, 8):
            is_over, samples = place > 5, min(place, 5) * PACKET_SAMPLES
            event = struct.pack("!BBH", EVENT_CODES[key], 0x80 * is_over + 10, samples)
            await self._send(Packet(EVENTS, self._sent, began, 112, event))

    async def press_in_sound(self, key: str) -> None:
        """Presses the key for 100 ms, as its two tones in the sound."""
        for place in range(5):
            low, high = (
                tones.sine(hz[key], PACKET_SAMPLES, start=place * PACKET_SAMPLES, amplitude=6000)
                for hz in (LOW_HZ, HIGH_HZ)
            )
            await self._say([one + other for one, other in zip(low, high, strict=True)])
        for _ in range(5):
            await self._say([0] * PACKET_SAMPLES)

    async def say(self, frequency_hz: float, seconds: float) -> None:
        """Sends a tone for so long."""
        for place in range(round(seconds / PACKET_S)):
            await self._say(tones.sine(frequency_hz, PACKET_SAMPLES, start=place * PACKET_SAMPLES))

    async def _say(self, samples: list[int]) -> None:
        await self._send(Packet(PCMU, self._sent, self._sent * PACKET_SAMPLES, 112, tones.encode_ulaw(samples)))

    async def _send(self, packet: Packet) -> None:
        assert self._transport
        assert self._peer, "nothing was heard yet: nobody knows where to send"
        self._transport.sendto(packet.encode(), self._peer)
        self._sent += 1
        await asyncio.sleep(PACKET_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio gives a datagram protocol no other

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
        self._peer = address
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
