"""The doctor on a centre that is down, on one whose manager misbehaves, and on a whole one."""

import asyncio
import io
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from gateway import doctor
from gateway.asterisk import priority, site
from gateway.doctor import alive, machine, manager
from gateway.doctor.finding import Finding, Level
from gateway.doctor.hotline import Hotline, HotlineDead
from gateway.domain.evidence import Verification
from gateway.settings import Settings, VaultSettings, load
from gateway.vault.keys import KeyRing, SigningKey
from gateway.vault.looks import Looks
from tests.asterisk.scripted_peer import ScriptedPeer, response
from tests.centre import RealCentre


def shown(findings: list[Finding]) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(doctor.render(findings))
    return out.getvalue()


def about(findings: list[Finding], subject: str) -> Finding:
    [finding] = [each for each in findings if each.subject == subject]
    return finding


# ---------------------------------------------------------------- everything down


def turned_away(address: str, at: datetime, call_id: str = "1-4605@127.0.0.77") -> str:
    return (
        f'[{at:%F %T}.440] SECURITY[29044] res_security_log.c: SecurityEvent="ChallengeSent",EventTV="{at:%FT%T}'
        f'.439+0000",Severity="Informational",Service="PJSIP",EventVersion="1",AccountID="<unknown>",'
        f'SessionID="{call_id}",LocalAddress="IPV4/UDP/127.0.0.1/5060",RemoteAddress="IPV4/UDP/{address}/5060",'
        f'Challenge=""\n'
    )


def test_a_carrier_whose_address_is_no_trunks_is_found_among_those_who_were_turned_away(nowhere: Settings) -> None:
    log, now = nowhere.asterisk_dir / "log/security", datetime.now(UTC)
    log.parent.mkdir(parents=True)
    forged = '",RemoteAddress="IPV4/UDP/198.51.100.9/5060"'
    lines = [
        turned_away("203.0.113.1", now - timedelta(hours=2)),
        turned_away("203.0.113.7", now),
        turned_away("203.0.113.7", now, forged),
        turned_away("203.0.113.8", now),
    ]
    log.write_text("".join(lines))
    finding = about([*machine.look_at_traces(nowhere)], "SIP door")
    assert "203.0.113.8 (1 times), 203.0.113.7 (2 times)" in finding.said
    assert "198.51" not in finding.said
    assert "203.0.113.1 " not in finding.said
    assert "gateway112 trunk add" in finding.remedy
    assert finding.level is Level.OK
    log.unlink()
    assert "SIP door" not in [each.subject for each in machine.look_at_traces(nowhere)]


def test_of_a_centre_that_never_ran_each_part_is_told_with_its_remedy_and_nothing_is_changed(nowhere: Settings) -> None:
    findings = doctor.examine(nowhere)
    wrong = [finding.subject for finding in findings if finding.is_wrong]
    assert [name for name in wrong if not name.startswith(("Asterisk", "prompts"))] == [
        "configuration",
        "SIP",
        "recordings",
        "journal",
        "API",
    ]
    assert manager.MANAGER in wrong
    assert all(finding.remedy for finding in findings if finding.level is not Level.OK)
    assert list(nowhere.paths.var.parent.iterdir()) == [nowhere.paths.var.parent / "gateway.toml"]


def test_the_table_fits_a_log_and_says_it_in_words(nowhere: Settings) -> None:
    text = shown(doctor.examine(nowhere))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "What to do, in this order:" in text
    assert "WRONG" in text
    assert "Traceback" not in text
    assert "\x1b" not in text


def test_a_port_that_another_program_holds_is_told_from_one_where_nobody_listens(nowhere: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind((nowhere.sip.host, nowhere.sip.port))
        finding = about(doctor.examine(nowhere), "SIP")
    assert finding.is_wrong
    assert "a program holds" in finding.said


def test_a_database_url_that_leads_nowhere_is_told_without_its_password(nowhere: Settings, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[database]\nurl = "postgresql://gateway:geheim@127.0.0.1:1/calls"\n')
    finding = about(doctor.examine(load(file, {})), "database")
    assert finding.is_wrong
    assert "127.0.0.1:1/calls" in finding.said
    assert "geheim" not in shown([finding])


def test_a_signing_key_that_was_lost_or_is_open_to_others_is_told(nowhere: Settings) -> None:
    key = SigningKey(nowhere.vault_dir)
    assert "no key yet" in about(doctor.examine(nowhere), "vault").said
    key.public_pem()
    assert about(doctor.examine(nowhere), "vault").level is Level.OK
    key.private_file.chmod(0o644)
    assert about(doctor.examine(nowhere), "vault").remedy == f"chmod 600 {key.private_file}"
    key.private_file.unlink()
    assert "but its public half is" in wrong_of(nowhere)


def wrong_of(settings: Settings) -> str:
    finding = about(list(machine.look_at_traces(settings)), "vault")
    assert finding.is_wrong
    assert finding.remedy
    return finding.said


def test_a_key_ring_that_cannot_be_used_is_told(nowhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would hear what is encrypted, and nothing more would be sealed."""
    SigningKey(nowhere.vault_dir).public_pem()
    ring = nowhere.vault_dir / "ring.json"
    KeyRing(nowhere.vault_dir).newest(datetime.now(UTC))
    assert about(list(machine.look_at_traces(nowhere)), "vault").level is Level.OK
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path == ring:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        assert wrong_of(nowhere) == f"the key ring {ring} cannot be read: Permission denied"
    whole = ring.read_bytes()
    ring.write_text("{}\n")
    assert wrong_of(nowhere) == f"{ring} is no key ring"
    ring.write_bytes(whole)
    ring.unlink()
    assert wrong_of(nowhere) == f"the key ring {ring} is not there, and was"
    assert not ring.exists()


def test_what_the_nightly_looks_at_the_recordings_came_to_is_told(nowhere: Settings) -> None:
    now = datetime.now(UTC)
    kept, stands = Looks(nowhere.vault_dir), Verification(since=now)
    assert "not yet" in about(doctor.examine(nowhere), "vault verified").said
    for told, level, said in (
        (stands, Level.OK, "not yet: each night from 03:00 on"),
        (replace(stands, at=now, days=3, recordings=9), Level.OK, "nothing found in 3 days, 9 recordings read whole"),
        (replace(stands, since=now - timedelta(days=3)), Level.WARNING, "it was not begun"),
        (replace(stands, at=now, findings=2, first=("a.ogg: changed: why",)), Level.WRONG, "a.ogg: changed: why"),
    ):
        kept.sum_up(told)
        finding = about(doctor.examine(nowhere), "vault verified")
        assert (finding.level, said in finding.said) == (level, True), finding
    off = nowhere.model_copy(update={"vault": VaultSettings(verify_at_hour=-1)})
    assert "by hand alone" in about(doctor.examine(off), "vault verified").said


def test_whether_asterisk_comes_first_is_told_of_the_one_that_runs_here(nowhere: Settings) -> None:
    def told() -> list[Finding]:
        return [each for each in machine.look_at_traces(nowhere) if each.subject == "priority"]

    run = nowhere.asterisk_dir / "run"
    run.mkdir(parents=True)
    (run / "asterisk.pid").write_text("2\n")  # of another container
    assert told() == []
    with subprocess.Popen(["bash", "-c", "exec -a asterisk sleep 30"]) as running:
        (run / "asterisk.pid").write_text(f"{running.pid}\n")
        while b"asterisk\0" not in Path(f"/proc/{running.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        [finding] = told()
        assert (finding.level, finding.remedy) == (Level.WARNING, priority.REMEDY.format(pid=running.pid))
        if os.geteuid() == 0:
            os.sched_setscheduler(running.pid, os.SCHED_RR, os.sched_param(1))
            assert [each.level for each in told()] == [Level.OK]
        running.kill()
    assert told() == []


def test_an_admins_token_tells_its_age_and_that_it_is_old_open_to_others_or_cannot_be_read(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> Finding:
        return about(list(machine.look_at_traces(nowhere)), "admin's token")

    assert (told().level, told().remedy) == (Level.OK, "")
    file = nowhere.paths.var / "admin-token"
    site.kept_secret(file)
    assert told().said.endswith("0 days old")
    last_year = time.time() - 400 * 86_400
    os.utime(file, (last_year, last_year))
    assert (told().level, "400 days old" in told().said) == (Level.WARNING, True)
    file.chmod(0o644)
    assert told().remedy == f"chmod 600 {file}"
    monkeypatch.setattr(os, "access", lambda path, mode: path != file)
    assert (told().is_wrong, told().said) == (True, f"{file} cannot be read")


def test_music_that_was_made_of_every_folder_is_well_and_what_was_not_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PROJECT", tmp_path)
    for name in ("default", "ringing"):
        (tmp_path / "dialplan/music" / name).mkdir(parents=True)
        (tmp_path / "var/music" / name).mkdir(parents=True)
        (tmp_path / "var/music" / name / "1.sln16").touch()
    assert machine._music() == Finding("prompts (music)", Level.OK, "default")
    (tmp_path / "dialplan/music/gamelan").mkdir()
    assert machine._music().said == f"not in {tmp_path / 'var/music'}: gamelan"


def recorded(settings: Settings, began_at: int) -> Path:
    """A recording of a call that began then."""
    folder = settings.paths.recordings / "2026/11/24"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"112-{began_at}.7.raw"
    file.write_bytes(b"\0" * 32000)
    return file


def test_a_journal_that_stands_still_while_calls_are_recorded_is_wrong_and_one_long_call_is_not(
    nowhere: Settings,
) -> None:
    nowhere.journal_dir.mkdir(parents=True)
    journal = nowhere.journal_dir / "journal.csv"
    journal.write_text("CEL1,…\n")
    os.utime(journal, (1_000_000, 1_000_000))
    recorded(nowhere, 999_990)  # still being written to, an hour later
    assert not about(doctor.examine(nowhere), "journal").is_wrong
    recorded(nowhere, 1_000_300)
    finding = about(doctor.examine(nowhere), "journal")
    assert finding.is_wrong
    assert "300 s after the last record" in finding.said


def test_calls_that_were_recorded_without_any_journal_are_wrong(nowhere: Settings) -> None:
    nowhere.journal_dir.mkdir(parents=True)
    assert not about(doctor.examine(nowhere), "journal").is_wrong
    recorded(nowhere, 1_000_300)
    finding = about(doctor.examine(nowhere), "journal")
    assert finding.is_wrong
    assert "there is no journal" in finding.said


# ---------------------------------------------------------------- a manager from a script


@pytest.fixture
async def peer() -> AsyncIterator[ScriptedPeer]:
    async with ScriptedPeer() as peer:
        yield peer


async def talked(nowhere: Settings, peer: ScriptedPeer, secret: str | None = None) -> list[Finding]:
    """What the doctor finds at the scripted manager. No thread is left."""
    settings = nowhere.model_copy(update={"ami": nowhere.ami.model_copy(update={"port": peer.port})})
    settings.asterisk_dir.mkdir(parents=True, exist_ok=True)
    site.write_private(settings.asterisk_dir / "ami-secret", (secret or peer.secret) + "\n")
    before = threading.active_count()
    found = await asyncio.to_thread(lambda: list(manager.look(settings)))
    assert threading.active_count() <= before + 1  # asyncio keeps the thread that we lent
    return found


async def test_a_wrong_password_is_told_with_asterisks_words_and_nothing_more_is_asked(
    nowhere: Settings, peer: ScriptedPeer
) -> None:
    [finding] = await talked(nowhere, peer, secret="old")
    assert finding.is_wrong
    assert "Authentication failed" in finding.said
    assert "restart Asterisk" in finding.remedy
    assert [action["Action"] for action in peer.actions] == [["Login"]]


async def test_a_manager_that_takes_everything_and_says_nothing_is_given_up(
    nowhere: Settings, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "ANSWER_S", 0.3)
    peer.is_mute = True
    [finding] = await talked(nowhere, peer)
    assert finding.is_wrong
    assert "Login" in finding.said


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\xff\xfe\r\n"])
async def test_what_is_no_manager_is_told_so(nowhere: Settings, peer: ScriptedPeer, banner: bytes) -> None:
    peer.banner = banner
    [finding] = await talked(nowhere, peer)
    assert finding.is_wrong
    assert "not Asterisk's manager" in finding.said


async def test_modules_and_queue_that_are_missing_are_wrong(nowhere: Settings, peer: ScriptedPeer) -> None:
    absent = {"app_queue.so", "codec_opus_open_source.so"}

    def check(action: dict[str, list[str]]) -> bytes:
        is_there = action["Module"][0] not in absent
        return response(action, "Success") if is_there else response(action, "Error", "Message: Module not loaded")

    def no_such_queue(action: dict[str, list[str]]) -> bytes:
        begin = response(action, "Success", "EventList: start")
        return (
            begin
            + f"Event: QueueStatusComplete\r\nActionID: {action['ActionID'][0]}\r\nEventList: Complete\r\n\r\n".encode()
        )

    peer.answers |= {"ModuleCheck": check, "QueueStatus": no_such_queue}
    login, modules, queue = await talked(nowhere, peer)
    assert not login.is_wrong
    assert modules.is_wrong
    assert "app_queue.so" in modules.said
    assert queue.is_wrong
    assert "no such queue" in queue.said


async def test_a_queue_that_was_misspelled_is_wrong_and_the_one_where_calls_wait_is_looked_at(
    nowhere: Settings, peer: ScriptedPeer
) -> None:
    def only_emergency(action: dict[str, list[str]]) -> bytes:
        own = f"ActionID: {action['ActionID'][0]}\r\n"
        there = f"Event: QueueParams\r\n{own}Queue: emergency\r\n\r\n" if action["Queue"] == ["emergency"] else ""
        end = f"Event: QueueStatusComplete\r\n{own}EventList: Complete\r\n\r\n"
        return response(action, "Success", "EventList: start") + (there + end).encode()

    peer.answers["QueueStatus"] = only_emergency
    etc = nowhere.asterisk_dir / "etc/site"
    etc.mkdir(parents=True)
    (etc / "globals.conf").write_text("QUEUE = emergancy\nQUEUE_BEFORE = emergency\n")
    misspelled = nowhere.model_copy(update={"call": nowhere.call.model_copy(update={"queue": "emergancy"})})
    found = await talked(misspelled, peer)
    queue = about(found, "queue emergancy")
    assert (queue.is_wrong, queue.said) == (True, "Asterisk has no such queue: calls wait in emergency meanwhile")
    assert "correct call.queue" in queue.remedy
    assert "nobody is in it" in about(found, "queue emergency").said


async def test_a_value_with_a_line_end_is_refused_and_not_sent(peer: ScriptedPeer) -> None:
    def inject() -> None:
        with Hotline("127.0.0.1", peer.port, 1.0) as line:
            line.ask("QueueStatus", Queue="emergency\r\nAction: Originate")

    with pytest.raises(ValueError, match="control character"):
        await asyncio.to_thread(inject)
    assert peer.actions == []


async def test_a_line_that_breaks_in_the_middle_ends_the_talk(peer: ScriptedPeer) -> None:
    def hang_up(action: dict[str, list[str]]) -> bytes:
        peer.hang_up()
        return b""

    peer.answers["Ping"] = hang_up

    def ask() -> None:
        with Hotline("127.0.0.1", peer.port, 1.0) as line:
            line.ask("Ping")

    with pytest.raises(HotlineDead, match="Ping"):
        await asyncio.to_thread(ask)


def test_modules_conf_is_read_as_required_and_merely_loaded() -> None:
    required, others = manager.modules_of(
        "; load = not.so\nrequire = app_queue.so\nload = codec_gsm.so\n load => x.so\n"
    )
    assert (required, others) == (["app_queue.so"], ["codec_gsm.so"])


# ---------------------------------------------------------------- a whole centre


@pytest.mark.asterisk
async def test_who_asks_only_whether_it_lives_is_told(centre: RealCentre, nowhere: Settings) -> None:
    assert await asyncio.to_thread(alive.is_alive, centre.settings)
    assert not alive.is_alive(nowhere)


@pytest.mark.asterisk
async def test_a_whole_centre_has_nothing_wrong_and_lacks_only_operators(centre: RealCentre) -> None:
    findings = await asyncio.to_thread(doctor.examine, centre.settings)
    assert [finding for finding in findings if finding.is_wrong] == []
    assert "logged in; Asterisk" in about(findings, manager.MANAGER).said
    assert about(findings, manager.MODULES).level is Level.OK
    assert "nobody is in it" in about(findings, "queue emergency").said
    assert about(findings, "database").level is Level.OK


@pytest.mark.asterisk
async def test_a_phone_that_is_switched_off_is_named(centre: RealCentre) -> None:
    async with centre.api() as api:
        await api.operator("1001", None)
        try:
            findings = await asyncio.to_thread(doctor.examine, centre.settings)
        finally:
            await api.retire_everybody()
    assert "none can be rung" in about(findings, "queue emergency").said
    assert "not: 1001" in about(findings, manager.PHONES).said
