"""The words of the month's page, in Bahasa Indonesia and in English, and how each writes numbers and dates.

Counterpart: `monthly_page.py`; what the figures mean stands in `gateway/domain/definitions.py`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.definitions import Definition, Text


class Language(StrEnum):
    INDONESIAN = "id"
    ENGLISH = "en"


WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Laporan bulanan", "Monthly report of"),
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
    "undisposed": ("Jenisnya belum dicatat", "Kind not recorded"),
    "disposed": ("Jenisnya sudah dicatat", "Kind recorded"),
    "false_calls": ("Palsu (prank atau ghost)", "False (prank or ghost)"),
    "genuine": ("Bukan palsu (normal atau informasi)", "Not false (normal or information)"),
    "of_which": ("di antaranya", "of these"),
    "not_known": (
        "panggilan belum dicatat jenisnya: berapa di antaranya yang palsu belum diketahui.",
        "calls are not recorded by their kind: how many of them were false is not known.",
    ),
    "kind": ("Jenis", "Kind"),
    "summary": ("Ringkasan", "Summary"),
    "figure": ("Keterangan", "Figure"),
    "value": ("Nilai", "Value"),
    "count": ("Jumlah", "Count"),
    "calls": ("Panggilan", "Calls"),
    "of": ("Dari", "Of"),
    "of_calls": ("Dari berapa panggilan", "Of how many calls"),
    "share": ("Persen", "Share"),
    "presented": ("Masuk", "Presented"),
    "answered": ("Dijawab petugas", "Answered by an operator"),
    "others": ("Lainnya", "Others"),
    "relieved": ("Dijawab instansi atau nomor cadangan", "Answered by an agency or last resort"),
    "abandoned": ("Ditinggalkan penelepon", "Abandoned"),
    "cancelled": ("Dibatalkan sebelum diangkat", "Cancelled before an answer"),
    "fell_back": (
        "Tanpa petugas: ke instansi, nomor cadangan, pesan atau menu",
        "Without an operator: agency, last resort, message or menu",
    ),
    "failed": ("Gagal", "Failed"),
    "going_on": ("Masih berlangsung", "Going on"),
    "waiting": ("Masih menunggu", "Waiting"),
    "level": ("Tingkat layanan", "Service level"),
    "within": ("Dijawab dalam", "Answered within"),
    "seconds": ("detik", "s"),
    "short_answered": ("Dijawab", "Answered"),
    "short_waits": ("Rata-rata tunggu", "Mean wait"),
    "short_abandoned": ("Ditinggalkan", "Abandoned"),
    "short_cancelled": ("Dibatalkan", "Cancelled"),
    "dashed": (
        "Hari tanpa angka (-) belum tiba, atau sebelum panggilan pertama di pusat ini.",
        "Days without figures (-) are yet to come, or before this centre's first call.",
    ),
    "page": ("Halaman", "Page"),
    "source": ("Sumber dan sasaran", "Source and goal"),
    "waits": ("Waktu tunggu rata-rata", "Mean wait"),
    "slowest": ("Rata-rata sepersepuluh terlama", "Mean of the slowest tenth"),
    "days": ("Hari demi hari", "Day by day"),
    "day": ("Tanggal", "Day"),
    "hours": ("Jam demi jam", "Hour by hour"),
    "hour": ("Jam", "Hour"),
    "trunks": ("Menurut operator telekomunikasi", "By carrier"),
    "trunk": ("Operator telekomunikasi", "Carrier"),
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

_SHORT_MONTHS = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")
_DAYS = ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min")
_ENGLISH_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Wording:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __getitem__(self, name: str) -> str:
        return WORDS[name][self.language is Language.ENGLISH]

    def english(self, name: str) -> str:
        """The same in English beside another language; empty where it is English already."""
        return "" if self.language is Language.ENGLISH else WORDS[name][1]

    def of(self, text: Definition | Text) -> str:
        """That which is told in both languages in this one."""
        return text.english if self.language is Language.ENGLISH else text.indonesian

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

    def day(self, day: date) -> str:
        """Such as Min 1 Nov, or Sun 1 Nov."""
        if self.language is Language.ENGLISH:
            return f"{_ENGLISH_DAYS[day.weekday()]} {day.day} {_ENGLISH_MONTHS[day.month - 1][:3]}"
        return f"{_DAYS[day.weekday()]} {day.day} {_SHORT_MONTHS[day.month - 1]}"

    def moment(self, at: datetime) -> str:
        """Such as 26 November 2026, 12:50."""
        return f"{at.day} {self.month(at)}, {at:%H:%M}"
