"""A disk that is full under Asterisk's own database: phones that register go on being rung."""

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from tests import sip
from tests.calls.phones import a_phone
from tests.calls.test_evidence import fill
from tests.calls.test_full_disk import greedy
from tests.centre import RealCentre, real_centre

pytestmark = pytest.mark.asterisk


@pytest.fixture
def cramped() -> Iterator[RealCentre]:
    """A centre whose database of Asterisk's has a small disk of its own."""
    with real_centre() as centre:
        lib = centre.settings.asterisk_dir / "lib"
        lib.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(lib)]
        made = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=10)
        if made.returncode:
            pytest.skip(f"a disk of its own needs the right to mount one: {made.stderr.strip()}")
        try:
            centre.start_asterisk()
            centre.start_gateway()
            yield centre
        finally:
            centre.stop()
            subprocess.run(["umount", "--lazy", str(lib)], check=True, timeout=10)


async def test_a_phone_that_registers_on_a_full_disk_is_rung(cramped: RealCentre) -> None:
    """Asterisk writes it down a second later, and takes it back where there is no room."""
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
