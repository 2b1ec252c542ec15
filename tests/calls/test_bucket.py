"""A real call's sound and its bucket: sealed as ever while that is gone, and moved there once it is back."""

import asyncio
from pathlib import Path

import pytest

from gateway.settings import VaultSettings
from gateway.vault.bucket import BucketShelf
from tests import sip
from tests.calls.test_evidence import the_row, until
from tests.centre import real_centre
from tests.vault.bucket_server import ACCESS_KEY, SECRET, BucketServer

pytestmark = pytest.mark.asterisk


async def test_a_calls_sound_is_sealed_while_its_bucket_is_gone_and_moved_once_that_is_back(s3: BucketServer) -> None:
    vault = {"bucket": "s3://sound/calls", "endpoint": s3.endpoint, "access_key": ACCESS_KEY, "secret": SECRET}
    with real_centre({"vault": vault}) as centre:
        s3.kill()
        try:
            await asyncio.to_thread(centre.start_asterisk)
            centre.start_gateway()
            await centre.ready()
            async with centre.api() as api:
                await sip.call(sip.caller_talks(hold_ms=1500), centre.sip_port)
                [call] = await api.ended_calls(1)
                row = await the_row(centre, call["id"], ("sealed",))
                stored: Path = centre.settings.paths.recordings / row["stored"]
                while (health := await api.get("/v1/health"))["recordings"]["not_moved"] != 1:
                    await asyncio.sleep(0.2)
        finally:
            s3.start()  # in this thread: it dies with the one that started it
        assert any("bucket" in problem for problem in health["problems"])
        await until(lambda: not stored.exists(), "it is moved")
        assert BucketShelf(VaultSettings.model_validate(vault)).size_bytes(row["stored"]) == row["stored_bytes"]
        assert SECRET not in centre.log()
