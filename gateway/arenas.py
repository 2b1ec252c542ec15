"""The memory that threads share. glibc gives each thread an arena of its own, which keeps what it needed once."""

import contextlib
import ctypes

_M_ARENA_MAX = -8
ARENAS = 2


def share() -> None:
    """Has all threads of this process, from now on, share ARENAS arenas: each database connection is a thread, and with
    arenas of their own each would hold the most that any question ever took. Nothing where there is no glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
