"""Whether a process listens where callers come to, and what becomes of one that does not."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.asterisk import ears
from gateway.settings import SipSettings
from tests.centre import real_centre
from tests.sip import free_port

BOOTED = [sys.executable, "-c", "print('Asterisk has fully booted.')"]
IN_A_HURRY = """
import sys
from gateway import __main__, foreground
foreground.refuse_taken_ports = lambda *_: None  # that moment has passed
sys.exit(__main__.main(["asterisk"]))
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of UDP that this process holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        port = free_port()
        squatter.bind(("127.0.0.1", port))
        yield port


@contextmanager
def a_program(opens: int = 0, kinds: str = "socket.SOCK_DGRAM, socket.SOCK_STREAM") -> Iterator[subprocess.Popen[str]]:
    """A program that holds that port of these kinds; 0: none."""
    script = f"""
import socket
for kind in ({kinds}) if {opens} else ():
    line = socket.socket(socket.AF_INET, kind)
    line.bind(("127.0.0.1", {opens}))
    if kind == socket.SOCK_STREAM:
        line.listen()
    globals()[kind] = line
print("up", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_port_of_another_process_is_not_ones_own(taken_port: int) -> None:
    with a_program() as process:
        assert ears.deaf_at(taken_port, process.pid) == ["udp", "tcp"]
        assert ears.deaf_at(taken_port, os.getpid()) == ["tcp"]


def test_one_that_listens_is_left_alone_and_so_is_nobody(capfd: pytest.CaptureFixture[str], taken_port: int) -> None:
    port = free_port()
    with a_program(port) as process:
        ears.watch(SipSettings(port=port), BOOTED, process.pid)
        assert process.poll() is None
    ears.watch(SipSettings(port=taken_port), BOOTED, process.pid)

    assert capfd.readouterr() == ("", "")


def test_one_that_hears_carriers_alone_is_told_of_and_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with a_program(port, kinds="socket.SOCK_DGRAM,") as process:
        ears.watch(SipSettings(port=port), BOOTED, process.pid)
        assert process.poll() is None

    assert "(TCP): another program was quicker. Calls over UDP are answered." in capfd.readouterr().err


@pytest.mark.asterisk
def test_an_asterisk_whose_port_another_program_took_is_ended_with_words(taken_port: int) -> None:
    with real_centre({"sip": {"port": taken_port}}) as centre:
        ended = subprocess.run(
            [sys.executable, "-c", IN_A_HURRY],
            env={**os.environ, "GATEWAY112_CONFIG": str(centre.folder / "gateway.toml")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == -signal.SIGKILL
    assert f"Asterisk has not opened 127.0.0.1:{taken_port} (UDP): another program was quicker." in ended.stderr
    assert "Remedy: end what uses the port" in ended.stderr
