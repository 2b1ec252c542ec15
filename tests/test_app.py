"""The gateway's life where its API cannot be opened."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from gateway import app as app_module
from gateway.app import App
from gateway.settings import load
from gateway.systemd import Manager
from tests.certificates import write_pair
from tests.sip import free_port


async def test_a_certificate_that_cannot_be_used_closes_the_api_alone_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else nobody would carry the roster out, or ring the list, because of a file that concerns no call."""
    monkeypatch.setattr(app_module, "CERTIFICATE_LOOK_EVERY_S", 0.1)
    caplog.set_level("INFO")
    certificate, key = write_pair(tmp_path)
    key.rename(tmp_path / "elsewhere")
    port = free_port()
    (tmp_path / "gateway.toml").write_text(
        f'[api]\nport = {port}\ntls_certificate = "{certificate.name}"\ntls_key = "{key.name}"\n'
        f"[ami]\nport = {free_port()}\n"
    )
    settings = load(tmp_path / "gateway.toml", {})
    settings.journal_dir.mkdir(parents=True)

    def told() -> list[str]:
        return [record.message for record in caplog.records]

    running = asyncio.create_task(App(settings, Manager()).run())
    async with asyncio.timeout(20):
        while "gateway_ready" not in told() and not running.done():
            await asyncio.sleep(0.05)
        assert "api_closed" in told()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"https://127.0.0.1:{port}/v1/health", ssl=False)
        assert not running.done()
        (tmp_path / "elsewhere").rename(key)
        await running  # its next start opens the API
    assert told()[-1] == "gateway_stopped"
