"""What each figure of a report means, in words, in English and Bahasa Indonesia, and whose measure it is.

Counterparts: `reports.py` works the figures out by these; `gateway/api/reports.py` and `monthly_page.py` tell both
together. A source is named only for what stands in it; where none is, the definition is the project's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The same in both languages; empty where there is nothing to say."""

    english: str = ""
    indonesian: str = ""


NENA = Text(
    "NENA-STA-020.1-2020, Standard for 9-1-1 Call Processing",
    "NENA-STA-020.1-2020, standar Amerika Serikat untuk penanganan panggilan 9-1-1",
)
NFPA = Text("NFPA 1225, 2022 edition", "NFPA 1225, standar Amerika Serikat, edisi 2022")
EU = Text(
    "The Commission's reports on 112, Directive (EU) 2018/1972, Article 109(4)",
    "Laporan Komisi Eropa tentang 112, Arahan (UE) 2018/1972, Pasal 109(4)",
)
NFPA_AND_EU = Text(f"{NFPA.english}; {EU.english}", f"{NFPA.indonesian}; {EU.indonesian}")
_NOTHING = Text()


@dataclass(frozen=True, slots=True)
class Definition:
    """A figure in words. `goal` is what the source asks for, where it asks for something."""

    english: str
    indonesian: str
    source: Text = _NOTHING
    goal: Text = _NOTHING


def _within(limit_s: int, source: Text = _NOTHING, goal: Text = _NOTHING) -> Definition:
    return Definition(
        f"Calls that an operator answered, and no agency or last-resort number, at most {limit_s} s after the "
        f"carrier's INVITE, of those presented. Callers who still wait count among them once they have waited longer "
        f"than {limit_s} s.",
        f"Panggilan yang dijawab petugas, bukan instansi atau nomor cadangan, paling lama {limit_s} detik sejak "
        f"panggilan tiba di 112, dari semua yang masuk. Penelepon yang masih menunggu ikut dihitung setelah menunggu "
        f"lebih dari {limit_s} detik.",
        source,
        goal,
    )


DEFINITIONS: Mapping[str, Definition] = {
    "calls": Definition(
        "All calls that arrived in that time, by the carrier's INVITE, without the centre's own test calls.",
        "Semua panggilan yang tiba di 112 pada waktu itu, tanpa panggilan uji dari pusat sendiri.",
    ),
    "waiting": Definition(
        "Calls that go on and that nobody has answered yet, or that an agency or a last-resort number answered and "
        "left, so that they wait again. They are not presented until that is decided.",
        "Panggilan yang masih berlangsung dan belum dijawab siapa pun, atau yang menunggu lagi setelah instansi atau "
        "nomor cadangan; belum dihitung sebagai panggilan masuk.",
    ),
    "presented": Definition(
        "Calls less those waiting: what every share is of, where nothing else is said. Calls that were abandoned "
        "after a moment stay in, and so do those cancelled before 112 answered: they are callers too.",
        "Semua panggilan dikurangi yang masih menunggu; dasar setiap persentase, jika tidak disebut lain. "
        "Panggilan yang ditinggalkan atau dibatalkan setelah sesaat tetap dihitung: mereka juga penelepon.",
    ),
    "outcomes": Definition(
        "How the presented calls ended; going on are those that somebody has answered and that have not ended.",
        "Bagaimana panggilan masuk berakhir; masih berlangsung: sudah dijawab dan belum berakhir.",
    ),
    "answered": Definition(
        "Calls that an operator answered, of those presented; those that go on, too.",
        "Panggilan yang dijawab petugas, dari yang masuk; juga yang masih berlangsung.",
    ),
    "relieved": Definition(
        "Calls that an agency or a last-resort number answered where no operator did. That is no operator's answer: it "
        "counts in no other figure of answers or waits.",
        "Panggilan yang dijawab instansi atau nomor cadangan terakhir, bukan petugas; tidak dihitung dalam angka "
        "jawaban atau waktu tunggu lain.",
    ),
    "within_5_s": _within(5),
    "within_10_s": _within(10, NFPA_AND_EU, Text("NFPA 1225: 90 of 100", "NFPA 1225: 90 dari 100")),
    "within_15_s": _within(15, NENA, Text("90 of 100", "90 dari 100")),
    "within_20_s": _within(20, NENA, Text("95 of 100", "95 dari 100")),
    "within_60_s": _within(60),
    "waits": Definition(
        "The mean time from the INVITE to the operator's answer, greeting and queue included, of the calls that an "
        "operator answered; and of the slowest tenth of them (a tenth of their number, rounded up). Each wait is taken "
        "in tenths of a second, rounded up. A caller whom an agency or a last-resort number answered, too, as where it "
        "was first and an operator came later, counts as answered and has no such wait: he is not in the count here.",
        "Rata-rata waktu sejak panggilan tiba sampai petugas menjawab, termasuk sapaan dan antrean; juga rata-rata "
        "dari sepersepuluh panggilan yang paling lama menunggu. Waktu dibulatkan ke atas ke 0,1 detik. Penelepon yang "
        "dijawab petugas dan juga instansi atau nomor cadangan terhitung dijawab, tetapi tidak dihitung di sini.",
        EU,
    ),
    "abandoned": Definition(
        "Calls whose caller left after 112 had answered the trunk and before a person spoke, of those presented.",
        "Panggilan yang ditinggalkan setelah 112 mengangkat dan sebelum seseorang berbicara, dari yang masuk.",
    ),
    "cancelled": Definition(
        "Calls whose caller left before 112 answered the trunk, of those presented.",
        "Panggilan yang ditutup penelepon sebelum 112 mengangkat, dari yang masuk.",
    ),
    "disposed": Definition(
        "Presented calls of which a person said what they were (a disposition); undisposed are the others.",
        "Panggilan masuk yang jenisnya sudah dicatat petugas; sisanya belum dicatat.",
    ),
    "false_calls": Definition(
        "Calls that a person said were a prank or a ghost. Of those that nobody has recorded it is not known, so that "
        "a share of the recorded ones alone says little where they are few.",
        "Panggilan yang dicatat petugas sebagai prank (iseng) atau ghost (kosong). Panggilan yang belum dicatat belum "
        "diketahui palsu atau tidak.",
    ),
    "kinds": Definition(
        "The ministry's four kinds, by disposition. Normal: emergency, transferred. Information: information, wrong "
        "region, test. Prank. Ghost.",
        "Empat jenis menurut kementerian. Normal: darurat, diteruskan. Informasi: informasi, salah wilayah, uji coba. "
        "Prank. Ghost.",
    ),
    "callbacks": Definition(
        "Callbacks by the time they were opened. In time: dialled by the task's first due time, of those to be made: "
        "all but those whose caller got through by himself before anybody dialled, and those neither dialled nor due "
        "yet.",
        "Panggilan balik menurut waktu dibuka. Tepat waktu: ditelepon sebelum batas waktunya yang pertama, dari yang "
        "harus ditelepon: semua kecuali yang peneleponnya sudah tersambung sendiri dan yang belum jatuh tempo.",
    ),
}
