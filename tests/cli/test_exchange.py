"""`gateway112 roster import` and `export`: a planner's spreadsheet, and what comes of it in words."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.api.house import House
from tests.cli.typed import Typed

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HEADER = "date,until,shift,phone,queue,penalty,name"


@dataclass(frozen=True)
class Planned:
    """A planner's file."""

    path: Path

    def write(self, *lines: str) -> None:
        self.path.write_text("\n".join([HEADER, *lines, ""]))

    def __str__(self) -> str:
        return str(self.path)


@pytest.fixture
async def file(house: House, typed: Typed, tmp_path: Path) -> Planned:
    """A roster for December, and the people and shifts that it names; the gateway's clock stands."""
    house.services.clock.at = NOW
    await typed.good("operator add Siti 1001")
    await typed.good("operator add Budi 1002")
    await typed.good("shift add pagi 06:00 14:00 --from 2026-11-01")
    made = Planned(tmp_path / "december.csv")
    made.write("2026-12-01,2026-12-31,pagi,1001,emergency,,Siti", "2026-12-02,,pagi,1002,emergency,5,")
    return made


async def test_a_file_is_imported_and_what_became_of_it_is_said(typed: Typed, file: Planned) -> None:
    dry = await typed.good("roster import --dry-run", str(file))
    done = await typed.good("roster import", str(file))
    again = await typed.good("roster import", str(file))

    assert dry.words == (
        "december.csv: 2 lines. Nothing was changed, this was a dry run. It would add 2 assignments and retire 0; 0 "
        "lines changed nothing."
    )
    assert done.words == "december.csv: 2 lines. Added 2 assignments and retired 0; 0 lines changed nothing."
    assert again.words == "december.csv: 2 lines. Added 0 assignments and retired 0; 2 lines changed nothing."


async def test_replacing_says_what_it_took_away_and_what_goes_on(typed: Typed, file: Planned) -> None:
    await typed.good("roster import", str(file))
    file.write("2026-12-02,,pagi,1002,emergency,0,Siti")

    said = await typed.good("roster import --replace", str(file))

    assert said.words == (
        "december.csv: 1 line. Added 1 assignment and retired 2 (1 of them go on outside of the file's days); 0 lines "
        "changed nothing. Look at line 2, column name: phone 1002 is Budi's."
    )


async def test_every_wrong_line_is_said_on_a_line_of_its_own(typed: Typed, file: Planned) -> None:
    file.write("2026-12-01,,malam,1001,emergency,,", "40/12/2026,,pagi,1009,emergency,,")

    said = await typed("roster import", str(file))

    assert (said.status, said.out) == (1, "")
    assert said.err.splitlines() == [
        "gateway112 roster import: Nothing was imported: 2 lines are wrong. Remedy: correct what is named below.",
        "  line 2, column shift: there is no shift malam",
        "  line 3, column date: 40/12/2026 is no day of the calendar",
        "  line 3, column phone: no operator has phone 1009",
    ]


async def test_holes_are_a_refusal_and_with_allow_gaps_a_table(typed: Typed, file: Planned) -> None:
    tomorrow = NOW.date() + timedelta(days=1)
    file.write(f"{tomorrow},{tomorrow + timedelta(days=1)},pagi,1001,emergency,,")
    await typed.good("roster import", str(file))
    await typed.good("shift add malam 22:00 06:00 --from 2026-11-01")
    file.write(f"{tomorrow},,malam,1001,emergency,,", f"{tomorrow + timedelta(days=1)},,pagi,1001,emergency,,")

    tried = await typed("roster import --replace --dry-run", str(file))
    refused = await typed("roster import --replace", str(file))
    taken = await typed.good("roster import --replace --allow-gaps", str(file))

    assert (tried.status, refused.status) == (1, 1)
    assert "would have holes that it has not now, so it is refused; nothing was imported." in refused.err
    assert "0 lines changed nothing" in tried.words
    assert "Nothing was changed, this was a dry run. It would add 2 assignments" in tried.words
    assert "Nothing was changed. It would add 2 assignments and retire 1; 0 lines" in refused.words
    assert tried.err == refused.err
    assert "take them with --allow-gaps" in refused.err
    assert refused.row("emergency") == ["emergency", "2026-11-26", "06:00", "2026-11-26", "14:00", "0", "of", "1"]
    assert "New holes in the roster: 1 (times of Asia/Jakarta)" in taken.out
    assert taken.row("emergency") == ["emergency", "2026-11-26", "06:00", "2026-11-26", "14:00", "0", "of", "1"]


async def test_a_file_that_cannot_be_read_is_said(typed: Typed, tmp_path: Path) -> None:
    said = await typed("roster import", str(tmp_path / "nothing.csv"))

    assert said.status == 1
    assert "nothing.csv cannot be read: No such file or directory. Remedy: name a CSV file." in said.err


async def test_an_export_is_printed_as_it_is_or_written_to_a_file_and_both_can_be_imported(
    house: House, typed: Typed, file: Planned, tmp_path: Path
) -> None:
    long_name = "Siti Nurhaliza Kusumawardani binti Muhammad Hasan Basri Soekarnoputri"
    [siti] = [each for each in (await house.get("/v1/operators")).json["items"] if each["phone"] == "1001"]
    await house.patch(f"/v1/operators/{siti['id']}", {"name": long_name})
    await typed.good("roster import", str(file))
    line = "roster export --from 2026-12-01 --to 2026-12-31"

    printed = await typed.good(line)
    written = await typed.good(f"{line} -o", str(tmp_path / "out.csv"))
    again = await typed.good("roster import --replace", str(tmp_path / "out.csv"))

    assert f"2026-12-01,2026-12-31,pagi,1001,emergency,0,{long_name}" in printed.out.splitlines()
    assert (tmp_path / "out.csv").read_bytes().decode().splitlines() == printed.out.splitlines()
    assert written.words.startswith("The roster of 1 to 31 December 2026 stands in ")
    assert "Added 0 assignments and retired 0; 2 lines changed nothing." in again.words


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("date,shift,phone,queue,name\n2026-12-01,pagi,1001,emergency,José\n".encode("latin-1"), "its byte 63 cannot"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xb5", "its byte 11 cannot"),
    ],
    ids=["latin-1", "xlsx"],
)
async def test_a_file_in_another_encoding_is_told_with_how_to_save_it(
    typed: Typed, file: Planned, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    told = await typed("roster import", str(tmp_path / "other.csv"))
    assert (told.status, said in told.words) == (1, True), told.words
    assert "cannot be read. Save it in the spreadsheet as CSV in UTF-8 (no workbook such as .xlsx)." in told.words


async def test_a_place_that_cannot_be_written_to_is_said(typed: Typed, file: Planned, tmp_path: Path) -> None:
    said = await typed("roster export -o", str(tmp_path / "nowhere" / "out.csv"))

    assert said.status == 1
    assert "cannot be written: No such file or directory. Remedy: name a file in a folder" in said.err
