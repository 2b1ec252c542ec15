"""What each figure of a report means, in words, in English and Bahasa Indonesia, and whose measure it is.

Counterparts: `reports.py` works the figures out by these; `gateway/api/reports.py` and `monthly_page.py` tell both
together. A source is named only for what stands in it; where none is, the definition is the project's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NENA = "NENA-STA-020.1-2020, Standard for 9-1-1 Call Processing"
NFPA = "NFPA 1225, 2022 edition"
EU = "The Commission's reports on 112, Directive (EU) 2018/1972, Article 109(4)"


@dataclass(frozen=True, slots=True)
class Definition:
    """A figure in words. `goal` is what the source asks for, where it asks for something."""

    english: str
    indonesian: str
    source: str = ""
    goal: str = ""


def _within(limit_s: int, source: str = "", goal: str = "") -> Definition:
    return Definition(
        f"Calls that an operator answered, and no agency or last-resort number, at most {limit_s} s after the "
        f"carrier's INVITE, of those presented. Callers who still wait count among them once they have waited longer "
        f"than {limit_s} s.",
        f"Panggilan yang dijawab petugas, tanpa instansi atau nomor cadangan, paling lama {limit_s} detik sejak INVITE "
        f"dari operator seluler, dari yang masuk. Yang masih menunggu ikut dihitung setelah menunggu lebih dari "
        f"{limit_s} detik.",
        source,
        goal,
    )


DEFINITIONS: Mapping[str, Definition] = {
    "calls": Definition(
        "All calls that arrived in that time, by the carrier's INVITE, without the centre's own test calls.",
        "Semua panggilan yang tiba pada waktu itu, menurut waktu INVITE, tanpa panggilan uji dari pusat sendiri.",
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
        "How the presented calls ended; going_on are those that somebody has answered and that have not ended.",
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
    "within_10_s": _within(10, f"{NFPA}; {EU}", "NFPA 1225: 90 of 100"),
    "within_15_s": _within(15, NENA, "90 of 100"),
    "within_20_s": _within(20, NENA, "95 of 100"),
    "within_60_s": _within(60),
    "waits": Definition(
        "The mean time from the INVITE to the operator's answer, greeting and queue included, of the calls that an "
        "operator answered; and of the slowest tenth of them (a tenth of their number, rounded up). Each wait is taken "
        "in tenths of a second, rounded up. A caller whom an agency or a last-resort number answered, too, as where it "
        "was first and an operator came later, counts as answered and has no such wait: he is not in the count here.",
        "Rata-rata waktu dari INVITE sampai petugas menjawab, termasuk sapaan dan antrean; dan dari sepersepuluh "
        "panggilan yang paling lama menunggu. Waktu dibulatkan ke atas ke sepersepuluh detik. Penelepon yang "
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
        "Calls that a person said were a prank or a ghost, of those disposed and of all presented.",
        "Panggilan yang dicatat petugas sebagai prank atau ghost, dari yang dicatat dan dari yang masuk.",
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
