"""No value from a caller reaches a shell, a file's name, AMI, the dialplan, SQL or a page as more than text: callers
whose every header holds what would do harm, at a real centre."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.calls.knocks import a_knocker, status
from tests.calls.test_stories import since
from tests.calls.torture import SDP
from tests.centre import Json, RealCentre
from tests.sip import TELKOMSEL

pytestmark = pytest.mark.asterisk

MARK = "pwned112"
HARM = {
    "a shell": f"$(touch {MARK});`touch {MARK}`|touch {MARK}&touch {MARK}",
    "a file's name": f"../../../../../../tmp/{MARK}",
    "a folder": f"/tmp/{MARK}/\\..\\..",
    "AMI": f"x\r\n Action: Command\r\n Command: dialplan set global {MARK} 1\r\n\r\n ",
    "AMI, written": f"x%0d%0aAction: Command%0d%0aCommand: dialplan set global {MARK} 1%0d%0a%0d%0a",
    "the dialplan": f"${{GLOBAL({MARK})}}$[1+1]${{SHELL(touch {MARK})}}${{DB(gateway112/login/1001)}}",
    "an application's options": f"1,g,M({MARK})^x|A(x),b(emergency^112^1)U({MARK})",
    "the journal": f"a&caller=110&trunk=telkom&status=ANSWER\nCEL1,1,HANGUP,,{MARK}",
    "SQL": f"'; UPDATE calls SET outcome='{MARK}'; DROP TABLE calls; --",  # noqa: S608  # this is what it is about
    "a formula": f'=HYPERLINK("http://x/{MARK}";"112")+cmd|\' /C calc\'!A0',
    "a page": f"</td><script>{MARK}()</script><img src=x onerror={MARK}()>",
    "a terminal": f"\x1b]0;{MARK}\x07\x1b[2J\x9b31m",
    "a log": f"x\n[2026-11-26 00:00:00.000] ERROR[1] {MARK}: all is lost",
    "JSON": f'","outcome":"{MARK}","x":"\\u0000\\',
    "a format": f"%s%n%x%p{{0.__class__}}{MARK}",
}


def user(text: str) -> str:
    """The text as the user of a SIP address (RFC 3261, 19.1.2)."""
    return "".join(sign if sign.isalnum() else f"%{sign.encode()[0]:02x}" for sign in text if sign.isascii())


def quoted(text: str) -> str:
    """The text as a quoted string (RFC 3261, 25.1)."""
    return re.sub(r'(["\\])', r"\\\1", text).replace("\n", " ").replace("\r", " ")


@pytest.fixture(scope="module")
def harmed(running_centre: RealCentre) -> list[Json]:
    """The calls of all of them, once they have ended."""

    async def calls() -> list[Json]:
        await running_centre.ready()
        async with running_centre.api() as api:
            mark = await since(api)
            for harm in HARM.values():
                await calls_with(running_centre, harm)
            return await api.ended_calls(len(HARM), after=mark)

    return asyncio.run(calls())


async def calls_with(centre: RealCentre, harm: str) -> None:
    """A call that says so wherever a caller can say something; it is cancelled by hanging everything up."""
    async with a_knocker(centre.sip_port, TELKOMSEL) as carrier:
        text = quoted(harm)
        headers = (
            f'P-Asserted-Identity: "{text}" <sip:{user(harm)}@{TELKOMSEL}>',
            f'Diversion: "{text}" <sip:{user(harm)}@{TELKOMSEL}>;reason="{text}"',
            f'P-Access-Network-Info: 3GPP;cell="{text}"',
            f"Geolocation: <https://x/{user(harm)}>",
            f"Subject: {text}",
            f"User-Agent: {text}",
            "Content-Type: application/sdp",
        )
        body = SDP.replace("@HOST@", TELKOMSEL).replace("s=-", f"s={text}").replace("\n", "\r\n")
        invite = carrier.request("INVITE", user(harm), to=user(harm), headers=headers, body=body)
        invite = invite.replace(b"From: <", f'From: "{text}" <'.encode())
        assert status(await carrier.asked(invite)) == "200", harm
    centre.cli("channel request hangup all")


def test_each_of_them_is_a_call_like_any_other(harmed: list[Json]) -> None:
    assert len(harmed) == len(HARM)
    assert {call["trunk"] for call in harmed} == {"telkomsel"}
    assert MARK not in {call["outcome"] for call in harmed}
    for call in harmed:
        # of a number without a digit or a letter Asterisk's own reading is kept, which runs nothing
        caller = call["caller"] or ""
        assert re.fullmatch(r"[+0-9A-Za-z*#._-]{0,64}", caller) or not re.search("[0-9A-Za-z]", caller), caller
        assert re.fullmatch(r"[+0-9A-Za-z*#._:-]{0,80}", call["dialled"] or ""), call["dialled"]


def test_none_reaches_a_shell_or_a_files_name(running_centre: RealCentre, harmed: list[Json]) -> None:
    assert not Path(f"/tmp/{MARK}").exists()
    for place in (running_centre.folder, Path.cwd()):
        assert not list(place.glob(f"**/*{MARK}*"))
    recorded = [file.name for file in running_centre.settings.paths.recordings.rglob("*") if file.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in recorded)
    spooled = [file for file in (running_centre.settings.asterisk_dir / "spool").rglob("*") if file.is_file()]
    assert not spooled


def test_what_callers_say_is_for_no_other_user_of_the_machine(running_centre: RealCentre, harmed: list[Json]) -> None:
    recordings = running_centre.settings.paths.recordings
    there = [recordings, *recordings.rglob("*")]
    assert [file.name for file in there if file.suffix == ".raw"]
    assert not [file for file in there if file.stat().st_mode & 0o027]


def test_none_reaches_ami_or_is_run_by_the_dialplan(running_centre: RealCentre, harmed: list[Json]) -> None:
    assert MARK not in running_centre.cli("dialplan show globals")
    assert MARK not in running_centre.cli("database show")
    assert "0 active channels" in running_centre.cli("core show channels")
    [told] = [call["caller_name"] for call in harmed if call["caller_name"].startswith("${GLOBAL")]
    assert told.startswith(f"${{GLOBAL({MARK})}}$[1+1]${{SHELL(")


async def test_none_is_another_record_of_the_journal_or_of_the_database(
    running_centre: RealCentre, harmed: list[Json]
) -> None:
    async with running_centre.api() as api:
        async with api.session.get("/metrics") as response:
            metrics = await response.text()
        assert "gateway112_set_aside_records_total 0.0" in metrics
        assert len(await api.calls()) >= len(harmed)
    lines = (running_centre.settings.journal_dir / "journal.csv").read_text(errors="replace").splitlines()
    assert all(line.startswith("CEL1,") for line in lines)
    log = (running_centre.settings.asterisk_dir / "log/messages").read_text(errors="replace")
    assert not re.search(rf"^\[2026-11-26 00:00:00\.000\] ERROR\[1\] {MARK}", log, re.MULTILINE)


async def test_none_is_more_than_text_on_a_page(running_centre: RealCentre, harmed: list[Json]) -> None:
    async with running_centre.api() as api:
        for path in ("/v1/reports/monthly", "/board"):
            async with api.session.get(path, headers={"Accept": "text/html"}) as response:
                assert response.status == 200
                assert f"{MARK}()" not in await response.text()
