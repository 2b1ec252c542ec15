"""HTTPS: what it agrees on, who is cut off over the handshake, and how a certificate is renewed."""

import asyncio
import contextlib
import socket
import ssl
import warnings as warnings_module
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.api import door as doors
from gateway.api.door import Door
from gateway.api.tls import Tls, client_context, tls_of, warnings
from gateway.settings import ApiSettings, SettingsError, load
from tests.api.house import House, open_house, until
from tests.certificates import write_pair


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def asked(house: House, context: ssl.SSLContext, path: str = "/v1/health") -> tuple[int, Any]:
    """The status and the headers of an answer, over a connection of its own."""
    url = f"https://127.0.0.1:{house.server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
        assert await answer.read()
        return answer.status, answer.headers


async def test_the_api_is_served_over_tls_alone_and_says_so_to_browsers(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path)
    async with open_house(tmp_path, tls=Tls(certificate, key)) as house:
        status, headers = await asked(house, trusting(certificate))
        own = client_context(ApiSettings(tls_certificate=certificate, tls_key=key))
        assert isinstance(own, ssl.SSLContext)
        by_command, _ = await asked(house, own)
        with pytest.raises(aiohttp.ClientError):
            await house.get("/v1/health", token=None)

    assert (status, by_command) == (200, 200)
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_nothing_older_than_tls_1_2_is_agreed_on(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path)
    context = Tls(certificate, key).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    async with open_house(tmp_path, tls=Tls(certificate, key)) as house:
        for newest, is_taken in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            client = trusting(certificate)
            with warnings_module.catch_warnings():
                warnings_module.simplefilter("ignore", DeprecationWarning)  # to ask for it is deprecated too
                client.minimum_version = ssl.TLSVersion.TLSv1
                client.maximum_version = newest
            client.set_ciphers("ALL:@SECLEVEL=0")
            try:
                status, _ = await asked(house, client)
            except aiohttp.ClientError:
                status = 0
            assert (status == 200) == is_taken, newest


async def test_who_does_not_end_the_handshake_takes_a_place_and_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "LOOK_EVERY_S", 0.02)
    certificate, key = write_pair(tmp_path)
    crowd_door = Door(limit=4, request_limit_s=0.3)
    async with open_house(tmp_path, tls=Tls(certificate, key), door=crowd_door) as house:
        crowd = [await asyncio.open_connection("127.0.0.1", house.server.port) for _ in range(10)]
        crowd[-1][1].write(b"GET / HTTP/1.1\r\n\r\n")  # what is no TLS
        crowd[-2][1].write(b"\x16\x03\x01\x02\x00")  # and the beginning of what is
        await until(lambda: crowd_door.crowd_out >= 6)
        status, _ = await asked(house, trusting(certificate))
        async with asyncio.timeout(20):
            for reader, writer in crowd:
                with contextlib.suppress(ConnectionResetError):
                    await reader.read()
                writer.close()
        assert status == 200
        await until(lambda: not crowd_door._standing)
    assert not crowd_door._at


async def test_who_leaves_in_the_middle_of_a_handshake_leaves_nothing_behind(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path)
    door = Door(limit=50)
    async with open_house(tmp_path, tls=Tls(certificate, key), door=door) as house:
        for said in (b"", b"\x16\x03\x01", b"nonsense", b"\x16\x03\x01\x00\x05hello") * 5:
            end = socket.create_connection(("127.0.0.1", house.server.port))
            end.sendall(said)
            end.close()
        await until(lambda: not door._standing)
        status, _ = await asked(house, trusting(certificate))
        await until(lambda: not door._standing)
    assert (status, dict(door._at)) == (200, {})


async def test_a_renewed_certificate_is_taken_while_it_runs_and_a_broken_one_is_not(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path)
    tls = Tls(certificate, key)
    async with open_house(tmp_path, tls=tls) as house:
        old = trusting(certificate)
        good = certificate.read_bytes()
        certificate.write_bytes(good[:100])
        tls.reload()
        broken, (still, _) = tls.problem, await asked(house, old)
        told = warnings(tls, datetime.now(UTC))
        write_pair(tmp_path)
        tls.reload()
        with pytest.raises(aiohttp.ClientError):
            await asked(house, old)
        renewed, _ = await asked(house, trusting(certificate))

    assert "is no certificate in PEM. Remedy: " in broken
    assert told["files"].startswith("The API goes on with its certificate of before: settings: api.tls_certificate: ")
    assert (still, renewed, tls.problem) == (200, 200, "")


async def test_new_files_are_seen_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.tls.LOOK_EVERY_S", 0.01)
    tls = Tls(*write_pair(tmp_path, days=90))
    watch = asyncio.create_task(tls.run())
    before = tls.expires_at
    write_pair(tmp_path, days=180)
    await until(lambda: tls.expires_at > before)
    watch.cancel()


@pytest.mark.parametrize(("days", "words"), [(90, ""), (20, "expires in "), (-1, "has expired at ")])
def test_when_a_certificate_expires_is_told_three_weeks_ahead(tmp_path: Path, days: int, words: str) -> None:
    told = warnings(Tls(*write_pair(tmp_path, days=days)), datetime.now(UTC))

    assert told.keys() == ({"end"} if words else set())
    assert all(each.startswith(f"The API's certificate {words}") for each in told.values())


def test_a_key_that_everybody_can_read_is_told(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path)
    key.chmod(0o644)

    told = warnings(Tls(certificate, key), datetime.now(UTC))
    assert told["key"].startswith("Everybody on this machine can read the API's key")


async def test_health_tells_that_the_certificate_will_expire(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, days=20)
    async with open_house(tmp_path, tls=Tls(certificate, key)) as house:
        url = f"https://127.0.0.1:{house.server.port}/v1/health"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=trusting(certificate)) as answer:
            health = await answer.json()

    assert health["status"] == "impaired"
    assert [problem[:35] for problem in health["problems"]] == ["The API's certificate expires in 19"]


def _swapped(folder: Path) -> tuple[Path, Path]:
    return write_pair(folder)[0], write_pair(folder, "other")[1]


def _with_password(folder: Path) -> tuple[Path, Path]:
    return write_pair(folder, password=b"secret")


def _no_pem(folder: Path) -> tuple[Path, Path]:
    certificate, key = write_pair(folder)
    certificate.write_text("certificate")
    return certificate, key


def _no_key(folder: Path) -> tuple[Path, Path]:
    certificate, key = write_pair(folder)
    key.write_text("key")
    return certificate, key


def _absent(folder: Path) -> tuple[Path, Path]:
    return folder / "no.pem", folder / "no-key.pem"


@pytest.mark.parametrize(
    ("files", "key", "reason"),
    [
        (_absent, "tls_certificate", "no.pem cannot be read: No such file or directory"),
        (_no_pem, "tls_certificate", "api.pem is no certificate in PEM"),
        (_no_key, "tls_key", "api-key.pem is no private key in PEM"),
        (_swapped, "tls_key", "other-key.pem is not the key of "),
        (_with_password, "tls_key", "api-key.pem has a password"),
    ],
)
def test_what_is_wrong_with_the_files_ends_the_start_and_names_file_key_and_remedy(
    tmp_path: Path, files: Callable[[Path], tuple[Path, Path]], key: str, reason: str
) -> None:
    certificate, private = files(tmp_path)
    file = tmp_path / "gateway.toml"
    file.write_text(f'[api]\ntls_certificate = "{certificate.name}"\ntls_key = "{private.name}"\n')

    with pytest.raises(SettingsError) as refusal:
        tls_of(load(file, {}).api)

    told = str(refusal.value)
    assert told.startswith(f"settings: api.{key}: ")
    assert reason in told
    assert " Remedy: " in told


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_of(ApiSettings()) is None
    assert client_context(ApiSettings()) is True
    assert warnings(None, datetime.now(UTC) + timedelta(days=1)) == {}
