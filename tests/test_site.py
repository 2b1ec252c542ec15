"""Asterisk's configuration folder: links to what an engineer edits, secrets for nobody else's eyes."""

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.asterisk import installation, music, sections, site
from gateway.doctor import machine
from gateway.settings import PROJECT, Settings, SettingsError, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "gateway.toml").write_text("[sip]\nport = 5999\n")
    return load(tmp_path / "gateway.toml", {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_include_of_a_site_file_is_written(settings: Settings) -> None:
    etc = site.prepare(settings, installation.find())
    included = {
        line.split('"')[1]
        for file in [*(PROJECT / "asterisk-config").glob("*.conf"), PROJECT / "dialplan/extensions.conf"]
        for line in file.read_text().splitlines()
        if line.startswith("#include")
    }
    assert len(included) > 6
    for name in included:
        assert (etc / name).is_file(), name
    assert "5999" in (etc / "site/pjsip.conf").read_text()


def test_secrets_are_made_once_and_for_this_user_alone(settings: Settings) -> None:
    found = installation.find()
    etc = site.prepare(settings, found)
    secret = site.ami_secret(settings)
    site.prepare(settings, found)
    assert site.ami_secret(settings) == secret
    assert secret in (etc / "site/manager-user.conf").read_text()
    for file in (etc / "site/manager-user.conf", settings.asterisk_dir / "ami-secret", etc / "pjsip_wizard.conf"):
        assert mode(file) == 0o600
    assert mode(settings.asterisk_dir) == 0o700


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "calendar-secret").touch()
    assert len(site.kept_secret(tmp_path / "calendar-secret")) > 30


def test_phones_stay_when_the_folder_is_prepared_again(settings: Settings) -> None:
    etc = site.prepare(settings, installation.find())
    own = "[1001](phone)\ninbound_auth/username = 1001\n"
    (etc / "pjsip_wizard.conf").write_text(f";! made by Asterisk\n[carrier](!)\nold = template\n{own}")
    site.prepare(settings, installation.find())
    text = (etc / "pjsip_wizard.conf").read_text()
    assert text.endswith(own)
    assert "old = template" not in text
    assert "[carrier](!)" in text
    site.prepare(settings, installation.find())
    assert (etc / "pjsip_wizard.conf").read_text() == text


def test_no_secret_is_in_what_git_keeps() -> None:
    for folder in ("asterisk-config", "dialplan"):
        for file in (PROJECT / folder).rglob("*.conf"):
            assert "secret =" not in file.read_text()


def test_before_the_first_gateway_the_four_carriers_the_queue_and_the_probe_stand_ready(settings: Settings) -> None:
    etc = site.prepare(settings, installation.find())
    lines = (etc / "pjsip_wizard.conf").read_text()
    for name, address in {
        "telkomsel": "127.0.0.11",
        "indosat": "127.0.0.12",
        "xlsmart": "127.0.0.13",
        "telkom": "127.0.0.14",
        "probe": "127.0.0.15",
    }.items():
        assert f"[{name}](carrier)\nremote_hosts = {address}\n" in lines
    queues = (etc / "queues_kept.conf").read_text()
    assert "[emergency](kept-queue)" in queues
    assert "[probe](kept-queue)" in queues


def test_where_the_centres_queue_is_not_there_calls_wait_in_the_one_that_was_it_before(settings: Settings) -> None:
    def told(queue: str) -> tuple[str, tuple[str, ...]]:
        own = settings.model_copy(update={"call": settings.call.model_copy(update={"queue": queue})})
        text = (site.prepare(own, installation.find()) / "site/globals.conf").read_text()
        [before] = [line for line in text.splitlines() if line.startswith("QUEUE_BEFORE = ")]
        return before, site.own_queues(own)

    assert site.own_queues(settings) == ("emergency",)
    assert told("emergency") == ("QUEUE_BEFORE = emergency", ("emergency",))
    assert told("emergancy") == ("QUEUE_BEFORE = emergency", ("emergancy", "emergency"))
    assert told("emergencies") == ("QUEUE_BEFORE = emergency", ("emergencies", "emergency"))
    kept = settings.asterisk_dir / "etc/queues_kept.conf"
    kept.write_text(kept.read_text() + "\n[medical](kept-queue)\n")
    assert told("medical") == ("QUEUE_BEFORE = medical", ("medical",))


def test_a_template_has_the_sites_values_in_it_and_only_codecs_that_this_asterisk_transcodes(
    settings: Settings, tmp_path: Path
) -> None:
    text = (site.prepare(settings, installation.find()) / "pjsip_wizard.conf").read_text()
    assert "endpoint/media_address = 127.0.0.1\n" in text
    assert "@" not in text.replace("112@", "")
    for name in ("codec_alaw", "codec_opus_open_source"):
        (tmp_path / f"{name}.so").touch()
    assert sections.codecs_of(tmp_path) == ["alaw", "opus"]
    bare = replace(installation.find(), modules=tmp_path)
    text = (site.prepare(settings, bare) / "pjsip_wizard.conf").read_text()
    assert [line for line in text.splitlines() if line.startswith("endpoint/allow = ")] == [
        "endpoint/allow = !all,alaw,opus",
        "endpoint/allow = !all,opus,alaw",
    ]


def test_a_greeting_that_is_no_prompt_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[call]\ngreeting = "selamat"\n')
    with pytest.raises(SettingsError, match=r"call\.greeting: there is no prompt selamat .*Remedy: .*gateway\.toml"):
        site.prepare(load(tmp_path / "gateway.toml", {}), installation.find())
    (tmp_path / "gateway.toml").write_text('[call]\ngreeting = ""\n')
    site.prepare(load(tmp_path / "gateway.toml", {}), installation.find())


def test_a_centre_that_listens_everywhere_names_no_address_for_its_sound(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[sip]\nhost = "0.0.0.0"\n')
    settings = load(tmp_path / "gateway.toml", {})
    etc = site.prepare(settings, installation.find())
    text = (etc / "pjsip_wizard.conf").read_text()
    assert text.count("endpoint/media_address = \n") == 2
    assert text.count("endpoint/bind_rtp_to_media_address = no\n") == 2
    assert "bind = 0.0.0.0:5060" in (etc / "site/pjsip.conf").read_text()
    assert settings.sip.near_host == "127.0.0.1"


def test_each_folder_of_music_is_a_class_and_there_is_always_a_default(settings: Settings) -> None:
    etc = site.prepare(settings, installation.find())
    made = sorted(each.name for each in (PROJECT / "dialplan/music").iterdir() if each.is_dir())
    assert list(music.made()) == made
    assert list(music.classes()) == [each for each in made if each != music.RINGING]
    text = (etc / "site/music.conf").read_text()
    for name in made:
        assert f"[{name}]\nmode = files\ndirectory = moh/{name}\n" in text
        assert list((settings.asterisk_dir / "lib/moh" / name).glob("*.sln"))
    assert "[default]\nmode = files\ndirectory = moh/calm\n" in music.sections(["calm", "ringing", "soft"])
    assert "[default]\nmode = files\ndirectory = moh/soft\n" in music.sections(["ringing", "soft"])
    assert "[default]\nmode = files\ndirectory = moh/ringing\n" in music.sections(["ringing"])


def test_a_class_has_something_to_play_and_a_name_of_its_own(tmp_path: Path) -> None:
    for folder, file in (("calm", "a.sln"), ("empty", ""), ("notes", "a.txt"), ("Not A Name", "a.sln")):
        (tmp_path / folder).mkdir()
        if file:
            (tmp_path / folder / file).touch()
    assert music.classes(tmp_path) == ("calm",)
    assert music.classes(tmp_path / "nowhere") == ()
    assert music.sections(()) == ""


def test_a_machine_that_comes_back_at_night_answers_112_without_a_greeting_that_is_no_prompt(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[call]\ngreeting = "selamat"\n')
    told: list[str] = []
    settings = load(tmp_path / "gateway.toml", {})
    etc = site.prepare(settings, installation.find(), told.append)
    assert "GREETING = \n" in (etc / "site/globals.conf").read_text()
    [words] = told
    assert "there is no prompt selamat" in words
    assert words.endswith("Until then calls are answered without a greeting.")
    [finding] = machine._greeting(settings)
    assert finding.is_wrong
    assert finding.said in words


def test_a_full_disk_leaves_asterisk_what_stood_there_at_its_last_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = installation.find()
    etc = site.prepare(settings, found)
    stood = {file.name: file.read_text() for file in (etc / "site").iterdir()}

    def full(path: Path, *_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(site.os, "open", full)
        told: list[str] = []
        assert site.prepare(settings, found, told.append) == etc
        assert any("site/manager-user.conf cannot be written (No space left on device)" in words for words in told)
        with pytest.raises(OSError, match="No space left"):  # with somebody at the terminal
            site.prepare(settings, found)
        (etc / "site/globals.conf").unlink()
        with pytest.raises(OSError, match="No space left"):  # and where nothing stands there
            site.prepare(settings, found, told.append)
    assert stood.items() >= {file.name: file.read_text() for file in (etc / "site").iterdir()}.items()


def test_a_kept_file_that_was_damaged_ends_no_start_and_an_empty_one_is_as_at_the_first(settings: Settings) -> None:
    found = installation.find()
    wizard = site.prepare(settings, found) / "pjsip_wizard.conf"
    first = wizard.read_text()
    wizard.write_bytes(first.encode() + b"; caf\xe9 de la gare\n[1001](phone)\ninbound_auth/username = 1001\n")
    site.prepare(settings, found)
    assert wizard.read_text() == first + "\n[1001](phone)\ninbound_auth/username = 1001\n"
    wizard.write_bytes(b"")
    site.prepare(settings, found)
    assert wizard.read_text() == first
