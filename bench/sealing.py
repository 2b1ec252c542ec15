"""Sealing: how fast raw sound becomes what is stored, beside ffmpeg alone on the same file; the worker's memory for a
call of four hours; and how soon the first byte of a range is read.

Counterpart: `gateway/vault/`, used here as the gateway uses it. No Asterisk is needed.
"""

import asyncio
import contextlib
import os
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.measure import memory_bytes
from bench.report import Block, Row
from bench.sides import Say
from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, State
from gateway.settings import PathSettings, Settings, VaultSettings
from gateway.vault import opus
from gateway.vault.chain import Chains
from gateway.vault.keys import KeyRing, SigningKey
from gateway.vault.playing import Player, StoredTrack
from gateway.vault.sealing import Sealer
from gateway.vault.shelf import LocalShelf
from gateway.vault.sound_levels import Meter
from gateway.vault.sounds import Sounds
from gateway.vault.storing import RawSound
from gateway.vault.worker_link import VaultWorker

TIMES = 3
LONG_S = 4 * 3600
FRAME_BYTES = 4
READS = 200
SEEKS = 30
LEAST_TIMES, LEAST_RATIO, MOST_MB, MOST_MS = 100.0, 0.9, 150.0, 50.0
OURS, FFMPEG = "gateway", "ffmpeg alone"
DAY = "2026/11/26"


async def measure(say: Say, *, seconds: int) -> Block:
    """Seals `seconds` of sound TIMES times each way, in turns, and a call of four hours once."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        rows = await asyncio.to_thread(_speeds, folder, say, seconds)
        say("sealing: a call of four hours")
        rows += await _of_a_long_call(folder)
    return Block(
        f"Sealing {seconds} s of two voices at 8 kHz",
        (FFMPEG, OURS),
        tuple(rows),
        (
            "times real time: seconds of sound by seconds of processor, all processes together, best of "
            f"{TIMES}; ratio: gateway / ffmpeg alone, with the same parameters from file to file",
            "converted: hashing and levels included; read back: decoded, counted and measured once more, and hashed",
            f"four hours: digital silence, {LONG_S * SAMPLE_RATE_HZ * FRAME_BYTES / 1e6:.0f} MB, by the worker itself; "
            "memory is the most that was resident",
            f"range: opened, and 64 KiB read at a place of chance, p50 of {READS}; nothing of it was read before; "
            f"as WAV: found, decoded by an ffmpeg that had started before, p50 of {SEEKS} seeks",
        ),
    )


def _speeds(folder: Path, say: Say, seconds: int) -> list[Row]:
    raw, ogg = folder / "plain.raw", folder / "plain.ogg"
    raw.write_bytes(talk(seconds))
    sealer, ring_sealer = _sealer(folder / "plain", encrypt=False), _sealer(folder / "boxed", encrypt=True)
    costs: dict[str, list[float]] = {}
    for number in range(TIMES):
        say(f"sealing: {seconds} s, round {number + 1} of {TIMES}")
        ways: dict[str, Callable[[], object]] = {
            "ffmpeg encodes": lambda: _ffmpeg(("-f", "s16le", "-ar", "8000", "-ac", "2"), raw, *ENCODED, ogg),
            "ffmpeg decodes": lambda: _ffmpeg((), ogg, "-f", "s16le", "-ar", "8000", folder / "back.raw"),
            "converted": lambda: _convert(raw),
            "sealed": partial(_seal, sealer, folder / "plain", raw, number),
            "sealed in a box": partial(_seal, ring_sealer, folder / "boxed", raw, number),
        }
        for what, way in ways.items():
            costs.setdefault(what, []).append(_cpu_s(way))
    best = {what: min(each) for what, each in costs.items()}
    both = best["ffmpeg encodes"] + best["ffmpeg decodes"]

    def row(what: str, ours: float, theirs: float) -> Row:
        times, ratio = {FFMPEG: seconds / theirs, OURS: seconds / ours}, theirs / ours
        is_met = times[OURS] >= LEAST_TIMES and ratio >= LEAST_RATIO
        return Row(what, times, "x", ratio, f">= {LEAST_TIMES:.0f} x, ratio >= {LEAST_RATIO}", is_met)

    return [
        row("converted", best["converted"], best["ffmpeg encodes"]),
        row("converted and read back: sealed", best["sealed"], both),
        row("the same in a box", best["sealed in a box"], both),
    ]


async def _of_a_long_call(folder: Path) -> list[Row]:
    root = folder / "long"
    recording = _recording(0)
    (root / DAY).mkdir(parents=True)
    os.close(os.open(root / recording.file, os.O_CREAT | os.O_WRONLY, 0o600))
    os.truncate(root / recording.file, LONG_S * SAMPLE_RATE_HZ * FRAME_BYTES)
    paths = PathSettings(var=folder / "long-var", recordings=root)
    vault = VaultWorker(Settings(paths=paths, vault=VaultSettings(encrypt=True)))
    running = asyncio.create_task(vault.run())
    try:
        await vault.files(recording.started_at, recording.started_at)
        pid = vault.pid
        if pid is None:
            raise RuntimeError(f"the worker does not run: {vault.problem}")
        most = {"worker": 0, "with ffmpeg": 0}
        sealing = asyncio.create_task(vault.seal(recording))
        while not sealing.done():
            own, children = memory_bytes(pid), _children_bytes(pid)
            most = {"worker": max(most["worker"], own), "with ffmpeg": max(most["with ffmpeg"], own + children)}
            await asyncio.sleep(0.02)
        sealed = replace(recording, seal=(await sealing).seal, state=State.SEALED)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    worker, everything = most["worker"] / 1e6, most["with ffmpeg"] / 1e6
    read_ms = await asyncio.to_thread(_first_byte_ms, root, paths.var / "vault", sealed)
    wav_ms = await _first_wav_byte_ms(Sounds(root, LocalShelf(root), KeyRing(paths.var / "vault")), sealed)
    return [
        Row("four hours: the worker's memory", {OURS: worker}, "MB", None, f"< {MOST_MB:.0f} MB", worker < MOST_MB),
        Row("the same with its ffmpeg", {OURS: everything}, "MB", None, f"< {MOST_MB:.0f} MB", everything < MOST_MB),
        Row("first bytes of a range, in a box", {OURS: read_ms}, "ms", None, f"< {MOST_MS:.0f} ms", read_ms < MOST_MS),
        Row("the same as WAV, decoded", {OURS: wav_ms}, "ms", None, f"< {MOST_MS:.0f} ms", wav_ms < MOST_MS),
    ]


def _first_byte_ms(root: Path, keys: Path, recording: Recording) -> float:
    chance = random.Random(112)  # noqa: S311
    took = []
    for _ in range(READS):
        began = time.perf_counter()
        sound = Sounds(root, LocalShelf(root), KeyRing(keys)).open(recording)
        start = chance.randrange(sound.size_bytes - 1)
        if not sound.read(start, start + 65_536):
            raise RuntimeError("nothing was read")
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


async def _first_wav_byte_ms(sounds: Sounds, recording: Recording) -> float:
    """As a player asks that seeks now and then: of those of the start itself no one is counted."""
    player, chance, took = Player(), random.Random(112), []  # noqa: S311
    frames = LONG_S * SAMPLE_RATE_HZ
    track = StoredTrack(sounds.open(recording), channels=2, sound_frames=frames, frames=frames, sha256="")
    for number in range(SEEKS + 1):
        began, first = time.perf_counter(), chance.randrange(frames - SAMPLE_RATE_HZ)
        async with contextlib.aclosing(player.samples(track, first, frames)) as samples:
            await anext(samples)
            if number:
                took.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.2)
    await player.close()
    return statistics.median(took)


def _children_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(memory_bytes(int(each)) for each in children)
    return 0


ENCODED = (
    *("-c:a", "libopus", "-application", "lowdelay", "-apply_phase_inv", "0", "-vbr", "constrained", "-b:a", "64k"),
    *("-threads", "1", "-f", "ogg"),
)


def _ffmpeg(before: tuple[str, ...], source: Path, *more: object) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", *before, "-i", str(source), *map(str, more)]
    subprocess.run(command, check=True, timeout=600)


def _convert(raw: Path) -> None:
    out = bytearray()
    with RawSound(raw, 2) as sound:
        opus.encode(sound.pieces(Meter(2), lambda _: None), 2, out.extend, sound.length_s)


def _sealer(folder: Path, *, encrypt: bool) -> Sealer:
    root, keys = folder / "recordings", folder / "keys"
    (root / DAY).mkdir(parents=True)
    key = SigningKey(keys)
    return Sealer(
        root,
        shelf=LocalShelf(root),
        chains=Chains(root, key),
        key=key,
        ring=KeyRing(keys) if encrypt else None,
        clock=lambda: datetime.now(UTC),
    )


def _seal(sealer: Sealer, folder: Path, raw: Path, number: int) -> None:
    recording = _recording(number)
    os.link(raw, folder / "recordings" / recording.file)
    sealer.seal(recording)


def _recording(number: int) -> Recording:
    began = datetime(2026, 11, 26, 12, tzinfo=UTC)
    return Recording(
        id=f"112-1.{number}",
        kind=Kind.CALL,
        file=f"{DAY}/112-1.{number}.raw",
        started_at=began,
        state=State.OVER,
        ended_at=began + timedelta(hours=4),
    )


def talk(seconds: int) -> bytes:
    """Two sides that talk in turns: noise that swells and fades, a tenth of a second at a time."""
    chance = random.Random(112)  # noqa: S311
    window = 800
    noise = [[chance.randrange(-1, 2) * chance.randrange(8000) for _ in range(window)] for _ in range(16)]
    pieces = []
    for turn in range(64):
        loud = (turn // 16) % 2
        left, right = (
            [sample if side == loud else sample // 100 for sample in noise[(turn + side) % 16]] for side in (0, 1)
        )
        samples = [sample for pair in zip(left, right, strict=True) for sample in pair]
        pieces.append(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    block = b"".join(pieces)
    wanted = seconds * SAMPLE_RATE_HZ * FRAME_BYTES
    return (block * (wanted // len(block) + 1))[:wanted]


def _cpu_s(way: Callable[[], object]) -> float:
    """The seconds of processor that it took, with all the children that it waited for."""

    def used() -> float:
        return sum(
            each.ru_utime + each.ru_stime
            for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    began = used()
    way()
    return used() - began
