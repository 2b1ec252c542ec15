"""`gateway112 vault`: on this machine's files, with no gateway and no database.

Counterparts: `gateway/cli/vault.py`, `gateway/vault/verify.py`.
"""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.typed import Typed, settle
from tests.vault.sound import DAY, House, tones


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    settle(tmp_path, monkeypatch, port=1)
    return Typed(capsys)


async def test_a_vault_is_verified_and_what_was_changed_is_named(typed: Typed, tmp_path: Path) -> None:
    house = House(tmp_path)
    recording = house.sealed(raw=tones(0.1, 440, 600))
    said = await typed.good("vault verify")
    assert f"All is as it was left: 1 recordings of 1 days in {house.root}" in said.words
    head = (await typed.good("vault verify --json")).json
    assert head["heads"][0]["last"] in said.words
    (house.day / f"{recording.id}.ogg").write_bytes(b"OggS")
    said = await typed("vault verify --since 2026-11-26")
    assert said.status == 1
    assert said.row("CHANGED")[1] == f"{DAY}/{recording.id}.ogg:"
    found = await typed("vault verify --json")
    assert (found.status, found.json["ok"]) == (1, False)
    assert [(each["day"], each["what"]) for each in found.json["findings"]] == [("2026-11-26", "changed")]
    assert (await typed("vault verify --since 2026-11-27")).status == 0
    assert (await typed("vault verify --since yesterday")).status == 2


async def test_a_month_that_is_a_link_elsewhere_is_named_beside_the_others(typed: Typed, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.sealed(1, tones(0.1, 440, 600), day="2026/10/27")
    other = house.sealed(2, tones(0.1, 440, 600))
    month = house.root / "2026/10"
    month.rename(tmp_path / "elsewhere")
    month.symlink_to(tmp_path / "elsewhere")
    (house.day / f"{other.id}.ogg").write_bytes(b"OggS")
    found = await typed("vault verify --json")
    told = {(each["file"], each["what"]) for each in found.json["findings"]}
    assert found.status == 1
    assert told >= {("2026/10/27", "unreadable"), (f"{DAY}/{other.id}.ogg", "changed")}


async def test_where_nothing_tells_what_was_signed_last_verify_says_that_it_cannot_know(
    typed: Typed, tmp_path: Path
) -> None:
    House(tmp_path).sealed(raw=tones(0.1, 440, 600))
    said = await typed.good("vault verify")
    assert "cannot be told" not in said.words
    shutil.rmtree(tmp_path / "var" / "vault" / "heads")
    said = await typed.good("vault verify")
    assert "whether a day was put back to an older state, or is gone, cannot be told" in said.words
    assert (await typed.good("vault verify --json")).json["tells_rollbacks"] is False


async def test_the_key_that_is_printed_checks_what_was_signed(typed: Typed, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.sealed(raw=tones(0.1, 440, 600))
    key = tmp_path / "printed.pem"
    key.write_text((await typed.good("vault key")).out)
    assert await asyncio.to_thread(openssl_says, key, house.day) == "Signature Verified Successfully"


def openssl_says(key: Path, day: Path) -> str:
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin", "-in", "chain.head"]
    command += ["-sigfile", "chain.head.sig"]
    told = subprocess.run(command, cwd=day, capture_output=True, text=True, timeout=10, check=True)
    return told.stdout.strip()


async def test_rotating_makes_a_new_key_and_says_what_to_do_with_it(typed: Typed, tmp_path: Path) -> None:
    first = await typed.good("vault rotate")
    assert "Put" in first.words
    assert "Nothing is encrypted with it yet: set encrypt = true" in first.words
    second = await typed.good("vault rotate")
    names = House(tmp_path).ring.names
    assert [name in said.words for name, said in zip(names, (first, second), strict=True)] == [True, True]
    (tmp_path / "var" / "vault" / "ring.json").write_text("nothing")
    said = await typed("vault rotate")
    assert (said.status, "is no key ring. Remedy" in said.words) == (1, True)


async def test_a_vault_with_nothing_in_it_is_in_order(typed: Typed) -> None:
    assert "0 recordings" in (await typed.good("vault verify")).words
