"""`gateway112 report`: figures in a terminal, a table in a file, and a month to print."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli import reports
from tests.api.house import House
from tests.cli.typed import Typed

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


async def test_the_figures_are_a_row_for_each_group_and_one_for_all(house: House, typed: Typed) -> None:
    house.services.clock.at = AT
    await house.answered_call(at=AT)
    said = await typed.good("report show --from 2026-11-22 --to 2026-11-23 --by day")
    assert said.row("2026-11-22") == ["2026-11-22", "0"]
    shares = ["1", "100.0", "0.0", "100.0", "100.0", "12.0", "12.0", "0.0"]
    assert said.row("2026-11-23") == ["2026-11-23", *shares]
    assert said.row("all") == ["all", *shares]


async def test_a_report_and_a_month_are_files(house: House, typed: Typed, tmp_path: Path) -> None:
    house.services.clock.at = AT
    await house.answered_call(at=AT)
    table, page = tmp_path / "level.csv", tmp_path / "november.html"
    assert (await typed.good("report show -o", str(table))).words == f"The report stands in {table}."
    assert table.read_text().startswith("group,name,starts_at,")
    assert (await typed.good("report month 2026-11 -o", str(page))).words == f"The month stands in {page}."
    assert page.read_text().startswith("<!doctype html>")
    assert (await typed.good("report month --csv")).out.startswith("table,group,")


async def test_a_page_is_not_written_to_a_terminal(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_is_terminal", lambda: True)
    said = await typed("report month 2026-11")
    assert (said.status, said.out) == (1, "")
    assert "Remedy: name a file, `gateway112 report month 2026-11 -o 2026-11.html`, or --csv." in said.words
    assert (await typed.good("report month 2026-11 --csv")).out.startswith("table,group,")
    monkeypatch.setattr(reports, "_is_terminal", lambda: False)
    assert (await typed.good("report month 2026-11")).out.startswith("<!doctype html>")


async def test_what_cannot_be_written_or_is_no_month_is_said(typed: Typed, tmp_path: Path) -> None:
    said = await typed("report month -o", str(tmp_path / "nowhere" / "november.html"))
    assert said.status == 1
    assert "cannot be written" in said.words
    assert "is not a month such as 2026-11" in (await typed("report month November")).words
