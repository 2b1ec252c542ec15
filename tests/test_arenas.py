"""How many arenas of memory the threads of a process have."""

import subprocess
import sys

import pytest

THREADS = 6
PROGRAM = f"""
import ctypes, sys, threading
from gateway import arenas

if sys.argv[1] == "shared":
    arenas.share()
libc = ctypes.CDLL(None)
all_there = threading.Barrier({THREADS} + 1)


def need() -> None:
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc(1000)
    all_there.wait()


for _ in range({THREADS}):
    threading.Thread(target=need).start()
all_there.wait()
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
libc.malloc_info(0, libc.fopen(b"/dev/stdout", b"w"))
libc.fflush(None)
"""


@pytest.mark.parametrize(("how", "are_few"), [("shared", True), ("their own", False)])
def test_threads_share_two_arenas_where_each_would_have_its_own(how: str, are_few: bool) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=30, check=True)
    count = run.stdout.count("<heap nr=")
    assert count
    assert (count <= 2) is are_few
