"""What Asterisk says of itself: login, modules, the queue and its members, their phones.

Counterpart: `hotline.py` carries the questions. What should be there is read from `asterisk-config/modules.conf`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from gateway.asterisk import site
from gateway.doctor.finding import Finding, ok, warning, wrong
from gateway.doctor.hotline import Hotline, HotlineDead, Refused
from gateway.remedies import START_ASTERISK
from gateway.settings import PROJECT, Settings

ANSWER_S = 3.0

MANAGER, MODULES, QUEUE, PHONES = "Asterisk's manager", "modules", "queue", "phones"

_FREE, _GONE = {"1", "2", "3", "6", "7", "8"}, {"4", "5"}
"""QueueMember's Status: free, in use, busy, ringing, on hold are phones that are there; 4 is invalid, 5 unavailable."""


def look(settings: Settings) -> Iterator[Finding]:
    """The findings of one talk with Asterisk. Where it cannot be had, that is the one finding."""
    ami = settings.ami
    secret_file = settings.asterisk_dir / "ami-secret"
    try:
        secret = secret_file.read_text().strip()
    except OSError as error:
        yield wrong(
            MANAGER,
            f"its password {secret_file} cannot be read: {error.strerror}",
            f"{START_ASTERISK}; it makes it, as the user that the gateway runs as",
        )
        return
    try:
        with Hotline(ami.host, ami.port, ANSWER_S) as line:
            login = _log_in(line, secret)
            yield login
            if not login.is_wrong:
                yield _modules(line)
                yield from _queue(line, site.own_queues(settings))
    except HotlineDead as error:
        yield wrong(
            MANAGER,
            str(error),
            f"{START_ASTERISK}; if it runs, compare ami.port "
            f"({ami.port}) with `gateway112 console manager show settings`, and read var/asterisk/log/messages",
        )


def _log_in(line: Hotline, secret: str) -> Finding:
    try:
        line.ask("Login", Username=site.AMI_USER, Secret=secret, Events="off")
        version = line.ask("CoreSettings").get("AsteriskVersion", "?")
        calls = line.ask("CoreStatus").get("CoreCurrentCalls", "?")
    except Refused as refusal:
        return wrong(
            MANAGER,
            f"the login as {site.AMI_USER} is refused: {refusal}",
            "Asterisk runs with another password than var/asterisk/ami-secret: restart Asterisk, which reads it anew "
            "(`gateway112 console manager reload` does too)",
        )
    return ok(MANAGER, f"logged in; Asterisk {version}, {calls} calls now")


def _modules(line: Hotline) -> Finding:
    required, others = modules_of((PROJECT / "asterisk-config/modules.conf").read_text(encoding="utf-8"))
    lost = [name for name in required if not _is_loaded(line, name)]
    absent = [name for name in others if not _is_loaded(line, name)]
    if lost:
        return wrong(
            MODULES,
            f"not loaded, though 112 cannot work without: {', '.join(lost)}",
            "look for their names in var/asterisk/log/messages, and restart Asterisk",
        )
    if absent:
        return warning(
            MODULES,
            f"all {len(required)} that 112 needs are loaded; of the others these are not: {', '.join(absent)}",
            "nothing, unless a carrier needs one of them; this Asterisk may be built without",
        )
    return ok(MODULES, f"all {len(required) + len(others)} are loaded")


def modules_of(text: str) -> tuple[list[str], list[str]]:
    """The modules that modules.conf requires, and those that it only loads. Pure."""
    found = re.findall(r"^(require|load)\s*=>?\s*([\w.]+)", text, re.MULTILINE)
    return [name for kind, name in found if kind == "require"], [name for kind, name in found if kind == "load"]


def _is_loaded(line: Hotline, name: str) -> bool:
    try:
        line.ask("ModuleCheck", Module=name)
    except Refused:
        return False
    return True


def _queue(line: Hotline, names: Sequence[str]) -> Iterator[Finding]:
    """The centre's own queue; where that is not there, the next of `names` that is: calls wait there."""
    for name in names:
        subject = f"{QUEUE} {name}"
        try:
            status = line.ask_list("QueueStatus", Queue=name)
        except Refused as refusal:
            yield wrong(subject, f"Asterisk refuses to tell: {refusal}", "read var/asterisk/log/messages")
            return
        if any(event == "QueueParams" for event, _ in status):
            break
    else:
        yield wrong(
            f"{QUEUE} {names[0]}",
            "Asterisk has no such queue: callers go to the fallback",
            "start the gateway, which makes the first one; where there are others, correct call.queue in gateway.toml, "
            f"or make it: `gateway112 queue add {names[0]}`",
        )
        return
    if name != names[0]:
        yield wrong(
            f"{QUEUE} {names[0]}",
            f"Asterisk has no such queue: calls wait in {name} meanwhile",
            "correct call.queue in gateway.toml and start Asterisk and the gateway again, or make that queue: "
            f"`gateway112 queue add {names[0]}`",
        )
    members = [headers for event, headers in status if event == "QueueMember"]
    yield _members(subject, members)
    yield _phones(members)


def _members(subject: str, members: list[Mapping[str, str]]) -> Finding:
    there = [member for member in members if member.get("Status") in _FREE and member.get("Paused") != "1"]
    if not members:
        return warning(
            subject,
            "nobody is in it: every caller goes to the fallback",
            "roster somebody, or give a phone a place at any hour: `gateway112 operator add NAME PHONE --queue QUEUE`",
        )
    if not there:
        return warning(
            subject,
            f"of {len(members)} members none can be rung: every caller goes to the fallback",
            "register the phones, or end the pauses (`*47` on the phone, or `gateway112 operator resume PHONE`)",
        )
    return ok(subject, f"{len(there)} of {len(members)} members can be rung or are talking")


def _phones(members: list[Mapping[str, str]]) -> Finding:
    """The members' phones, as Asterisk's own device states tell: an unregistered phone is unavailable."""
    names = {member.get("Location", "?").removeprefix("PJSIP/"): member.get("Status", "") for member in members}
    gone = sorted(name for name, status in names.items() if status in _GONE)
    if not names:
        return ok(PHONES, "none is in the queue")
    if gone:
        return warning(
            PHONES,
            f"{len(names) - len(gone)} of {len(names)} can be reached; not: {', '.join(gone)}",
            "switch them on; their user name is their number, their password was shown when the operator was created",
        )
    return ok(PHONES, f"all {len(names)} can be reached")
