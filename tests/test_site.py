"""Asterisk's configuration folder: links to what an engineer edits, secrets for nobody else's eyes."""

import stat
from pathlib import Path

import pytest

from gateway.asterisk import installation, site, trunks
from gateway.settings import PROJECT, Settings, load


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


def test_phones_stay_when_the_folder_is_prepared_again(settings: Settings) -> None:
    etc = site.prepare(settings, installation.find())
    (etc / "pjsip_wizard.conf").write_text("[1001]\n")
    site.prepare(settings, installation.find())
    assert (etc / "pjsip_wizard.conf").read_text() == "[1001]\n"


def test_no_secret_is_in_what_git_keeps() -> None:
    for folder in ("asterisk-config", "dialplan"):
        for file in (PROJECT / folder).rglob("*.conf"):
            assert "secret =" not in file.read_text()


def test_the_four_carriers_stand_ready() -> None:
    known = {trunk.name: trunk.addresses for trunk in trunks.read(PROJECT / "asterisk-config/pjsip.conf")}
    assert known == {
        "telkomsel": ("127.0.0.11",),
        "indosat": ("127.0.0.12",),
        "xlsmart": ("127.0.0.13",),
        "telkom": ("127.0.0.14",),
        "probe": ("127.0.0.15",),
    }
