"""A centre is its user's: what root, or whoever is shut out, would leave behind or fail at is told first, in words."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from gateway import owner
from gateway.__main__ import UNUSABLE, main
from gateway.doctor import machine
from gateway.doctor.finding import Level
from gateway.probe import report
from gateway.probe.run import run
from gateway.settings import PROJECT, Settings

ROOT = 0


def a_users(path: Path, user: str = "nobody") -> str:
    """Gives it to another user than root, where this is root; returns whose it is."""
    if os.getuid() == ROOT:
        os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    return path.owner()


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ROOT)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("command", ["serve", "probe", "run"])
def test_root_leaves_no_files_in_a_centre_of_another_user(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("GATEWAY112_CONFIG", "")
    var = settings.paths.var
    user, config = a_users(var), var.parent / "gateway.toml"
    assert main(["--config", str(config), command]) == UNUSABLE
    said = capsys.readouterr().err
    assert f"{var} belongs to {user}, and you are root" in said
    assert f"Remedy: sudo -u {user} GATEWAY112_CONFIG={config} " in said
    assert f"gateway112 {command}; or, where root is to run this centre, chown -R root {var}." in said
    assert list(var.iterdir()) == []


@pytest.mark.usefixtures("as_root")
def test_a_centre_that_root_alone_runs_goes_on_whoever_its_folder_belongs_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container without users: the folder is one of the host's perhaps."""
    var = settings.paths.var
    a_users(var)
    (var / "charge").touch()
    owners = {var / "charge": ROOT}
    stat = Path.stat

    def told(path: Path, **how: bool) -> object:
        found = stat(path, **how)
        return os.stat_result((*found[:4], owners.get(path, found.st_uid), *found[5:]))

    monkeypatch.setattr(Path, "stat", told)
    assert owner.stranger(settings, "gateway112 serve") is None
    owners[var] = ROOT
    (var / "charge").unlink()
    assert owner.stranger(settings, "gateway112 serve") is None


@pytest.mark.usefixtures("as_root")
def test_root_makes_no_centre_in_another_users_folder(settings: Settings) -> None:
    settings.paths.var.rmdir()
    user = a_users(settings.paths.var.parent)
    said = str(owner.stranger(settings, "gateway112 restore …"))
    assert f"{settings.paths.var} is not there, and the folder for it belongs to {user}" in said
    assert "Remedy: see that GATEWAY112_CONFIG names the settings of the centre; for a new one sudo -u" in said
    assert said.endswith(f"; or, where root is to run this centre, mkdir -p {settings.paths.var}")
    settings.paths.var.mkdir()
    if os.getuid() == ROOT:
        assert owner.stranger(settings, "gateway112 restore …") is None


def test_what_stands_in_the_environment_goes_with_the_command_and_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo leaves it behind: the command would be about another centre, or another database."""
    for variable in [each for each in os.environ if each.startswith("GATEWAY112_")]:
        monkeypatch.delenv(variable)
    assert owner.as_user(0, "gateway112 backup …").startswith(f"sudo -u root {PROJECT}")
    monkeypatch.setenv("GATEWAY112_PATHS_VAR", "/srv/var")
    monkeypatch.setenv("GATEWAY112_DATABASE_URL", "postgresql://gateway:geheim@db/calls")
    monkeypatch.setenv("GATEWAY112_CONFIG", "/etc/gateway112/gateway.toml")
    said = owner.as_user(0, "gateway112 backup …")
    kept = "--preserve-env=GATEWAY112_DATABASE_URL,GATEWAY112_PATHS_VAR"
    assert said.startswith(f"sudo -u root {kept} GATEWAY112_CONFIG=/etc/gateway112/gateway.toml {PROJECT}")


def test_whoever_runs_the_gateway_may_write_though_the_folder_is_another_users(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its group, say: what it makes there belongs to it."""
    var = settings.paths.var
    (var / "charge").touch()
    user_id = pwd.getpwnam(a_users(var / "charge", "daemon")).pw_uid
    if os.getuid() == ROOT:
        a_users(var)
    monkeypatch.setattr(os, "geteuid", lambda: user_id)
    assert owner.stranger(settings, "gateway112 backup …") is None
    monkeypatch.setattr(os, "geteuid", lambda: user_id + 1)
    assert f"belongs to {pwd.getpwuid(user_id).pw_name}" in str(owner.stranger(settings, "gateway112 backup …"))


@pytest.mark.parametrize("command", ["doctor", "serve", "asterisk", "console", "vault key"])
def test_whoever_may_not_look_into_a_centre_is_told_whose_it_is(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("GATEWAY112_CONFIG", "")
    var, stat = settings.paths.var, Path.stat

    def shut(path: Path, **how: bool) -> os.stat_result:
        if var in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", shut)
    assert main(["--config", str(var.parent / "gateway.toml"), *command.split()]) in (1, UNUSABLE)
    said = capsys.readouterr().err
    user = owner.name(os.geteuid())
    assert f"{var} is shut to you, {user}. Remedy: sudo -u {owner.name(stat(var).st_uid)} " in said
    own = f"; or, where {user} is to run this centre, as root: chown -R {user} {var}."
    assert (own in said) is (command in ("serve", "asterisk"))


@pytest.mark.usefixtures("as_root")
def test_the_doctor_says_that_root_sees_more_than_the_gateway(settings: Settings) -> None:
    user = a_users(settings.paths.var)
    [finding] = machine._user(settings)
    assert (finding.level, f"you are root, and may read what {user}" in finding.said) == (Level.WARNING, True)
    assert f"sudo -u {user} " in finding.remedy
    if os.getuid() == ROOT:
        os.chown(settings.paths.var, ROOT, -1)
        assert list(machine._user(settings)) == []


def test_the_doctor_says_that_others_see_less_than_the_gateway(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a member of its group, say, the vault's keys would seem to be broken."""
    user = a_users(settings.paths.var)
    monkeypatch.setattr(os, "geteuid", lambda: settings.paths.var.stat().st_uid)
    assert list(machine._user(settings)) == []
    monkeypatch.setattr(os, "geteuid", lambda: 10112)
    [finding] = machine._user(settings)
    assert (finding.level, f"you are {owner.name(10112)}, and may not read all that {user}" in finding.said) == (
        Level.WARNING,
        True,
    )
    assert f"sudo -u {user} " in finding.remedy


def test_a_gateway_says_what_helps_where_it_cannot_take_charge(settings: Settings) -> None:
    """As where root served the centre once, by mistake, and left the file behind."""
    var = settings.paths.var
    (var / "charge").mkdir()  # no user opens that one as a file
    argv = [sys.executable, "-m", "gateway", "--config", var.parent / "gateway.toml", "serve"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == UNUSABLE
    assert (
        f"settings: paths.var: {var}/charge cannot be opened: Is a directory. Remedy: look at its disk;" in ended.stderr
    )
    assert f"where it is another user's, as root: chown -R {owner.name(os.geteuid())} {var}." in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_probe_says_what_helps_where_root_left_its_lock_behind(settings: Settings) -> None:
    """As the cron of root did, before it was refused."""
    lock = settings.paths.var / "probe.lock"
    lock.mkdir()  # no user opens that one as a file
    outcome = await run(settings, "token")
    with (console := Console(width=400)).capture() as shown:
        console.print(report.render(outcome))
    assert not outcome.passed
    assert f"{lock} cannot be opened: Is a directory" in shown.get()
    assert f"rm -f {lock}" in shown.get()


def test_a_user_without_a_name_is_one_that_sudo_takes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_knows(_: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody_knows)
    assert owner.as_user(10112, "gateway112 serve").startswith("sudo -u '#10112' ")
