"""`gateway112 recording`: the list in a terminal, and one of them as a file."""

import io
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli import tables
from gateway.domain.change import Change
from gateway.domain.recordings import Kind, Recording, Seal, State
from gateway.vault.recordings import wav_header
from tests.api.house import House
from tests.cli.typed import Typed

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


async def kept(house: House) -> bytes:
    """A recording that can be heard, and one that is lost."""
    sound = house.sound("112-1.1.raw", 2.0)
    await house.answered_call("112-1.1", at=AT, recording="112-1.1.raw")
    of_call = Recording("112-1.1", Kind.CALL, "112-1.1.raw", AT, "112-1.1", state=State.OVER, sound_s=2.0)
    lost = Recording("112-1.2", Kind.MESSAGE, "112-1.2.sln", AT, state=State.LOST, problem="nothing was written")
    await house.services.saving.save(Change(recordings=(of_call, lost)))
    return sound


async def test_recordings_are_listed_with_what_is_wrong(house: House, typed: Typed) -> None:
    await kept(house)
    said = await typed.good("recording list --from 2026-11-23 --to 2026-11-23")
    assert said.row("112-1.1") == ["112-1.1", "2026-11-23", "10:00", "08123456789", "2", "s", "over"]
    assert "lost, WRONG: nothing was written" in said.words
    wrong = await typed.good("recording list --problem --json")
    assert [each["id"] for each in wrong.json["items"]] == ["112-1.2"]
    assert "There is no such recording." in (await typed.good("recording list --from 2026-11-24")).words


async def test_one_is_shown_with_all_that_its_sound_lacks_also_after_it_is_sealed(house: House, typed: Typed) -> None:
    faults = ("9.0 s of sound where 19.0 s were expected", "nothing is heard of the operator in 12.0 s of talk")
    seal = Seal(AT, "2026/11/23/112-1.3.ogg", 900, "aa", "bb", "cc", 1)
    short = Recording("112-1.3", Kind.CALL, "2026/11/23/112-1.3.raw", AT, "112-1.3", state=State.SEALED)
    short = replace(
        short, ended_at=AT, expected_s=19.0, sound_s=9.0, seal=seal, problem="; ".join(faults), faults=faults
    )
    await house.services.saving.save(Change(recordings=(short,)))
    said = await typed.good("recording show 112-1.3")
    assert [said.row("plays"), said.row("sound")] == [["plays", "19.00", "s"], ["sound", "9.00", "s"]]
    assert all(f"lacks {fault}" in said.words for fault in faults)
    told = (await typed.good("recording show 112-1.3 --json")).json
    assert (told["faults"], told["sound_s"], told["duration_s"]) == (list(faults), 9.0, 19.0)
    assert "There is no recording 112-9" in (await typed("recording show 112-9")).words


async def test_one_is_fetched_with_a_reason_that_stands_in_the_log(house: House, typed: Typed, tmp_path: Path) -> None:
    sound = await kept(house)
    file, why = tmp_path / "one.wav", "police request 12"
    said = await typed.good("recording fetch 112-1.1 -o", str(file), "--reason", why)
    assert said.words == f"The recording stands in {file} ({44 + len(sound)} bytes)."
    assert file.read_bytes() == wav_header(len(sound)) + sound
    assert why in (await typed.good("audit")).words
    await house.get("/v1/recordings/112-1.1/slice?from=0.5&to=1.5&format=mp3&reason=police+request+12")
    heard = (await typed.good("audit --subject recording/112-1.1")).words
    assert "as wav police request 12" in heard
    assert "as mp3, seconds 0.5 to 1.5 police request 12" in heard
    for line, reason, told in (
        ("recording fetch 112-1.2 -o", why, "Nothing was written."),
        ("recording fetch ../x -o", why, "There is no recording ../x."),
        ("recording fetch 112-1.1 -o", "abc", "?reason"),
    ):
        refused = await typed(line, str(tmp_path / "two.wav"), "--reason", reason)
        assert (refused.status, told in refused.words) == (1, True), refused.words
    nowhere = await typed("recording fetch 112-1.1 -o", str(tmp_path / "no" / "one.wav"), "--reason", why)
    assert "cannot be written" in nowhere.words
    assert [name for name in os.listdir(tmp_path) if "wav" in name] == ["one.wav"]
    await typed.good("recording fetch 112-1.1 --changed -o", str(tmp_path / "two.wav"), "--reason", why)


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_an_id_is_never_broken_however_narrow_the_terminal(width: int) -> None:
    long_id = "sidoarjo-kabupaten-112-1795476254.0-message"
    rows = [(long_id, "2026-11-23 10:00", "08123456789", "25 s", f"sealed, WRONG: see {long_id} and what is near it")]
    table = tables.table("Recordings: 1", ("Id", "Began", "Caller", "Sound", "State"), rows, empty="", whole=("Began",))
    out = io.StringIO()
    Console(file=out, width=width).print(table, crop=False)
    assert out.getvalue().count(long_id) == 2
    assert "2026-11-23 10:00" in out.getvalue()


def test_what_is_no_terminal_gets_each_row_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    many = "many words " * 20
    tables.show(tables.table("Recordings: 1", ("Id", "State"), [("112-1.1", many)], empty=""))
    assert f"112-1.1   {many}" in capsys.readouterr().out
