"""The words of the month's page, in Bahasa Indonesia and in English, and how each writes numbers and dates.

Counterpart: `monthly_page.py`; what the figures mean stands in `gateway/domain/definitions.py`.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum


class Language(StrEnum):
    INDONESIAN = "id"
    ENGLISH = "en"


WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Laporan bulanan 112", "Monthly report of 112"),
    "empty": ("Tidak ada panggilan pada bulan ini.", "No call came in this month."),
    "unfinished": (
        "Bulan ini belum selesai: angka sampai saat dihitung.",
        "The month is not over: figures up to when they were counted.",
    ),
    "counted": ("Dihitung", "Counted"),
    "zone": ("zona waktu", "time zone"),
    "kinds": ("Empat jenis panggilan", "The four kinds of calls"),
    "normal": ("Normal", "Normal"),
    "ghost": ("Ghost (kosong)", "Ghost"),
    "prank": ("Prank (iseng)", "Prank"),
    "information": ("Informasi", "Information"),
    "undisposed": ("Belum dicatat", "Not recorded"),
    "disposed": ("Dicatat petugas", "Recorded"),
    "false_calls": ("Panggilan palsu", "False calls"),
    "kind": ("Jenis", "Kind"),
    "summary": ("Ringkasan", "Summary"),
    "figure": ("Angka", "Figure"),
    "calls": ("Panggilan", "Calls"),
    "of": ("Dari", "Of"),
    "share": ("Persen", "Share"),
    "presented": ("Masuk", "Presented"),
    "answered": ("Dijawab petugas", "Answered by an operator"),
    "others": ("Lainnya", "Others"),
    "relieved": ("Dijawab instansi atau nomor cadangan", "Answered by an agency or last resort"),
    "abandoned": ("Ditinggalkan penelepon", "Abandoned"),
    "cancelled": ("Dibatalkan sebelum diangkat", "Cancelled before an answer"),
    "fell_back": ("Berakhir di menu cadangan", "Ended in the fallback"),
    "failed": ("Gagal", "Failed"),
    "going_on": ("Masih berlangsung", "Going on"),
    "waiting": ("Masih menunggu", "Waiting"),
    "false_of_disposed": ("Palsu, dari yang dicatat", "False, of those recorded"),
    "false_of_presented": ("Palsu, dari yang masuk", "False, of those presented"),
    "level": ("Tingkat layanan", "Service level"),
    "within": ("Dijawab dalam", "Answered within"),
    "seconds": ("detik", "s"),
    "source": ("Sumber dan sasaran", "Source and goal"),
    "waits": ("Waktu tunggu rata-rata", "Mean wait"),
    "slowest": ("Rata-rata sepersepuluh terlama", "Mean of the slowest tenth"),
    "days": ("Hari demi hari", "Day by day"),
    "day": ("Tanggal", "Day"),
    "hours": ("Jam demi jam", "Hour by hour"),
    "hour": ("Jam", "Hour"),
    "trunks": ("Menurut operator seluler", "By carrier"),
    "trunk": ("Operator seluler", "Carrier"),
    "callbacks": ("Panggilan balik", "Callbacks"),
    "opened": ("Dibuka", "Opened"),
    "in_time": ("Ditelepon tepat waktu", "Dialled in time"),
    "reached": ("Tersambung", "Reached"),
    "given_up": ("Dihentikan", "Given up"),
    "got_through": ("Penelepon tersambung sendiri", "Caller got through by himself"),
    "outcomes": ("Bagaimana panggilan berakhir", "How calls ended"),
    "definitions": ("Arti setiap angka", "What each figure means"),
    "none": ("tidak ada", "none"),
}
_MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
_ENGLISH_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class Wording:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __getitem__(self, name: str) -> str:
        return WORDS[name][self.language is Language.ENGLISH]

    def english(self, name: str) -> str:
        """The same in English beside another language; empty where it is English already."""
        return "" if self.language is Language.ENGLISH else WORDS[name][1]

    def number(self, value: float, digits: int = 0) -> str:
        written = f"{value:,.{digits}f}"
        return written if self.language is Language.ENGLISH else written.translate(str.maketrans(",.", ".,"))

    def share(self, value: float | None) -> str:
        return "-" if value is None else f"{self.number(100 * value, 1)} %"

    def seconds(self, value: float | None) -> str:
        return "-" if value is None else f"{self.number(value, 1)} {self['seconds']}"

    def month(self, day: date) -> str:
        names = _ENGLISH_MONTHS if self.language is Language.ENGLISH else _MONTHS
        return f"{names[day.month - 1]} {day.year}"
