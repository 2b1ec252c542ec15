"""The reasons why 112 is not whole, or not at its best: each with its name, in words, since when, and what to do.

Counterparts: `health.py` tells them, `metrics.py` counts them, `docs/operations.md` says more of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.api import tls
from gateway.api.context import Context
from gateway.asterisk.journal import FAR_BEHIND_BYTES, UNREAD
from gateway.domain.advice import in_vain, no_such_queue, out_of_reach, unreachable
from gateway.domain.evidence import Verification
from gateway.domain.holding import about
from gateway.domain.sight import REMEDIES, WORDS, Why
from gateway.domain.tokens import Role, Token, about_to_expire
from gateway.ports import StoreAway

LITTLE_SPACE_BYTES = 2_000_000_000
"""About 17 hours of one recorded call."""
NO_SPACE_BYTES = 100_000_000

CODES = (
    *("asterisk_away", "database_away", "calls_not_stored", "journal_silent", "no_space"),
    *("database_slow", "no_operator", "nobody_in_queue", "overloaded", "journal_behind", "little_space"),
    *("journal_unreadable", "advice_blind", "recordings_stalled", "vault_away", "recordings_not_moved"),
    *("recordings_failing", "recordings_changed", "recordings_not_verified", "asterisk_refused", "setting_in_vain"),
    *("certificate", "sip_certificate", "tokens_expire"),
)
"""All that there are."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is one of CODES, `subject` what it is about where there may be several. With one that `is_severe` the
    history and the commands wait. `since` is None where only who asks again and again can tell."""

    code: str
    words: str
    remedy: str
    subject: str = ""
    is_severe: bool = False
    since: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.code, self.subject


def at_hand(context: Context) -> list[Reason]:
    """Those that hold now, as far as the database need not be asked. The page that shows them is open to everybody: no
    driver's words, no address of a bucket."""
    return [
        *_of_asterisk(context),
        *_of_the_journal(context),
        *_of_space(context),
        *_of_people(context),
        *_of_the_load(context),
        *_of_recordings(context),
        *_of_what_is_held(context),
        *_of_the_certificate(context),
    ]


async def of_the_store(context: Context) -> list[Reason]:
    """The others. That may take as long as the database's own limits."""
    return await _database(context) or [*await _in_vain(context), *await _of_tokens(context)]


def _of_asterisk(context: Context) -> Iterator[Reason]:
    status = context.status()
    if not status.asterisk_up:
        yield Reason(
            "asterisk_away",
            f"Asterisk is away: {status.asterisk_reason}",
            "Start Asterisk; where it runs, compare [ami] with var/asterisk/etc/site/manager.conf.",
            is_severe=True,
            since=status.asterisk_since,
        )
    if context.blindness.why is Why.JOURNAL:
        yield Reason(
            "journal_silent",
            f"{WORDS[Why.JOURNAL]}: their history is being lost.",
            REMEDIES[Why.JOURNAL],
            is_severe=True,
            since=context.blindness.since,
        )


async def _database(context: Context) -> list[Reason]:
    try:
        await context.store.newest_seq()
        await context.store.try_to_write()
    except StoreAway:
        # a driver's own words are for the log
        return [
            Reason(
                "database_away",
                "The database is away: it does not answer, or cannot be written to",
                "Look whether it runs and has space; calls are answered, and wait in Asterisk's journal meanwhile.",
                is_severe=True,
            )
        ]
    return []


def slow(within_s: float) -> Reason:
    """That the database has not answered for so long. Whether it is away is not known yet."""
    return Reason(
        "database_slow",
        f"The database has not answered within {within_s:g} s: what it says here is from the look before.",
        "Look at its load and its disk, and whether a program holds it; where it stays so, it is told to be away.",
    )


def _of_the_journal(context: Context) -> Iterator[Reason]:
    status = context.status()
    if status.journal_waits:
        is_unread = status.journal_waits.startswith(UNREAD)
        why = UNREAD if is_unread else "the database does not take them"
        yield Reason(
            "calls_not_stored",
            f"Calls are not stored: {why}. They wait in Asterisk's journal.",
            "Look at the database, and at the space on the disk of var/; nothing is lost until it is full. The board "
            "and the log (journal_waits) say why.",
            is_severe=True,
        )
    for name, size_bytes in status.journal_unread_bytes.items():
        yield Reason(
            "journal_unreadable",
            f"{size_bytes} bytes of the journal's file {name} cannot be read: calls may be missing in the history.",
            "Look at the disk of var/ (dmesg). A copy that can be read, put beside it as journal-saved.csv, is read in "
            "its place; it is tried again each minute. What is lost for good: move the file elsewhere.",
            subject=name,
        )
    if status.journal_lag_bytes > FAR_BEHIND_BYTES:
        yield Reason(
            "journal_behind",
            f"The journal is {status.journal_lag_bytes} bytes behind.",
            "After a start wait a minute. Where it grows, look at the processor's load and at the database.",
        )


def _of_space(context: Context) -> Iterator[Reason]:
    for setting, free_bytes in context.status().free_bytes.items():
        if free_bytes < LITTLE_SPACE_BYTES:
            is_severe = free_bytes < NO_SPACE_BYTES
            yield Reason(
                "no_space" if is_severe else "little_space",
                f"{setting} has {free_bytes / 1e6:.0f} MB left: journal, recordings or database will stop.",
                "Make room there, never among recordings by hand: shorten how long they are kept, or use a bucket.",
                subject=setting,
                is_severe=is_severe,
            )


def _of_people(context: Context) -> Iterator[Reason]:
    status = context.status()
    if status.operators_available == 0:
        yield Reason(
            "no_operator",
            "No operator is available in any queue that calls come to: callers hear the fallback.",
            "Look at the board for lost phones and pauses; have somebody log in with *45.",
        )
    for queue, trunks in status.deserted.items():
        yield Reason(
            "nobody_in_queue",
            f"Nobody is available in queue {queue}: the calls of {', '.join(trunks)} go to the fallback.",
            "Have somebody of that queue log in with *45, roster somebody for it, or name another queue for the trunk.",
            subject=queue,
        )
    if status.advice_is_blind:
        yield Reason(
            "advice_blind",
            "The advice cannot read the past of calls: nobody is raised or lowered by it (advice_without_past).",
            "Look at the database's load; calls wait in the order of their arrival meanwhile.",
        )


def _of_the_load(context: Context) -> Iterator[Reason]:
    status = context.status()
    if shed := status.luxuries.shed:
        yield Reason(
            "overloaded",
            f"There is more to do than this machine can carry. These wait, so that calls do not: {', '.join(shed)}.",
            "See whether very many call (/v1/board), else who uses the processor or the database. It ends by itself.",
            since=status.overloaded_since,
        )


def _of_recordings(context: Context) -> Iterator[Reason]:
    standing = context.status().recordings
    if count := len(standing.stalled):
        yield Reason(
            "recordings_stalled",
            f"{count} running call{'s are' if count > 1 else ' is'} not being recorded.",
            "Is the disk of paths.recordings full or gone? Asterisk's words are in var/asterisk/log/messages.",
        )
    if standing.vault_away:
        yield Reason(
            "vault_away",
            "Nothing is sealed: the vault's worker does not answer.",
            "It is started again by itself; `gateway112 doctor` says what is in the way. Recording goes on.",
        )
    if standing.moving and standing.moving.problem:
        yield Reason(
            "recordings_not_moved",
            "Recordings are not moved to or from the bucket: `gateway112 doctor` says why.",
            "Run `gateway112 doctor`; sound stays on the disk meanwhile: watch its space.",
        )
    if standing.counts.failing:
        yield Reason(
            "recordings_failing",
            f"{standing.counts.failing} recordings could not be sealed yet.",
            "Each one's problem says why: `gateway112 recording list --problem`; the raw sound stays.",
        )
    if standing.verification is not None:
        yield from _of_verification(standing.verification, context.clock())


def _of_verification(verification: Verification, now: datetime) -> Iterator[Reason]:
    """No file's name: whoever may hear recordings finds them in the events and alarms."""
    if count := verification.findings:
        yield Reason(
            "recordings_changed",
            f"Sealed recordings are not as they were left: {count} finding{'s' if count > 1 else ''}.",
            "`gateway112 vault verify` names each: ask who was there, and put back what the backup has.",
        )
    if verification.is_overdue(now):
        yield Reason(
            "recordings_not_verified",
            "It has not been looked for more than two days whether sealed recordings are as they were left.",
            "`gateway112 doctor` says why; `gateway112 vault verify` does it now.",
            since=verification.waited_since,
        )


def _of_what_is_held(context: Context) -> Iterator[Reason]:
    if problem := context.status().sip_certificate_problem:
        yield Reason(
            "sip_certificate",
            problem,
            "Write a new one where sip.tls_certificate says, with its key, and restart the gateway. UDP goes on.",
        )
    if context.level.applied.problems:
        yield Reason(
            "asterisk_refused",
            "Asterisk refused: " + ", ".join(sorted(set(map(about, context.level.applied.problems)))),
            "Look at what these are in the API: each one's problem has Asterisk's words. It is tried every 30 s.",
        )


def _of_the_certificate(context: Context) -> Iterator[Reason]:
    remedy = "Put a good pair where api.tls_certificate and api.tls_key say: it is taken within a minute."
    for subject, words in tls.warnings(context.tls, context.clock()).items():
        yield Reason("certificate", words, remedy, subject=subject)


async def _of_tokens(context: Context) -> list[Reason]:
    """Whose tokens they are is nobody's business here. Without the database that cannot be said."""
    try:
        tokens = about_to_expire(await context.store.kept(Token), context.clock())
    except StoreAway:
        return []
    if not tokens:
        return []
    ends = f"{tokens[0].expires_at:%Y-%m-%d %H:%M} UTC"
    of_admins = sum(token.role is Role.ADMIN for token in tokens)
    what = f"{len(tokens)} tokens expire" if len(tokens) > 1 else "1 token expires"
    admins = f" ({of_admins} of them an admin's)" if of_admins else ""
    remedy = "See which with `gateway112 token list`; then `gateway112 token rotate NAME`, or retire what nobody uses."
    return [Reason("tokens_expire", f"{what} soon, the first at {ends}{admins}.", remedy)]


async def _in_vain(context: Context) -> list[Reason]:
    """Settings that name what is not there, and trunks whose calls cannot come. Without the database that cannot be
    said."""
    status = context.status()
    try:
        books = await context.bookkeeper.at_hand()
    except StoreAway:
        return []
    phones = {operator.phone for operator in books.operators.values()}
    said = [
        *in_vain(status.trunk_rules, books.trunks, books.queues),
        *unreachable(status.last_resort, books.trunks, phones),
        *out_of_reach(status.sip_host, {trunk.name: trunk.addresses for trunk in books.trunks.values()}),
    ]
    remedy = "Correct gateway.toml and start the gateway (and Asterisk) again, or correct the trunk in the API."
    of_queue = (
        "Correct gateway.toml and start Asterisk and the gateway again, or make that queue: `gateway112 queue add "
        f"{status.queue}`."
    )
    return [
        *(
            Reason("setting_in_vain", words, of_queue, subject=words)
            for words in no_such_queue(status.queue, books.queues, books.default_queue)
        ),
        *(Reason("setting_in_vain", words, remedy, subject=words) for words in said),
    ]
