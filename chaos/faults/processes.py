"""Processes that are killed (SIGKILL), and processes that stand still (SIGSTOP)."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaos.faults.fault import Fault
from chaos.ground import Ground
from tests.calls.killing import workers


@asynccontextmanager
async def gateway_killed(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """It stays away while the fault lasts, and calls go on."""
    ground.wants_gateway = False
    try:
        ground.centre.stop_gateway(signal.SIGKILL)
        yield
    finally:
        ground.centre.start_gateway()
        ground.wants_gateway = True


@asynccontextmanager
async def gateway_stopped(ground: Ground, luck: Random) -> AsyncIterator[None]:
    with _standing_still(ground.centre.gateway_pid):
        yield


@asynccontextmanager
async def worker_killed(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """The gateway starts it anew; one that it has started by the end is killed again."""
    _kill_workers(ground)
    yield
    _kill_workers(ground)


@asynccontextmanager
async def worker_stopped(ground: Ground, luck: Random) -> AsyncIterator[None]:
    pids = workers(ground.centre.gateway_pid)
    assert pids, "the worker ended a moment ago"  # it is told as a fault that was not had
    with _standing_still(pids[0]):
        yield


@asynccontextmanager
async def asterisk_killed(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """Started anew after a moment, as a service manager does; what follows is the time in which it comes back."""
    await ground.kill_asterisk(luck.uniform(0, 2))
    yield


@asynccontextmanager
async def asterisk_stopped(ground: Ground, luck: Random) -> AsyncIterator[None]:
    async with ground.frozen_asterisk():
        yield


@asynccontextmanager
async def all_killed(ground: Ground, luck: Random) -> AsyncIterator[None]:
    """As a machine that loses its power, but for its disks: gateway, worker and Asterisk."""
    ground.wants_gateway = False
    try:
        _kill_workers(ground)
        ground.centre.stop_gateway(signal.SIGKILL)
        await ground.kill_asterisk(luck.uniform(0, 2))
        yield
    finally:
        ground.centre.start_gateway()
        ground.wants_gateway = True


def _kill_workers(ground: Ground) -> None:
    for pid in workers(ground.centre.gateway_pid):
        os.kill(pid, signal.SIGKILL)


class _standing_still:  # reads as what it is
    """The process does nothing while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *exception: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def _no_worker(ground: Ground) -> str:
    with contextlib.suppress(OSError, AssertionError):
        if workers(ground.centre.gateway_pid):
            return ""
    return "no worker of the vault runs at the moment"


FAULTS = (
    Fault("processes", "gateway killed", gateway_killed, 0.5, 6),
    Fault("processes", "gateway stopped", gateway_stopped, 1, 8),
    Fault("processes", "vault's worker killed", worker_killed, 0.5, 4, _no_worker),
    Fault("processes", "vault's worker stopped", worker_stopped, 1, 8, _no_worker),
    Fault("processes", "Asterisk killed", asterisk_killed, 0, 0.5),
    Fault("processes", "Asterisk stopped", asterisk_stopped, 0.5, 6),
    Fault("processes", "all three killed", all_killed, 0, 2),
)
