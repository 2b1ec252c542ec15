"""The services' units: systemd takes each word of them, and finds them shut well enough."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import PROJECT

MOST_EXPOSED = 2.0
"""Of 10, as `systemd-analyze security` counts; both talk to the network, which alone is 0.5 of it."""
UNITS = ("gateway112.service", "gateway112-asterisk.service")

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the units of this clone, as the set-up writes them."""
    folder = tmp_path_factory.mktemp("units")
    subprocess.run([PROJECT / "setup/systemd.sh", folder], check=True, timeout=30)
    return folder


def analyze(*words: str | Path) -> str:
    ended = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@needs_systemd
def test_systemd_understands_every_line_of_them(units: Path) -> None:
    # it warns of a word that it does not know, and goes on
    said = analyze("verify", "--man=no", *(units / name for name in UNITS))
    assert not [line for line in said.splitlines() if any(name in line for name in UNITS)], said


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_what_a_service_does_not_need_is_shut(units: Path, name: str) -> None:
    said = analyze("security", "--offline=true", "--no-pager", units / name)
    found = re.search(rf"exposure level for {re.escape(name)}: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= MOST_EXPOSED


def test_neither_service_is_stopped_or_started_with_the_other(units: Path) -> None:
    for name in UNITS:
        text = (units / name).read_text()
        assert not re.search(r"^(Requires|BindsTo|PartOf|Requisite|Conflicts)=", text, re.MULTILINE)
        assert str(PROJECT) in text


def test_the_command_is_the_one_of_the_clone_that_the_services_run(units: Path) -> None:
    command = units / "gateway112"
    assert os.access(command, os.X_OK)
    assert f'\nexec {PROJECT}/.venv/bin/gateway112 "$@"\n' in command.read_text()
    for name in UNITS:
        assert f"\nExecStart={PROJECT}/.venv/bin/gateway112 " in (units / name).read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root calls it for another user")
def test_the_command_goes_by_the_services_users_names_whatever_root_has_set(units: Path, tmp_path: Path) -> None:
    """By them PostgreSQL knows who comes."""
    (tmp_path / "setpriv").write_text('#!/bin/sh\nwhile [ "$1" != env ]; do shift; done\nshift\nprintf "%s\\n" "$@"\n')
    (tmp_path / "setpriv").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/root", "USER": "root", "LOGNAME": "root"}
    argv = [units / "gateway112", "restore", "a folder"]
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=20, check=True).stdout
    names = ["HOME=/var/lib/gateway112", "USER=gateway112", "LOGNAME=gateway112"]
    assert said.splitlines() == [*names, str(units / "gateway112"), "restore", "a folder"]


@pytest.mark.parametrize("name", ["a clone", "r&d", "50%"])
def test_a_clone_whose_name_units_cannot_say_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    shutil.copytree(PROJECT / "setup", tmp_path / name / "setup")
    argv = [tmp_path / name / "setup/systemd.sh", tmp_path / "units"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert said.returncode == 1
    assert f"cannot name {tmp_path / name}: it has a blank or a sign in it." in said.stderr
    assert not (tmp_path / "units").exists()


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone that everybody may enter, whose Python lies in a home folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        shutil.copytree(PROJECT / "setup", root / "clone/setup")
        home, programs = root / "home", root / "clone/.venv/bin"
        home.mkdir(mode=0o700)
        programs.mkdir(parents=True)
        (root / "clone/gateway").mkdir()
        (home / "python").write_text("#!/bin/sh\n")
        (home / "python").chmod(0o755)
        (programs / "python").symlink_to(home / "python")
        (programs / "gateway112").write_text(f"#!{programs}/python\n")
        (programs / "gateway112").chmod(0o755)
        for path in (root / "clone").rglob("*/"):
            path.chmod(0o755)
        (root / "clone").chmod(0o755)
        yield root


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what another user may")
def test_a_python_that_the_services_user_cannot_reach_is_told_before_anything_is_made(clone: Path) -> None:
    def tried() -> subprocess.CompletedProcess[str]:
        argv = [clone / "clone/setup/runs-as.sh", "nobody"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)

    said = tried()
    assert said.returncode == 1
    assert f"cannot run this clone's Python, {clone}/home/python: {clone}/home is shut to that user" in said.stderr
    assert "Remedy: install the machine's own Python" in said.stderr
    shutil.copy("/bin/true", clone / "home/python")  # no script: once it runs it needs nothing of its folder
    assert f"{clone}/home is shut to that user" in tried().stderr
    (clone / "home").chmod(0o711)
    assert tried().returncode == 0, tried().stderr
    programs = clone / "clone/.venv/bin"
    programs.chmod(0o700)
    assert f"Remedy: cd {clone}/clone && chmod o+rx . var && chmod -R o+rX .venv gateway" in tried().stderr
    programs.chmod(0o755)
    (clone / "clone").chmod(0o700)
    said = tried().stderr
    assert f"{clone}/clone is shut to that user (root, mode 0700)" in said
    assert f"Remedy: cd {clone}/clone && " in said, "what the centre keeps in the clone's var/ stays shut"
    (clone / "clone").chmod(0o755)
    clone.chmod(0o700)
    assert f"Remedy: chmod o+x {clone}\n" in tried().stderr


@pytest.mark.parametrize("hidden", ["/home", "/root", "/run/user"])
def test_what_the_units_hide_is_told_however_open_it_is(clone: Path, hidden: str) -> None:
    programs = clone / "clone/.venv/bin"
    (programs / "python").unlink()
    (programs / "python").symlink_to(f"{hidden}/siti/bin/python3")
    argv = [clone / "clone/setup/runs-as.sh", "nobody"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert said.returncode == 1
    assert f"nothing that lies in {hidden} (ProtectHome), and {hidden}/siti/bin/python3 does." in said.stderr
    assert "Remedy: install the machine's own Python" in said.stderr
    for name in UNITS:
        assert "ProtectHome=yes" in (PROJECT / "setup/systemd" / name).read_text()
