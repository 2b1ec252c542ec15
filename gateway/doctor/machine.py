"""What lies still on this machine: programs, folders, files, space, the clock. Nothing here is changed.

Counterpart: `services.py`, which looks at what answers.
"""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import certificates, owner
from gateway.asterisk import installation, music, priority, site
from gateway.doctor.finding import Finding, Level, ok, warning, wrong
from gateway.remedies import RESTART_ASTERISK
from gateway.settings import PROJECT, Settings, SettingsError
from gateway.vault import looks
from gateway.vault.keys import KeyMissing, KeyRing, SigningKey

OLDEST_PYTHON = (3, 11)
PROGRAMS = {
    "sipp": ("sip-tester", "the probe cannot call"),
    "ffmpeg": ("ffmpeg", "no sealed recording can be heard, and no prompt made"),
    "espeak-ng": ("espeak-ng", "prompts cannot be made"),
}
"""What is called by name, its Debian package, and what cannot be done without."""

BYTES_AN_HOUR = 115_200_000
"""One recorded call: two channels of 16 bits, 8,000 times a second."""
LITTLE_SPACE_BYTES = 50 * BYTES_AN_HOUR
NO_SPACE_BYTES = 5 * BYTES_AN_HOUR
JOURNAL_BEHIND_S = 60.0
OLD_TOKEN_DAYS = 365
DOOR_BYTES = 2_000_000
"""How much of the end of Asterisk's security log is read."""
DOOR_SINCE = timedelta(hours=1)
DOOR_NAMED = 5
_TURNED_AWAY = re.compile(
    r'\] SECURITY\[\d+\] res_security_log\.c: SecurityEvent="ChallengeSent",EventTV="([^"]+)",Severity="\w+",'
    r'Service="PJSIP",EventVersion="1",AccountID="<unknown>",.*,RemoteAddress="IPV[46]/\w+/([0-9A-Fa-f.:]+)/\d+",Challenge=""$'
)
"""The challenge that a stranger is sent, as in `gateway/asterisk/knocking.py`: its last words are Asterisk's own."""


def look(settings: Settings) -> Iterator[Finding]:
    """What must be there before anything can run."""
    yield ok("settings", f"read; state in {settings.paths.var}")
    yield from _user(settings)
    yield _python()
    yield from _programs()
    yield _asterisk()
    yield _configuration(settings)
    yield _certificate(settings)
    yield from _prompts()
    yield from _greeting(settings)
    yield _music()


def look_at_traces(settings: Settings) -> Iterator[Finding]:
    """What running leaves behind, and the clock that dates it."""
    yield from _priority(settings)
    yield from _door(settings)
    yield _recordings(settings)
    yield _vault(settings)
    yield _verified(settings)
    yield _admin_token(settings)
    yield _journal(settings)
    yield _clock()


def _user(settings: Settings) -> Iterator[Finding]:
    """Root may read and write what the gateway's user may not: as root, all may seem well. To anybody else what is well
    may seem wrong."""
    whose, user_id = owner.of(settings.paths.var), os.geteuid()
    if whose is None or whose == user_id:
        return
    user = owner.name(whose)
    remedy = f"ask as that user: {owner.as_user(whose, 'gateway112 doctor')}"
    said = f"you are root, and may read what {user}, whose centre this is, may not"
    if user_id:
        said = f"you are {owner.name(user_id)}, and may not read all that {user}, whose centre this is, may"
    yield warning("user", said, remedy)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return wrong(
            "Python", f"{version} is too old", f"run it with Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer"
        )
    if importlib.util.find_spec("audioop") is None:
        return wrong("Python", f"{version} has no audioop", "`make setup` installs audioop-lts, which brings it back")
    return ok("Python", version)


def _certificate(settings: Settings) -> Finding:
    subject = "SIP over TLS"
    if not settings.sip.has_tls:
        return ok(subject, "off (sip.tls_port is 0)")
    try:
        found = certificates.read(settings.sip)
    except SettingsError as error:
        said, _, remedy = str(error).partition(". Remedy: ")
        return wrong(subject, said.removeprefix("settings: "), remedy.rstrip("."))
    if problem := found.problem(datetime.now(UTC)):
        return warning(subject, problem, "renew it, write it where the old one lies, and restart the gateway")
    return ok(subject, f"port {settings.sip.tls_port}, {found.subject}, until {found.ends_at:%Y-%m-%d}")


def _programs() -> Iterator[Finding]:
    missing = {name: hint for name, hint in PROGRAMS.items() if shutil.which(name) is None}
    if not missing:
        yield ok("programs", ", ".join(PROGRAMS))
    for name, (package, loss) in missing.items():
        yield warning("programs", f"{name} is not on PATH: {loss}", f"apt-get install {package}")


def _asterisk() -> Finding:
    try:
        found = installation.find()
    except installation.NoAsterisk as error:
        return wrong(
            "Asterisk", f"none of version {installation.OLDEST_MAJOR} or newer is here", f"`make setup` ({error})"
        )
    return ok("Asterisk", f"{found.version}, {found.program[-1]}")


def _configuration(settings: Settings) -> Finding:
    subject, etc = "configuration", settings.asterisk_dir / "etc"
    remedy = f"{RESTART_ASTERISK}; it writes it anew"
    wanted = [
        "asterisk.conf",
        "pjsip_wizard.conf",
        "extensions.conf",
        "dialplan",
        "site/pjsip.conf",
        "site/manager-user.conf",
    ]
    wanted += [file.name for file in (PROJECT / "asterisk-config").glob("*.conf")]
    missing = [name for name in wanted if not (etc / name).exists()]
    if len(missing) == len(wanted):
        return wrong(subject, f"{etc} is not prepared", remedy)
    if missing:
        return wrong(subject, f"{etc} lacks {', '.join(sorted(missing))}", remedy)
    secret = settings.asterisk_dir / "ami-secret"
    if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
        return warning(subject, f"others can read {secret}", f"chmod 600 {secret}, and let Asterisk have a new one")
    return ok(subject, str(etc))


def _prompts() -> Iterator[Finding]:
    for language, level, loss in (("id", wrong, "callers hear silence"), ("en", warning, "there is no English")):
        texts = sorted(path.stem for path in (PROJECT / "dialplan/prompts" / language).glob("*.txt"))
        folder = PROJECT / "var/prompts" / language
        spoken = {path.stem for path in folder.glob("*.*") if path.stat().st_size}
        subject = f"prompts ({language})"
        if missing := [name for name in texts if name not in spoken]:
            yield level(subject, f"not in {folder}: {', '.join(missing)}; {loss}", "`make setup` speaks them")
        else:
            yield ok(subject, f"{len(texts)} in {folder}")


def _greeting(settings: Settings) -> Iterator[Finding]:
    """What is wrong with it; nothing where it is spoken, or there is to be none."""
    try:
        site.refuse_unspoken(settings.call.greeting)
    except SettingsError as error:
        said, _, remedy = str(error).partition(". Remedy: ")
        yield wrong("prompts (greeting)", said.removeprefix("settings: "), remedy.rstrip("."))


def _music() -> Finding:
    subject = "prompts (music)"
    named = {path.name for path in (PROJECT / "dialplan/music").glob("*/")}
    folder = PROJECT / "var/music"
    if missing := sorted({*named, music.DEFAULT} - {*music.made(folder)}):
        remedy = "`make setup` makes it; then start Asterisk and the gateway anew"
        return warning(subject, f"not in {folder}: {', '.join(missing)}", remedy)
    return ok(subject, ", ".join(music.classes(folder)))


def _priority(settings: Settings) -> Iterator[Finding]:
    """Whether the Asterisk that runs comes before everybody else; nothing where none does, or in another container."""
    try:
        pid = int((settings.asterisk_dir / "run/asterisk.pid").read_text(encoding="ascii"))
        if b"asterisk" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        if priority.comes_first(pid):
            yield ok("priority", "Asterisk comes before everybody else, and each call in its turn")
        else:
            yield warning("priority", priority.ORDINARY, priority.REMEDY.format(pid=pid))
    except (OSError, ValueError):
        return


def _door(settings: Settings) -> Iterator[Finding]:
    """Who was turned away at the SIP door lately, being no trunk and no phone: perhaps a carrier whose address stands
    in no trunk. Nothing where nobody was."""
    since = datetime.now(UTC) - DOOR_SINCE
    counts: dict[str, int] = {}
    try:
        with open(settings.asterisk_dir / "log/security", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - DOOR_BYTES))
            for line in file.read(DOOR_BYTES).decode(errors="replace").splitlines():
                found = _TURNED_AWAY.search(line)
                if found and datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S.%f%z") >= since:
                    # the newest last
                    counts[found[2]] = counts.pop(found[2], 0) + 1
    except (OSError, ValueError):
        return
    if counts:
        newest = [f"{address} ({count} times)" for address, count in reversed(counts.items())]
        more = f" and {len(newest) - DOOR_NAMED} more addresses" if len(newest) > DOOR_NAMED else ""
        yield Finding(
            "SIP door",
            Level.OK,
            f"turned away in the last hour, as no trunk's: {', '.join(newest[:DOOR_NAMED])}{more}",
            "where one of those addresses is a carrier's, its calls do not come in: `gateway112 trunk add NAME CARRIER "
            "ADDRESS`, which lifts its ban, too; all others are to stay outside",
        )


def _recordings(settings: Settings) -> Finding:
    folder = settings.paths.recordings
    if not folder.is_dir():
        return wrong("recordings", f"{folder} is not there", f"{RESTART_ASTERISK}; it makes it")
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong(
            "recordings", f"{folder} cannot be written to", f"give it to this user: chown {os.getuid()} {folder}"
        )
    free_bytes = shutil.disk_usage(folder).free
    said = f"{folder}, {free_bytes / 1e9:.1f} GB free: {free_bytes // BYTES_AN_HOUR} hours of calls"
    remedy = "free some space, or put paths.recordings on a larger disk"
    if free_bytes < NO_SPACE_BYTES:
        return wrong("recordings", said, remedy)
    return warning("recordings", said, remedy) if free_bytes < LITTLE_SPACE_BYTES else ok("recordings", said)


def _vault(settings: Settings) -> Finding:
    """Whether the vault's keys are there and can be used, and whether others can read them. `vault verify` looks at the
    recordings."""
    subject, signing = "vault", SigningKey(settings.vault_dir)
    secrets = [path for path in (signing.private_file, settings.vault_dir / "ring.json") if path.exists()]
    try:
        signing.check()
        KeyRing(settings.vault_dir).check()
    except KeyMissing as error:
        said, _, remedy = str(error).partition(". Remedy: ")
        return wrong(subject, said, remedy)
    if readable := [str(path) for path in secrets if stat.S_IMODE(path.stat().st_mode) & 0o077]:
        return warning(subject, f"others can read {', '.join(readable)}", f"chmod 600 {' '.join(readable)}")
    if not secrets:
        return ok(subject, "no key yet: it is made with the first recording")
    encrypted = "encrypted from now on" if settings.vault.encrypt else "not encrypted"
    return ok(subject, f"signed with the key in {settings.vault_dir}; {encrypted}")


def _verified(settings: Settings) -> Finding:
    """What the nightly looks at the recordings came to, as the worker left it."""
    subject, hour = "vault verified", settings.vault.verify_at_hour
    if not settings.vault.verifies:
        return ok(subject, "by hand alone (vault.verify_at_hour is -1)")
    stands = looks.verification(settings)
    if stands is None:
        return ok(subject, f"not yet: each night from {hour:02}:00 on, once the gateway runs")
    if stands.findings:
        said = f"{stands.findings} findings, the first: {stands.first[0] if stands.first else 'not named'}"
        remedy = "`gateway112 vault verify` names each: ask who was there, and put back what the backup has"
        return wrong(subject, said, remedy)
    if stands.is_overdue(datetime.now(UTC)):
        said = f"not since {stands.waited_since:%Y-%m-%d %H:%M} UTC: {stands.why_overdue}"
        return warning(subject, said, "is the gateway running at night? Or verify now: `gateway112 vault verify`")
    if stands.at is None:
        return ok(subject, f"not yet: each night from {hour:02}:00 on")
    looked = f"{stands.days} days, {stands.recordings} recordings read whole"
    return ok(subject, f"{stands.at:%Y-%m-%d %H:%M} UTC: nothing found in {looked}")


def _admin_token(settings: Settings) -> Finding:
    """The admin's own token is for ever, since whoever mends a centre must get in: so its age is told."""
    subject, file = "admin's token", settings.paths.var / "admin-token"
    if not file.exists():
        return ok(subject, "none yet: the gateway makes it when it starts")
    if not os.access(file, os.R_OK):
        remedy = f"run the gateway as its owner, or give it to this user: chown {os.getuid()} {file}"
        return wrong(subject, f"{file} cannot be read", remedy)
    state = file.stat()
    if stat.S_IMODE(state.st_mode) & 0o077:
        return warning(subject, f"others can read {file}", f"chmod 600 {file}")
    days = max(0, int(time.time() - state.st_mtime) // 86_400)
    said = f"{file}, {days} days old"
    if days <= OLD_TOKEN_DAYS:
        return ok(subject, said)
    return warning(subject, said, f"remove {file} and restart the gateway, which makes another; calls go on")


def _journal(settings: Settings) -> Finding:
    """Whether the journal can be written and goes with the calls: where a call was recorded, it must have grown."""
    folder, file = settings.journal_dir, settings.journal_dir / "journal.csv"
    if not folder.is_dir():
        return wrong("journal", f"its folder {folder} is not there", f"{RESTART_ASTERISK}; it makes it")
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong("journal", f"{folder} cannot be written to", f"give it to this user: chown {os.getuid()} {folder}")
    newest_call = _newest(settings.paths.recordings)
    remedy = "is cel_custom loaded, is the disk full? See var/asterisk/log/messages; restart Asterisk"
    if not file.exists():
        if newest_call is None:
            return ok("journal", "no call yet: it begins with the first one")
        return wrong("journal", f"calls were recorded, and there is no journal {file}", remedy)
    written_at = file.stat().st_mtime
    if newest_call is not None and newest_call - written_at > JOURNAL_BEHIND_S:
        said = f"a call began {newest_call - written_at:.0f} s after the last record in {file}"
        return wrong("journal", said, remedy)
    ago_s = max(0.0, time.time() - written_at)
    return ok("journal", f"{file.stat().st_size / 1e3:.0f} kB, last written {ago_s:.0f} s ago")


def _newest(recordings: Path) -> float | None:
    """When the newest recorded call began: its id in the file's name tells (a long call's file is written to for as
    long as it lasts). Only the newest day's folder is looked at."""
    folder = recordings
    for _ in ("year", "month", "day"):
        folders = sorted(path for path in folder.glob("[0-9]*") if path.is_dir())
        if not folders:
            return None
        folder = folders[-1]
    # what is sealed has a manifest of that name
    begun = (re.search(r"-(\d+)\.\d+$", path.stem) for path in folder.iterdir() if path.suffix in (".raw", ".json"))
    return max((float(found[1]) for found in begun if found), default=None)


def _clock() -> Finding:
    """Whether the clock is kept in step, where this machine can say so (systemd's timedatectl)."""
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said == "no":
        return warning(
            "clock", "it is not kept in step with the world's", "install chrony: times of calls are evidence"
        )
    return ok("clock", "in step with the world's" if said == "yes" else "this machine cannot tell")
