"""Figures of a process and of a series: CPU seconds and memory from /proc, percentiles, a slope.

Counterpart: the blocks (`ring.py`, `throughput.py`, …), which ask here and never look at /proc themselves.
"""

import asyncio
import contextlib
import math
import os
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_USER_TICKS, _RESIDENT_PAGES = 11, 21
"""Places in /proc/PID/stat after the process's name (proc(5): fields 14 and 24); system time follows user time."""


def cpu_s(pid: int) -> float:
    """The CPU seconds that all threads of the process have used since it began, to 10 ms."""
    fields = _stat(pid)
    return (int(fields[_USER_TICKS]) + int(fields[_USER_TICKS + 1])) / _TICKS_A_SECOND


def tree_cpu_s(pid: int) -> float:
    """The same with what its children have used that have ended and were waited for."""
    return sum(map(int, _stat(pid)[_USER_TICKS : _USER_TICKS + 4])) / _TICKS_A_SECOND


def children(pid: int) -> list[int]:
    """The processes that it started, any of its threads, and that still run."""
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def memory_bytes(pid: int) -> int:
    """What the process holds in memory (resident)."""
    return int(_stat(pid)[_RESIDENT_PAGES]) * _PAGE_BYTES


def _stat(pid: int) -> list[str]:
    # the name stands in brackets and may hold blanks
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of them do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(slots=True)
class Memory:
    """A process's memory over time: pairs of seconds and bytes."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    @property
    def second_half(self) -> list[tuple[float, int]]:
        return self.samples[len(self.samples) // 2 :]

    @property
    def slope_bytes_s(self) -> float:
        """How much it grows in the second half, in bytes a second: the straight line of least squares."""
        half = self.second_half
        if len(half) < 3:
            return float("nan")
        return statistics.linear_regression([at for at, _ in half], [size for _, size in half]).slope

    @property
    def growth(self) -> float:
        """By which part of itself it grows over the second half, along that line."""
        half = self.second_half
        return self.slope_bytes_s * (half[-1][0] - half[0][0]) / half[0][1] if len(half) >= 3 else float("nan")


@asynccontextmanager
async def watching_memory(pid: int, every_s: float = 0.5) -> AsyncIterator[Memory]:
    """Looks at the process's memory for as long as the block runs."""
    memory = Memory()

    async def look() -> None:
        while True:
            memory.samples.append((time.monotonic(), memory_bytes(pid)))
            await asyncio.sleep(every_s)

    task = asyncio.create_task(look())
    try:
        yield memory
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
