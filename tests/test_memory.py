"""The memory of a process: how little it holds beyond what it uses."""

import subprocess
import sys
from pathlib import Path

import pytest

THREADS = 6
FEW_ARENAS = f"""
import ctypes, sys, threading
from gateway import memory

if sys.argv[1] == "shared":
    memory.keep_small()
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
    run = subprocess.run(
        [sys.executable, "-c", FEW_ARENAS, how], capture_output=True, text=True, timeout=30, check=True
    )
    count = run.stdout.count("<heap nr=")
    assert count
    assert (count <= 2) is are_few


TO_GIVE_BACK = """
import sys, time
from pathlib import Path
from gateway import memory


def resident_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


before = resident_kb()
held = [bytes(4000) for _ in range(10_000)]
last = held[-1]
held = None
after = resident_kb()
if sys.argv[1] == "given back":
    memory.keep_small(0.05)
limit = time.monotonic() + 1.0
while resident_kb() - before > 10_000 and time.monotonic() < limit:
    time.sleep(0.02)
print(after - before, resident_kb() - before)
"""


@pytest.mark.parametrize(("how", "is_small"), [("given back", True), ("kept", False)])
def test_what_was_needed_once_goes_back_though_something_behind_it_is_still_in_use(how: str, is_small: bool) -> None:
    program = [sys.executable, "-c", TO_GIVE_BACK, how]
    run = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)
    freed_kb, left_kb = map(int, run.stdout.split())
    assert freed_kb > 30_000
    assert (left_kb < 10_000) is is_small


LARGE_BLOCKS = """
import ctypes, re, sys
from gateway import memory


def mapped():
    libc.fopen.restype = ctypes.c_void_p
    libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
    file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    return int(re.findall(r'<total type="mmap" count="([0-9]+)"', open(sys.argv[2]).read())[-1])


libc = ctypes.CDLL(None)
if sys.argv[1] == "by itself":
    memory.keep_small()
first = bytes(4_000_000)
first = None
before = mapped()
second = bytes(400_000)
print(mapped() - before)
"""


@pytest.mark.parametrize(("how", "count"), [("by itself", 1), ("in the heap", 0)])
def test_a_large_block_lies_by_itself_though_a_larger_one_was_freed_before(
    how: str, count: int, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", LARGE_BLOCKS, how, str(tmp_path / "info.xml")]
    run = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)
    assert int(run.stdout) == count
