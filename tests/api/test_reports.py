"""Reports over HTTP: the same figures as JSON, as CSV, and as a page to print."""

import base64
import csv
import hashlib
import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.domain.call import Call, Outcome, Stage
from gateway.domain.callbacks import State
from gateway.domain.change import Change
from gateway.domain.dispositions import Disposition
from gateway.store.database import writing
from gateway.store.tables import callbacks, dispositions
from tests.api.house import House, Reply, open_house

TEN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Ten in the morning in Jakarta."""
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
LEVEL = "/v1/reports/service-level"
MONTHLY = "/v1/reports/monthly"
THREE_DAYS = "from=2026-11-22&to=2026-11-24"


def came(name: str, hours: float = 0, wait_s: float | None = None, **fields: Any) -> Call:
    at = TEN + timedelta(hours=hours)
    known: dict[str, Any] = {
        **{"id": name, "trunk": "telkomsel", "caller": "0812", "arrived_at": at, "queue": "emergency"},
        **{"stage": Stage.ENDED, "outcome": Outcome.ABANDONED, "ended_at": at + timedelta(seconds=99)},
    }
    if wait_s is not None:
        known |= {"answered_at": at + timedelta(seconds=wait_s), "operator": "1001", "outcome": Outcome.ANSWERED}
    return Call(**known | fields)


@pytest.fixture
async def worked(house: House) -> House:
    """Siti (1001) works mornings; six calls of one day, four of them answered; two dispositions; one callback."""
    house.services.clock.at = NOW
    made = await house.post("/v1/operators", {"name": "=Siti", "phone": "1001"})
    siti = made.json["id"]
    body = {"name": "pagi", "start": "06:00", "end": "14:00", "first_date": "2026-01-01"}
    shift = (await house.post("/v1/shifts", body)).json["id"]
    days = {"first_date": "2026-11-23", "last_date": "2026-11-23"}
    body = {"operator_id": siti, "shift_id": shift, "queue": "emergency", **days}
    assert (await house.post("/v1/assignments?allow_gaps=true", body)).status == 201
    there = (
        came("a", 0, 4.0, operator_id=siti),
        came("b", 0.5, 12.0, operator_id=siti),
        came("c", 6, 30.0, operator_id=siti, trunk="indosat"),
        came("d", 1),
        came("e", 1, outcome=Outcome.CANCELLED, queue=None),
        came("f", 1, outcome=Outcome.FELL_BACK, relieved_by="08123", answered_at=TEN + timedelta(hours=1.1)),
        came("g", 1, 3.0, trunk="probe"),
    )
    await house.context.store.commit(Change(calls=there))
    async with writing(house.engine) as connection:
        for name, what in (("a", Disposition.EMERGENCY), ("b", Disposition.PRANK)):
            said = {"call_id": name, "caller": "0812", "note": "", "set_by": "Siti", "set_at": TEN}
            await connection.execute(insert(dispositions).values(disposition=what, **said))
        task = {"version": 1, "number": "0812", "trunk": "telkomsel", "state": State.REACHED, "opened_at": TEN}
        task |= {"due_at": TEN + timedelta(minutes=19), "first_dialled_at": TEN + timedelta(minutes=9), "tries": []}
        task |= {"first_due_at": TEN + timedelta(minutes=10), "is_calling": False}
        task |= {"try_count": 1, "last_try_at": TEN, "dials": [], "closed_at": TEN + timedelta(minutes=11)}
        await connection.execute(insert(callbacks).values(closed_by="Siti", reason="", **task))
    return house


async def level(house: House, query: str) -> Any:
    reply = await house.get(f"{LEVEL}?{query}")
    assert reply.status == 200, reply.text
    return reply.json


def table(reply: Reply) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reply.raw.decode())))


# ---------------------------------------------------------------- service level


async def test_each_figure_comes_with_its_count_and_its_definition(worked: House) -> None:
    told = await level(worked, THREE_DAYS)
    total = told["total"]

    assert (told["from"], told["to"], told["by"], told["groups"]) == ("2026-11-22", "2026-11-24", "none", [])
    assert (total["calls"], total["waiting"], total["presented"]) == (6, 0, 6)
    assert total["answered"] == {"count": 3, "of": 6, "share": 0.5}
    assert total["relieved"]["count"] == 1
    assert {each["limit_s"]: (each["count"], each["of"]) for each in total["within"]} == {
        5: (1, 6),
        10: (1, 6),
        15: (2, 6),
        20: (2, 6),
        60: (3, 6),
    }
    assert total["waits"] == {"count": 3, "mean_s": pytest.approx(46 / 3), "slowest": 1, "slowest_mean_s": 30.0}
    assert sum(total["outcomes"].values()) == total["presented"]
    assert total["kinds"] == {"normal": 1, "ghost": 0, "prank": 1, "information": 0}
    assert (total["disposed"]["count"], total["undisposed"]) == (2, 4)
    assert (total["false_of_disposed"]["share"], total["false_of_presented"]["of"]) == (0.5, 6)
    assert total["callbacks"]["in_time"] == {"count": 1, "of": 1, "share": 1.0}
    assert "NENA-STA-020" in told["definitions"]["within_15_s"]["source"]
    assert "NFPA 1225" in told["definitions"]["within_10_s"]["source"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", [("2026-11-22", 0), ("2026-11-23", 6), ("2026-11-24", 0)]),
        ("month", [("2026-11", 6)]),
        ("queue", [("emergency", 5), (None, 1)]),
        ("trunk", [("indosat", 1), ("telkomsel", 5)]),
        ("operator", [("1", 3), (None, 3)]),
        ("shift", [("1/2026-11-23", 2), (None, 4)]),
    ],
)
async def test_groups_add_up_to_the_total(worked: House, by: str, expected: list[tuple[str | None, int]]) -> None:
    told = await level(worked, f"{THREE_DAYS}&by={by}")
    assert [(each["key"], each["figures"]["presented"]) for each in told["groups"]] == expected
    assert sum(count for _, count in expected) == told["total"]["presented"]


async def test_who_waited_over_midnight_is_of_the_shift_that_answered_and_no_other_of_it_is_told(
    house: House,
) -> None:
    house.services.clock.at = NOW
    siti = (await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})).json["id"]
    body = {"name": "malam", "start": "00:00", "end": "06:00", "first_date": "2026-01-01"}
    shift = (await house.post("/v1/shifts", body)).json["id"]
    days = {"first_date": "2026-11-24", "last_date": "2026-11-24"}
    body = {"operator_id": siti, "shift_id": shift, "queue": "emergency", **days}
    assert (await house.post("/v1/assignments?allow_gaps=true", body)).status == 201
    midnight = TEN + timedelta(hours=14)
    late = came("late", 14 - 1 / 60, 120.0, operator_id=siti)
    assert late.arrived_at < midnight < (late.answered_at or midnight)
    await house.context.store.commit(Change(calls=(late,)))

    told = await level(house, "from=2026-11-23&to=2026-11-23&by=shift")
    assert [(each["key"], each["figures"]["presented"]) for each in told["groups"]] == [(f"{shift}/2026-11-24", 1)]
    assert (await level(house, "from=2026-11-22&to=2026-11-22&by=shift"))["groups"] == []
    empty = await level(house, "from=2026-11-24&to=2026-11-24&by=shift")
    assert [(each["key"], each["figures"]["presented"]) for each in empty["groups"]] == [(f"{shift}/2026-11-24", 0)]


async def test_hours_are_those_of_the_centres_clock(worked: House) -> None:
    told = await level(worked, "from=2026-11-23&to=2026-11-23&by=hour")
    assert len(told["groups"]) == 24
    busy = {each["key"]: each["figures"]["presented"] for each in told["groups"] if each["figures"]["presented"]}
    assert busy == {"2026-11-23T10:00+07:00": 2, "2026-11-23T11:00+07:00": 3, "2026-11-23T16:00+07:00": 1}
    of_day = await level(worked, f"{THREE_DAYS}&by=hour_of_day")
    assert [each["key"] for each in of_day["groups"]] == [f"{hour:02}" for hour in range(24)]
    assert of_day["groups"][11]["figures"]["presented"] == 3


async def test_a_queue_or_a_trunk_alone(worked: House) -> None:
    assert (await level(worked, f"{THREE_DAYS}&trunk=indosat"))["total"]["presented"] == 1
    of_queue = await level(worked, f"{THREE_DAYS}&queue=emergency")
    assert (of_queue["total"]["presented"], of_queue["total"]["callbacks"]) == (5, None)


async def test_it_is_live_and_today_where_no_day_is_said(worked: House) -> None:
    waiting = {"stage": Stage.QUEUED, "outcome": None, "ended_at": None, "arrived_at": NOW - timedelta(seconds=12)}
    await worked.context.store.commit(Change(calls=(came("now", **waiting),)))
    told = await level(worked, "")
    assert (told["from"], told["to"], told["as_of"]) == ("2026-11-26", "2026-11-26", "2026-11-26T03:00:00Z")
    total = told["total"]
    assert (total["calls"], total["waiting"], total["presented"]) == (1, 1, 0)
    assert [each["of"] for each in total["within"]] == [1, 1, 0, 0, 0]
    assert (await level(worked, "from=2026-11-23"))["total"]["calls"] == 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-11-24&to=2026-11-23", "?to"),
        ("from=2025-01-01&to=2026-11-23", "?to"),
        ("from=2026-01-01&to=2026-11-23&by=hour", "?to"),
        ("from=yesterday", "?from"),
        ("by=week", "?by"),
        ("format=xml", "?format"),
        ("queue=a%00b", "?queue"),
    ],
)
async def test_a_range_or_a_word_that_cannot_be_is_refused_by_its_name(worked: House, query: str, field: str) -> None:
    reply = await worked.get(f"{LEVEL}?{query}")
    assert (reply.status, reply.fields) == (422, [field])


@pytest.mark.parametrize("headers", [{"Accept": "text/csv"}, {"Accept": "application/json;q=0.2, text/*;q=0.9"}, {}])
async def test_the_table_has_the_same_figures_and_no_cell_is_a_formula(worked: House, headers: dict[str, str]) -> None:
    form = "" if headers else "&format=csv"
    reply = await worked.get(f"{LEVEL}?{THREE_DAYS}&by=operator{form}", headers=headers)
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    siti, nobody, total = table(reply)
    assert (siti["group"], siti["name"], siti["answered"], siti["within_15_s"]) == ("1", "'=Siti", "3", "2")
    assert (nobody["group"], nobody["presented"], nobody["wait_mean_s"]) == ("", "3", "")
    assert (total["group"], total["presented"], total["answered_share"]) == ("total", "6", "0.5000")
    assert total["callbacks_in_time"] == "1"


async def test_who_accepts_anything_gets_json(worked: House) -> None:
    for accept in ("*/*", "application/json, text/csv", "text/csv;q=0, */*", "nonsense;q=x", ""):
        reply = await worked.get(f"{LEVEL}?{THREE_DAYS}", headers={"Accept": accept})
        assert reply.headers["Content-Type"].startswith("application/json"), accept


async def test_a_report_of_a_database_that_is_away_is_later(worked: House) -> None:
    await worked.take_database_away()
    assert (await worked.get(LEVEL)).status == 503


# ---------------------------------------------------------------- the month


class _Page(HTMLParser):
    """What a page has in it: its elements, their attributes, and its text; raises where elements do not nest."""

    _VOID = frozenset({"meta", "line", "rect", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


async def test_the_month_is_a_page_that_needs_nothing_else(worked: House) -> None:
    reply = await worked.get(f"{MONTHLY}?month=2026-11")
    page = _Page(reply.text)

    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not page.tags & {"script", "img", "link", "iframe", "object"}
    assert not [each for each in page.attributes if each[0] in ("style", "src", "href") or each[0].startswith("on")]
    assert "@page { size: A4" in style


async def test_the_month_is_told_in_bahasa_indonesia_with_english_beside_it_or_in_english(worked: House) -> None:
    page = await worked.get(f"{MONTHLY}?month=2026-11")
    english = await worked.get(f"{MONTHLY}?month=2026-11&lang=en")

    assert '<html lang="id">' in page.text
    assert "Laporan bulanan 112, November 2026</h1>" in page.text
    assert "Monthly report of 112, November 2026" in page.text
    assert "Bulan ini belum selesai" in page.text
    assert '<html lang="en">' in english.text
    assert "Laporan" not in english.text
    for text in (page.text, english.text):
        assert '<th scope="row">Prank' in text
        assert "Telkomsel" in text
        assert "NENA-STA-020" in text
    assert "50,0 %" in page.text
    assert "50.0 %" in english.text


async def test_each_chart_says_its_numbers_in_words_and_by_pattern_not_by_colour_alone(worked: House) -> None:
    text = (await worked.get(f"{MONTHLY}?month=2026-11&lang=en")).text
    assert "<title>Mon 23 Nov: Presented 6, Answered by an operator 3</title>" in text
    assert len(re.findall(r"<title>\d\d:00: ", text)) == 24
    assert 'fill="url(#hatched)"' in text


async def test_a_day_without_a_call_is_none_and_one_yet_to_come_or_before_the_first_call_ever_is_no_number(
    worked: House,
) -> None:
    text = (await worked.get(f"{MONTHLY}?month=2026-11&lang=en")).text
    rows = dict(re.findall(r'<th scope="row">\w{3} (\d+) Nov</th>(.*?)</tr>', text))
    numbers = {int(day): re.findall(r"<td>(.*?)</td>", row)[0] for day, row in rows.items()}
    assert numbers == {day: "6" if day == 23 else "0" if 24 <= day <= 26 else "-" for day in range(1, 31)}
    assert re.findall(r"<title>\w{3} (\d+) Nov: ", text) == ["23", "24", "25", "26"]
    assert "Days without figures (-) are yet to come" in text

    worked.services.clock.at = NOW + timedelta(days=60)
    text = (await worked.get(f"{MONTHLY}?month=2026-12&lang=id")).text
    assert "Tidak ada panggilan" in text
    await worked.context.store.commit(Change(calls=(came("h", 24 * 20, 3.0),)))
    text = (await worked.get(f"{MONTHLY}?month=2026-12&lang=id")).text
    assert len(re.findall(r"<title>\w{3} \d+ Des: ", text)) == 31
    assert "Hari tanpa angka" not in text


async def test_how_many_calls_nobody_has_recorded_is_told_beside_the_false_ones(worked: House) -> None:
    text = (await worked.get(f"{MONTHLY}?month=2026-11")).text
    rows = {
        re.sub(r"<.*?>", "", name): re.findall(r"<td.*?>(.*?)</td>", row)
        for name, row in re.findall(r'<th scope="row".*?>(.*?)</th>(.*?)</tr>', text.partition("<h2>Empat jenis")[0])
    }
    assert rows["Jenisnya sudah dicatat"] == ["2", "6", "33,3 %"]
    assert rows["di antaranya: palsu (prank atau ghost)"] == ["1", "6", "16,7 %"]
    assert rows["di antaranya: bukan palsu (normal atau informasi)"] == ["1", "6", "16,7 %"]
    assert rows["Jenisnya belum dicatat"] == ["4", "6", "66,7 %"]
    assert rows["Waktu tunggu rata-rata"] == ["15,3 detik", "3", ""]
    assert "<strong>4 dari 6</strong> panggilan belum dicatat jenisnya" in text


async def test_the_indonesian_page_is_no_engineers_and_its_sources_are_in_indonesian(worked: House) -> None:
    text = (await worked.get(f"{MONTHLY}?month=2026-11")).text
    for word in ("INVITE", "seluler", "Standard for", "edition", " 100 of", "90 of"):
        assert word not in text
    assert "standar Amerika Serikat" in text
    assert "Laporan Komisi Eropa" in text
    assert "90 dari 100" in text


async def test_the_page_and_each_printed_sheet_have_the_centres_title_and_it_is_never_markup(tmp_path: Path) -> None:
    async with open_house(tmp_path, title='112, "Batu" </style><b>\\') as house:
        house.services.clock.at = NOW
        await house.context.store.commit(Change(calls=(came("a"),)))
        reply = await house.get(f"{MONTHLY}?month=2026-11")
    _Page(reply.text)
    assert "<b>" not in reply.text
    assert "<h1>Laporan bulanan 112, &quot;Batu&quot; &lt;/style&gt;&lt;b&gt;\\, November 2026</h1>" in reply.text
    [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in reply.headers["Content-Security-Policy"]
    [foot] = re.findall(r'@bottom-left { content: "([^"]*)"', style)
    said = re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), foot)
    assert said == 'Laporan bulanan 112, "Batu" </style><b>\\, November 2026. Dihitung 26 November 2026, 10:00'
    assert 'content: "Halaman " counter(page)' in style


async def test_a_month_without_a_call_is_a_page_that_says_so(worked: House) -> None:
    text = (await worked.get(f"{MONTHLY}?month=2027-02")).text
    assert "Tidak ada panggilan pada bulan ini." in text
    assert "No call came in this month." in text
    assert "<table" not in text
    _Page(text)


async def test_the_table_behind_the_page_has_every_day_hour_and_carrier_once(worked: House) -> None:
    rows = table(await worked.get(f"{MONTHLY}?month=2026-11&format=csv"))
    assert [sum(row["table"] == name for row in rows) for name in ("day", "hour_of_day", "trunk", "month")] == [
        *(30, 24, 2),
        1,
    ]
    for name in ("day", "hour_of_day", "trunk"):
        assert sum(int(row["presented"]) for row in rows if row["table"] == name) == 6
    assert rows[-1]["kind_prank"] == "1"


async def test_what_a_person_typed_is_never_markup(worked: House) -> None:
    trunk = next(each for each in (await worked.get("/v1/trunks")).json["items"] if each["name"] == "indosat")
    changed = await worked.patch(f"/v1/trunks/{trunk['id']}", {"carrier": "<b>Indosat</b>"})
    assert changed.status == 200, changed.text
    text = (await worked.get(f"{MONTHLY}?month=2026-11")).text
    assert "<b>" not in text
    assert "&lt;b&gt;Indosat&lt;/b&gt;" in text


@pytest.mark.parametrize("query", ["month=2026-13", "month=2026-1", "month=1999-12", "month=2026-11&lang=fr"])
async def test_a_month_that_cannot_be_is_refused(worked: House, query: str) -> None:
    assert (await worked.get(f"{MONTHLY}?{query}")).status == 422


async def test_the_month_that_goes_on_is_told_where_none_is_said(worked: House) -> None:
    assert "November 2026" in (await worked.get(MONTHLY)).text
    assert (await worked.get(f"{MONTHLY}?month=2199-12")).status == 200
    assert (await worked.get(MONTHLY, token=None)).status == 401
