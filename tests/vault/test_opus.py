"""Raw sound to Opus and back: whole, the same each time, and nothing that is not in order goes unnoticed."""

import pytest

from gateway.vault import opus
from tests.vault.sound import two_tones

SECONDS = 3.0
RAW = two_tones(SECONDS)


def encoded(raw: bytes = RAW, channels: int = 2, piece_bytes: int = 7_001) -> bytes:
    """In pieces that end within a sample."""
    ogg = bytearray()
    opus.encode((raw[at : at + piece_bytes] for at in range(0, len(raw), piece_bytes)), channels, ogg.extend, SECONDS)
    return bytes(ogg)


def decoded(ogg: bytes, channels: int = 2) -> bytes:
    raw = bytearray()
    opus.decode((ogg[at : at + 5_003] for at in range(0, len(ogg), 5_003)), channels, raw.extend, SECONDS)
    return bytes(raw)


@pytest.mark.parametrize("channels", [1, 2])
def test_there_and_back_it_is_as_long_and_the_same_each_time(channels: int) -> None:
    ogg = encoded(channels=channels)
    assert ogg == encoded(channels=channels, piece_bytes=len(RAW))
    assert len(decoded(ogg, channels)) == len(RAW)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_one_bit_that_fell_over_is_noticed(part: float) -> None:
    ogg = bytearray(encoded())
    ogg[int(part * len(ogg))] ^= 0x10
    with pytest.raises(opus.OpusFailed, match=r"ogg|opus|CRC|[Ii]nvalid"):
        decoded(bytes(ogg))


@pytest.mark.parametrize("data", [b"", b"OggS", RAW, b"RIFF" + RAW])
def test_what_is_no_ogg_file_is_said(data: bytes) -> None:
    with pytest.raises(opus.OpusFailed):
        decoded(data)


def test_what_whoever_gives_or_takes_raises_comes_out_as_it_is() -> None:
    def breaks_off() -> None:
        raise OSError(28, "No space left on device", "112-1.0.ogg")

    def given() -> object:
        yield RAW[:32_000]
        breaks_off()

    with pytest.raises(OSError, match="No space left") as raised:
        opus.encode(given(), 2, lambda _: None, SECONDS)  # type: ignore[arg-type]
    assert raised.value.filename == "112-1.0.ogg"
    with pytest.raises(OSError, match="No space left"):
        opus.encode([RAW], 2, lambda _: breaks_off(), SECONDS)
    with pytest.raises(OSError, match="No space left"):
        opus.decode([encoded()], 2, lambda _: breaks_off(), SECONDS)
    assert len(decoded(encoded())) == len(RAW), "and the next one is not harmed"
