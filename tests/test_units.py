"""The services' units: systemd takes each word of them, and finds them shut well enough."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.settings import PROJECT

MOST_EXPOSED = 2.0
"""Of 10, as `systemd-analyze security` counts; both talk to the network, which alone is 0.5 of it."""
UNITS = ("gateway112.service", "gateway112-asterisk.service")

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


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


def test_systemd_understands_every_line_of_them(units: Path) -> None:
    # it warns of a word that it does not know, and goes on
    said = analyze("verify", "--man=no", *(units / name for name in UNITS))
    assert not [line for line in said.splitlines() if any(name in line for name in UNITS)], said


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
