"""The certificate of the SIP door: what is wrong with it is told at the start, and its end long before."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import certificates
from gateway.asterisk import installation, site
from gateway.certificates import Watched
from gateway.doctor import machine
from gateway.doctor.finding import Level
from gateway.settings import Settings, SettingsError, load
from tests.certificates import write_pair

NOW = datetime.now(UTC)


def settings_of(folder: Path, **values: str | int) -> Settings:
    write_pair(folder, "sip")
    given: dict[str, str | int] = {"tls_port": 5999, "tls_certificate": "sip.pem", "tls_key": "sip-key.pem", **values}
    lines = (f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in given.items())
    (folder / "gateway.toml").write_text("[sip]\n" + "\n".join(lines) + "\n[call]\ngreeting = ''\n")
    return load(folder / "gateway.toml", {})


def test_without_tls_there_is_nothing_to_look_at() -> None:
    settings = Settings()
    assert Watched(settings, lambda: 0.0).problem(NOW) is None
    assert "transport-tls" not in site._tls(settings.sip)


def test_a_certificate_with_its_key_is_presented_by_asterisk(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tls_authorities="sip.pem")
    found = certificates.read(settings.sip)
    assert found.subject == "CN=112.example.go.id"
    assert found.problem(NOW) is None
    text = (site.prepare(settings, installation.find()) / "site/pjsip.conf").read_text()
    assert f"bind = 127.0.0.1:5999\nmethod = tlsv1_2\ncert_file = {tmp_path}/sip.pem\n" in text
    assert f"ca_list_file = {tmp_path}/sip.pem\nverify_server = yes\n" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"tls_certificate": "gone.pem"},
            r"sip\.tls_certificate: .*gone\.pem cannot be read: No such file.*Remedy: name",
        ),
        ({"tls_key": "gone.key"}, r"sip\.tls_key: .*gone\.key cannot be read.*Remedy"),
        (
            {"tls_certificate": "sip-key.pem"},
            r"sip\.tls_certificate: .*sip-key\.pem holds no PEM of a certificate.*Remedy",
        ),
        ({"tls_key": "sip.pem"}, r"sip\.tls_key: .*sip\.pem holds no PEM of a key without a password.*Remedy"),
        (
            {"tls_key": "other-key.pem"},
            r"sip\.tls_key: .*other-key\.pem is not the key of .*sip\.pem\. Remedy: name the two",
        ),
        ({"tls_authorities": "sip-key.pem"}, r"sip\.tls_authorities: .*holds no PEM of certificates.*Remedy"),
    ],
)
def test_what_cannot_be_used_ends_a_start_by_hand_in_words(tmp_path: Path, values: dict[str, str], words: str) -> None:
    write_pair(tmp_path, "other")
    settings = settings_of(tmp_path, **values)
    with pytest.raises(SettingsError, match=words):
        site.prepare(settings, installation.find())
    finding = machine._certificate(settings)
    assert finding.level is Level.WRONG
    assert finding.remedy
    assert Watched(settings, lambda: 0.0).problem(NOW)
    # and no start of a machine that comes back at night: carriers over UDP reach 112 all the same
    told: list[str] = []
    text = (site.prepare(settings, installation.find(), told.append) / "site/pjsip.conf").read_text()
    assert "transport-udp" in text
    assert "transport-tls" not in text
    assert re.search(words, told[0])
    assert told[0].endswith("Until then SIP is taken over UDP and TCP alone.")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tls_certificate": ""}, r"sip: tls_port needs tls_certificate and tls_key too"),
        ({"tls_port": 5060}, r"sip\.tls_port: 5060 is another's port here"),
        ({"tls_port": 12000}, r"sip\.tls_port: 12000 is among RTP's ports"),
        ({"tls_port": 99999}, r"sip\.tls_port: "),
    ],
)
def test_a_setting_of_tls_that_cannot_be_is_told(tmp_path: Path, values: dict[str, str | int], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings_of(tmp_path, **values)


@pytest.mark.parametrize(
    ("days", "words"),
    [(31, None), (29, r"ends on \d{4}-\d\d-\d\d, in 2[89] days"), (-1, r"ended on \d{4}-\d\d-\d\d: whoever checks it")],
)
def test_its_end_is_told_thirty_days_before_and_ends_no_start(tmp_path: Path, days: int, words: str | None) -> None:
    settings = settings_of(tmp_path)
    write_pair(tmp_path, "sip", days=days)
    site.prepare(settings, installation.find())
    told = Watched(settings, lambda: 0.0).problem(NOW + timedelta(minutes=1))
    finding = machine._certificate(settings)
    if words is None:
        assert told is None
        assert finding.level is Level.OK
    else:
        assert told
        assert re.search(words, told)
        assert finding.level is Level.WARNING


def test_a_renewed_certificate_is_seen_within_a_minute(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_pair(tmp_path, "sip", days=-1)
    clock = [0.0]
    watched = Watched(settings, lambda: clock[0])
    assert "ended on" in (watched.problem(NOW) or "")
    write_pair(tmp_path, "sip")
    assert "ended on" in (watched.problem(NOW) or "")
    clock[0] += 60
    assert watched.problem(NOW + timedelta(minutes=1)) is None
