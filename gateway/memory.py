"""The memory of a process that runs for months: what was needed once goes back to the system."""

import contextlib
import ctypes
import threading
import time

ARENAS = 2
OWN_MAPPING_BYTES = 128 * 1024
GIVEN_BACK_EVERY_S = 300.0

_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3


def keep_small(give_back_every_s: float = GIVEN_BACK_EVERY_S) -> None:
    """Has this process, from now on, hold little more than it uses. Nothing where there is no glibc.

    All threads share ARENAS arenas: each database connection is a thread, and with arenas of their own each would hold
    the most that any question ever took. Blocks of OWN_MAPPING_BYTES and more always lie by themselves and go back when
    they are freed: else glibc raises that limit with the first large one, and the holes of those that follow fill a
    heap that only grows. What lies free between what is in use is given back by a thread, now and then.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)
        give_back = libc.malloc_trim

        def run() -> None:
            while True:
                time.sleep(give_back_every_s)
                give_back(0)

        threading.Thread(target=run, name="giving memory back", daemon=True).start()
