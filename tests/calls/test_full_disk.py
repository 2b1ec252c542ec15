"""A disk that is full under Asterisk. Under its configuration: nothing of that is lost, whatever an admin changes
meanwhile; Asterisk by itself says that all is well, and has no trunk any more. Under its own database: phones that
register go on being rung."""

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sip
from tests.calls.phones import a_phone
from tests.calls.test_evidence import fill
from tests.centre import RealCentre, real_centre

pytestmark = pytest.mark.asterisk


@contextlib.contextmanager
def small_disk(name: str) -> Iterator[RealCentre]:
    """A centre of which that folder of Asterisk's has a small disk of its own."""
    with real_centre() as centre:
        folder = centre.settings.asterisk_dir / name
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
        made = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=10)
        if made.returncode:
            pytest.skip(f"a disk of its own needs the right to mount one: {made.stderr.strip()}")
        try:
            centre.start_asterisk()
            centre.start_gateway()
            yield centre
        finally:
            centre.stop()
            subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


@pytest.fixture
def cramped() -> Iterator[RealCentre]:
    with small_disk("etc") as centre:
        yield centre


@pytest.fixture
def cramped_database() -> Iterator[RealCentre]:
    with small_disk("lib") as centre:
        yield centre


@contextlib.contextmanager
def greedy(ballast: Path) -> Iterator[None]:
    """Somebody who takes each block that anybody frees, as recordings do."""
    over = threading.Event()

    def take() -> None:
        with ballast.open("ab", buffering=0) as file:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    file.write(bytes(4096))

    taker = threading.Thread(target=take)
    taker.start()
    try:
        yield
    finally:
        over.set()
        taker.join()
        ballast.unlink()


async def test_a_change_on_a_full_disk_is_not_applied_and_costs_no_trunk(cramped: RealCentre) -> None:
    await cramped.ready()
    ballast = cramped.settings.asterisk_dir / "etc" / "ballast"
    async with cramped.api() as api:
        trunks = {trunk["name"]: trunk["id"] for trunk in (await api.get("/v1/trunks"))["items"]}
        fill(ballast)
        with greedy(ballast):
            changed = await api.send("PATCH", f"/v1/trunks/{trunks['indosat']}", {"codecs": ["alaw"]})
            assert not changed["applied"], changed
            assert (await sip.call(sip.caller_talks(hold_ms=300), cramped.sip_port)).failed == 0
        changed = await api.send("PATCH", f"/v1/trunks/{trunks['telkom']}", {"codecs": ["alaw"]})
        assert changed["applied"], changed
        assert (await sip.call(sip.caller_talks(hold_ms=300), cramped.sip_port)).failed == 0
    assert cramped.cli("pjsip show endpoints").count("Identify:  ") >= 4


async def test_a_phone_that_registers_on_a_full_disk_is_rung(cramped_database: RealCentre) -> None:
    """Asterisk writes it down a second later, and takes it back where there is no room."""
    cramped = cramped_database
    await cramped.ready()
    ballast = cramped.settings.asterisk_dir / "lib" / "ballast"
    async with cramped.api() as api:
        siti = await api.operator("1001", None)
        fill(ballast)
        with greedy(ballast):
            async with a_phone(cramped, "1001", siti["secret"]) as phone:
                for _ in range(4):
                    await asyncio.sleep(1.5)
                    await phone.agent.register()
                await asyncio.sleep(1.5)
                async with sip.Sipp.caller(sip.caller_talks(hold_ms=6000), cramped.sip_port) as carrier:
                    await phone.take(10)
                    assert (await carrier.result()).failed == 0
    assert "database or disk is full" not in (cramped.settings.asterisk_dir / "log/messages").read_text()
