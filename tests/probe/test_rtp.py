"""The caller's sound: packets as RFC 3550 has them, and two endpoints that hear each other's tone."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.probe import tones
from gateway.probe.rtp import NotRtp, Packet, ToneEndpoint
from tests.asterisk.scripted_peer import until


@given(st.integers(0, 127), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary())
def test_a_packet_reads_as_it_was_written(kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> None:
    packet = Packet(kind, sequence, timestamp, ssrc, payload)
    assert Packet.decode(packet.encode()) == packet


@given(st.binary(max_size=64))
def test_any_datagram_is_rtp_or_refused(datagram: bytes) -> None:
    try:
        Packet.decode(datagram)
    except NotRtp:
        return
    assert datagram[0] >> 6 == 2


def test_sources_extension_and_padding_are_not_sound() -> None:
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 0, 7, 160, 9)
    contributor, extension = b"\0\0\0\1", struct.pack("!HHI", 0xBEDE, 1, 0)
    assert Packet.decode(header + contributor + extension + b"sound" + b"\0\0\3").payload == b"sound"


async def test_two_endpoints_hear_each_others_tone_and_not_their_own() -> None:
    async with (
        ToneEndpoint("127.0.0.1", send_hz=700, listen_hz=1100) as caller,
        ToneEndpoint("127.0.0.1", send_hz=1100, listen_hz=700) as operator,
    ):
        caller.talk_to(("127.0.0.1", operator.port))
        operator.talk_to(("127.0.0.1", caller.port))
        await until(lambda: caller.tone_at and operator.tone_at)
        assert caller.first_sound_at is not None
        assert caller.tone_at is not None
        assert caller.first_sound_at < caller.tone_at


async def test_an_endpoint_counts_what_is_no_rtp_and_hears_nothing_in_it() -> None:
    async with ToneEndpoint("127.0.0.1", send_hz=700, listen_hz=1100) as endpoint:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            alaw = Packet(8, 1, 1, 1, tones.encode_ulaw(tones.sine(1100, 160)))
            for datagram in (b"", b"hello, this is not RTP", alaw.encode()):
                stranger.sendto(datagram, ("127.0.0.1", endpoint.port))
        await until(lambda: endpoint.foreign == 3)
        assert endpoint.first_sound_at is None


async def test_a_closed_endpoint_sends_no_more() -> None:
    async with ToneEndpoint("127.0.0.1", send_hz=700, listen_hz=1100) as endpoint:
        endpoint.talk_to(("127.0.0.1", endpoint.port))
        await until(lambda: endpoint.received > 2)
    sent = endpoint.sent
    await asyncio.sleep(0.06)
    assert endpoint.sent == sent


async def test_an_address_that_is_not_this_machines_is_an_os_error() -> None:
    with pytest.raises(OSError, match="assign"):
        await ToneEndpoint("192.0.2.1", send_hz=700, listen_hz=1100).__aenter__()
