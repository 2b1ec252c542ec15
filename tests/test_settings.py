"""Settings: what is wrong ends the start with file, key, reason and remedy."""

import os
from pathlib import Path

import pytest

from gateway import foreground, owner
from gateway.__main__ import settings_for
from gateway.asterisk.claim import claim
from gateway.settings import PROJECT, Settings, SettingsError, load


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.toml"
    file.write_text(text)
    return file


def test_the_committed_file_is_the_defaults(tmp_path: Path) -> None:
    shipped = load(PROJECT / "gateway.toml", {})
    assert shipped.model_dump(exclude={"paths"}) == Settings().model_dump(exclude={"paths"})
    uncommented = "\n".join(
        line.removeprefix("# ")
        for line in (PROJECT / "gateway.toml").read_text().splitlines()
        if line.startswith("[") or (line.startswith("# ") and " = " in line and not line.startswith("# ["))
    ).partition("# How the calls")[0]
    without_rules = uncommented[: uncommented.rindex('queue = "emergency"')]
    assert load(written(tmp_path, without_rules), {}).call == Settings().call


def test_relative_paths_begin_at_the_files_folder(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[paths]\nvar = "state"\n'), {})
    assert settings.paths.var == tmp_path / "state"
    assert settings.paths.recordings == tmp_path / "recordings"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[api]\nport = 9000\n")
    assert load(file, {"GATEWAY112_API_PORT": "9001"}).api.port == 9001
    assert load(None, {"GATEWAY112_CONFIG": str(file)}).api.port == 9000


def test_a_token_stands_beside_the_settings_and_is_none_of_them(tmp_path: Path) -> None:
    """Whoever looks at a container from inside has one there: the health check and `serve` read the same."""
    assert load(written(tmp_path, ""), {"GATEWAY112_TOKEN": "of-siti"}) == load(written(tmp_path, ""), {})


def test_proxies_are_a_list_and_in_the_environment_joined_by_commas(tmp_path: Path) -> None:
    file = written(tmp_path, '[api]\nproxies = ["10.0.0.5"]\n')
    assert [str(each) for each in load(file, {}).api.proxies] == ["10.0.0.5/32"]
    variables = {"GATEWAY112_API_PROXIES": "10.0.0.5, 10.1.0.0/16"}
    assert [str(each) for each in load(file, variables).api.proxies] == ["10.0.0.5/32", "10.1.0.0/16"]


def test_a_certificate_lies_beside_the_settings_and_makes_the_api_https(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[api]\ntls_certificate = "api.pem"\ntls_key = "/etc/key.pem"\n'), {})
    assert settings.api.tls_certificate == tmp_path / "api.pem"
    assert settings.api.tls_key == Path("/etc/key.pem")
    assert settings.api_url == "https://127.0.0.1:8112"


def test_a_title_is_any_printable_text(tmp_path: Path) -> None:
    for title in ("112, Kabupaten Sidoarjo", "8", 'Pusat "112" <Batu> \u2013 \u6e05'):
        file = written(tmp_path, f"[centre]\ntitle = '{title}'\n")
        assert load(file, {}).centre.title == title


def test_a_postgresql_url_is_taken(tmp_path: Path) -> None:
    file = written(tmp_path, '[database]\nurl = "postgresql://me@host/name"\n')
    assert load(file, {}).database_url == "postgresql+asyncpg://me@host/name"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[api]\nprot = 1\n", "api.prot"),
        ("[apis]\nport = 1\n", "apis"),
        ("[api]\nport = 70000\n", "api.port"),
        ('[api]\nport = "x"\n', "api.port"),
        ("[rtp]\nfirst_port = 20000\nlast_port = 10000\n", "rtp"),
        ('[centre]\ntimezone = "Mars/Base"\n', "centre.timezone"),
        ('[centre]\nname = "a b"\n', "centre.name"),
        ('[centre]\ntitle = ""\n', "centre.title"),
        ('[centre]\ntitle = " 112"\n', "centre.title"),
        ('[centre]\ntitle = "112\\nSidoarjo"\n', "centre.title"),
        ('[database]\nurl = "mysql://x"\n', "database.url"),
        ('[call]\nlast_resort = "PJSIP/1,System(rm)"\n', "call.last_resort"),
        ('[call]\nlast_resort = "08123456789"\n', "call.last_resort"),
        ('[call]\nlast_resort = "PJSIP/0812@bolt,30"\n', "call.last_resort"),
        ("[ami]\nport = 5060\n", "ports"),
        ("[rtp]\nfirst_port = 5000\n", "rtp.first_port"),
        ("[trunks.telkom]\nprio = 1\n", "trunks.telkom.prio"),
        ('[vault]\nbucket = "https://s3.example.go.id/sound"\n', "vault.bucket"),
        ('[vault]\nbucket = "s3://sound/"\n', "vault.bucket"),
        ('[vault]\nbucket = "s3://sound/../other"\n', "vault.bucket"),
        ('[vault]\nbucket = "s3://sound"\naccess_key = "me"\n', "vault"),
        ('[vault]\nendpoint = "s3.example.go.id"\n', "vault.endpoint"),
        ('[vault]\nkeep_in = "cloud"\n', "vault.keep_in"),
        ('[api]\ntls_certificate = "api.pem"\n', "api"),
        ('[api]\nproxies = ["everybody"]\n', "api.proxies"),
        ("[api]\nrequests_per_token = -1\n", "api.requests_per_token"),
    ],
)
def test_what_is_wrong_names_file_key_reason_and_remedy(tmp_path: Path, text: str, key: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as refusal:
        load(file, {})
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{file}: {key}: ")
    assert "Remedy: " in line


def test_every_fault_is_named_not_only_the_first(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(written(tmp_path, "[api]\nport = 0\n[sip]\nport = 0\n"), {})
    assert len(str(refusal.value).splitlines()) == 2


@pytest.mark.parametrize("variable", ["GATEWAY112_NOPE_X", "GATEWAY112_API", "GATEWAY112_TRUNKS_TELKOM"])
def test_an_unknown_variable_is_an_error(tmp_path: Path, variable: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        load(written(tmp_path, ""), {variable: "1"})


def test_a_bad_value_from_the_environment_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"environment variable GATEWAY112_API_PORT: api\.port"):
        load(written(tmp_path, ""), {"GATEWAY112_API_PORT": "no"})


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load(written(tmp_path, "[api\n"), {})


@pytest.mark.parametrize("dial", ["", "PJSIP/1099", "PJSIP/1099&PJSIP/08123456789@telkom", "PJSIP/+62812@telkom"])
def test_a_last_resort_is_phones_and_numbers_over_trunks(tmp_path: Path, dial: str) -> None:
    assert load(written(tmp_path, f'[call]\nlast_resort = "{dial}"\n'), {}).call.last_resort == dial


def test_a_pattern_is_told_in_words_and_a_pair_of_keys_by_the_variable_that_set_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="may have letters, digits and _"):
        load(written(tmp_path, '[centre]\nname = "a b"\n'), {})
    with pytest.raises(SettingsError, match="environment variable GATEWAY112_RTP_FIRST_PORT: rtp"):
        load(written(tmp_path, ""), {"GATEWAY112_RTP_FIRST_PORT": "30000"})


def test_settings_that_are_shut_to_this_user_are_not_opened_to_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shut(path: Path, **_: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    file = written(tmp_path, "")
    monkeypatch.setattr(Path, "read_text", shut)
    with pytest.raises(SettingsError, match=r"gateway\.toml: is shut to you\. Remedy: run this as the centre's user"):
        load(file, {})


def test_an_address_that_this_machine_has_not_is_named_with_its_key() -> None:
    settings = Settings.model_validate({"api": {"host": "203.0.113.9", "port": 8112}})
    with pytest.raises(SettingsError, match=r"api\.host: .*write an address that this machine has"):
        foreground.refuse_taken_ports(settings, ("api",))


def test_a_second_asterisk_on_the_same_folders_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""), {})
    held = claim(settings)
    with pytest.raises(SettingsError, match=r"paths\.var: .* belongs to an Asterisk that runs"):
        claim(settings)
    other = load(written(tmp_path, '[paths]\nvar = "other"\n'), {})
    with pytest.raises(SettingsError, match=r"paths\.recordings: .*centre\.name"):
        claim(other)
    for descriptor in held:
        os.close(descriptor)
    for descriptor in claim(settings):
        os.close(descriptor)


def test_a_folder_that_cannot_be_made_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load(written(tmp_path, '[paths]\nvar = "file/x"\n'), {})
    with pytest.raises(SettingsError, match=r"paths\.var: .*Remedy"):
        claim(settings)


def test_a_folder_of_another_user_is_told_how_it_becomes_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where root started Asterisk once, 112 would else answer no more."""
    settings, opened = load(written(tmp_path, ""), {}), os.open

    def denied(path: Path, *how: int) -> int:
        if path.name == "claim":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *how)

    monkeypatch.setattr(os, "open", denied)
    user, var = owner.name(os.geteuid()), settings.paths.var
    with pytest.raises(SettingsError) as refusal:
        claim(settings)
    assert f"Remedy: where {user} is to run this centre, as root: chown -R {user} {var}; or name a" in str(
        refusal.value
    )


def test_asterisk_starts_without_the_disk_of_the_recordings_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load(written(tmp_path, '[paths]\nrecordings = "file/x"\n'), {})
    with pytest.raises(SettingsError, match=r"paths\.recordings: .* cannot be used: Not a directory\. Remedy"):
        claim(settings)
    told: list[str] = []
    held = claim(settings, told.append)
    [words] = told
    assert words.endswith("Until then calls are answered, and NOT recorded.")
    with pytest.raises(SettingsError, match=r"paths\.var: .* belongs to an Asterisk that runs"):
        claim(settings, told.append)
    for descriptor in held:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ('[vault]\nbucket = "s3://sound"\naccess_key = "me"\n', ""),
        ("[valut]\nencrypt = true\n", ""),
        ("[api]\nports = 8112\n", ""),
        ('[trunks.telkomsel]\npriority = "first"\n', ""),
        ("", "GATEWAY112_VAULT_SECRETS"),
        ("", "GATEWAY112_NOBODYS"),
    ],
)
def test_a_fault_in_what_is_the_gateways_alone_ends_no_start_of_asterisk(
    tmp_path: Path, text: str, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY112_CONFIG", str(written(tmp_path, f"[sip]\nport = 5999\n{text}")))
    monkeypatch.setenv("GATEWAY112_RTP_FIRST_PORT", "12000")
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError) as refusal:
        settings_for("serve")
    settings = settings_for("asterisk")
    assert (settings.sip.port, settings.rtp.first_port) == (5999, 12000)
    assert capsys.readouterr().err == f"{refusal.value}\nNone of this is Asterisk's own: it starts all the same.\n"
    monkeypatch.setenv("GATEWAY112_SIP_PORT", "none")
    with pytest.raises(SettingsError, match=r"sip\.port"):
        settings_for("asterisk")


def test_a_taken_port_is_named_with_its_key() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings.model_validate({"api": {"port": taken.getsockname()[1]}})
        with pytest.raises(SettingsError, match=r"api\.port: 127\.0\.0\.1:\d+ cannot be opened.*Remedy"):
            foreground.refuse_taken_ports(settings, ("api",))


def test_a_buckets_secret_comes_from_the_environment_and_is_shown_nowhere(tmp_path: Path) -> None:
    file = written(tmp_path, '[vault]\nbucket = "s3://sound/centre-1"\naccess_key = "me"\n')
    settings = load(file, {"GATEWAY112_VAULT_SECRET": "hush-hush"})
    assert settings.vault.secret.get_secret_value() == "hush-hush"
    assert "hush" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


def test_a_databases_password_is_not_told_where_its_url_is_written_otherwise(tmp_path: Path) -> None:
    """The services' log would have it every three seconds."""
    with pytest.raises(SettingsError, match=r"database\.url") as refusal:
        load(written(tmp_path, '[database]\nurl = "postgres://gateway112:711411@127.0.0.1/gateway112"\n'), {})
    assert "711411" not in str(refusal.value)


@pytest.mark.parametrize("wrong", ["secret = 711411", 'secret = "711411"\nbucket = "s3://sound"', "secret = [711411]"])
def test_a_secret_is_not_told_where_something_is_wrong_with_it(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(written(tmp_path, f"[vault]\n{wrong}\n"), {})
    assert "vault" in str(refusal.value)
    assert "711411" not in str(refusal.value)
