"""A process that does one job of the vault and is killed just before its n-th step to the disk, for good and without a
word, as a power cut would.

Counterpart: `test_crashes.py`. It runs in a process of its own (`died_at`); what counts as a step is whatever makes
something durable, gives it a name or deletes it.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.vault.sound import NOON, House, a_recording

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.vault.killed"])


def died_at(step: int, job: str, folder: Path) -> bool:
    """Does the job; whether it was killed at that step, which it never reaches where it has fewer."""
    process = _context.Process(target=_do, args=(step, job, folder))
    process.start()
    process.join(30)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def _do(step: int, job: str, folder: Path) -> None:
    left = step

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **more)

        return call

    house = House(folder)
    recording = a_recording() if job == "seal" else house.recording_there()
    os.fsync, os.unlink, os.replace = dying(os.fsync), dying(os.unlink), dying(os.replace)
    if job == "seal":
        house.sealer.seal(recording)
    elif job == "discard_raw":
        house.sealer.discard_raw(recording)
    else:
        house.destroyer.destroy(recording, "a year", NOON)
