"""A minute of the fault campaign: every family of faults once, and no call is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import PROJECT

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(300)]

SEED = 1202
"""Each family once; most of what it draws is short."""
LIMIT_S = 280


def test_a_minute_of_faults_loses_no_call_repeats_none_and_tells_each_as_it_was(tmp_path: Path) -> None:
    short = ("--minutes", "0.8", "--every", "5.3", "--rate", "2", "--seed", str(SEED), "--database", "sqlite")
    command = [sys.executable, "-m", "chaos", *short, "--folder", str(tmp_path)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-3000:]
    assert (tmp_path / "report.json").is_file()
    assert (tmp_path / "picture.svg").is_file()
