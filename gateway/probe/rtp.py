"""The caller's sound: an RTP endpoint (RFC 3550) that sends a tone in PCMU and listens for the other side's.

Counterpart: `caller.py` says in its SDP that the sound is here, and tells from Asterisk's SDP where it goes.
"""

import asyncio
import random
import socket
import struct
import time
from dataclasses import dataclass
from typing import Self

from gateway.probe import tones
from gateway.probe.tones import Ear

PCMU = 0
PACKET_SAMPLES = 160
PACKET_S = PACKET_SAMPLES / tones.SAMPLE_RATE_HZ
HEADER_BYTES = 12
AUDIBLE = 100.0
"""The level from which on a packet is sound and not a line's silence."""

Address = tuple[str, int]


class NotRtp(ValueError):
    """The datagram is not RTP version 2."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet, as far as the probe needs it."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    def encode(self) -> bytes:
        return (
            struct.pack(
                "!BBHII",
                0x80,
                self.payload_type,
                self.sequence & 0xFFFF,
                self.timestamp & 0xFFFFFFFF,
                self.ssrc,
            )
            + self.payload
        )

    @classmethod
    def decode(cls, datagram: bytes) -> Self:
        """Raises NotRtp."""
        if len(datagram) < HEADER_BYTES or datagram[0] >> 6 != 2:
            raise NotRtp(NotRtp.__doc__)
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", datagram)
        start = HEADER_BYTES + 4 * (first & 0x0F)
        if first & 0x10:  # a header extension: its length is counted in 32-bit words
            if len(datagram) < start + 4:
                raise NotRtp("its header extension is cut off")
            start += 4 + 4 * int(struct.unpack_from("!H", datagram, start + 2)[0])
        stop = len(datagram) - (datagram[-1] if first & 0x20 else 0)
        return cls(second & 0x7F, sequence, timestamp, ssrc, datagram[start : max(start, stop)])


class ToneEndpoint(asyncio.DatagramProtocol):
    """A UDP socket that listens for `listen_hz` from the start and sends `send_hz` once it knows where to.

    `first_sound_at` is when the first audible packet came (seconds since the epoch), `tone_at` when the tone had been
    there for a window; None until then. `async with` opens and closes it; opening raises OSError.
    """

    def __init__(self, host: str, *, send_hz: float, listen_hz: float, first: int | None = None) -> None:
        """`first` is the sequence number of the first packet; without it any, as RFC 3550 asks for."""
        self._host = host
        self._first = random.getrandbits(16) if first is None else first
        self._send_hz = send_hz
        self._peer: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._sending: asyncio.Task[None] | None = None
        self.ear = Ear(listen_hz)
        self.received = 0
        self.sent = 0
        self.foreign = 0
        """Datagrams that were no RTP in PCMU."""
        self.first_sound_at: float | None = None
        self.tone_at: float | None = None

    @property
    def port(self) -> int:
        if self._transport is None:
            raise RuntimeError("the endpoint is not open")
        return int(self._transport.get_extra_info("sockname")[1])

    def talk_to(self, peer: Address) -> None:
        """Sends the tone to `peer`, 20 ms a packet, until the endpoint is closed. Called again it changes the peer."""
        self._peer = peer
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, 0), family=socket.AF_INET)
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending], timeout=1)
        if self._transport is not None:
            self._transport.close()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        ssrc, began = random.getrandbits(32), loop.time()
        while self._transport is not None and self._peer is not None:
            sound = tones.sine(self._send_hz, PACKET_SAMPLES, start=self.sent * PACKET_SAMPLES)
            packet = Packet(PCMU, self._first + self.sent, self.sent * PACKET_SAMPLES, ssrc, tones.encode_ulaw(sound))
            self._transport.sendto(packet.encode(), self._peer)
            self.sent += 1
            # by the clock, not by pauses: a late packet does not make all others late
            await asyncio.sleep(max(0.0, began + self.sent * PACKET_S - loop.time()))

    # ---------------------------------------------------------------- asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio gives a datagram protocol no other

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            packet = Packet.decode(data)
        except NotRtp:
            self.foreign += 1
            return
        if packet.payload_type != PCMU:
            self.foreign += 1
            return
        self.received += 1
        sound = tones.decode_ulaw(packet.payload)
        self.ear.hear(sound)
        if self.first_sound_at is None and tones.level(sound) >= AUDIBLE:
            self.first_sound_at = time.time()
        if self.tone_at is None and self.ear.heard_s:
            self.tone_at = time.time()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: Asterisk closed its port. What was heard tells the rest."""
        self.foreign += 1
