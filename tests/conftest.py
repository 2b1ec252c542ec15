"""What every test can ask for. Fixtures live in modules of their own subject and are named here.

Counterpart: `make test`, which runs the tests in three processes at once (pytest-xdist): most of their time is waiting.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gateway.settings import Settings, load
from gateway.store import database

pytest_plugins = ["tests.databases", "tests.vault.bucket_server"]

hypothesis.settings.register_profile("roving", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.register_profile("same", hypothesis.settings.get_profile("roving"), derandomize=True)
hypothesis.settings.load_profile("same")
"""What hypothesis makes up is the same each time, so that a failure is the change's; and nothing is timed, for another
program may have the processor. `--hypothesis-profile=roving` makes up something new."""

CALLED_CARRIERS = tuple(f"tests/calls/test_{each}.py" for each in ("callbacks", "fallback", "stories", "toll_fraud"))
"""Their carriers are called, and so listen at the one port that every centre calls."""

WITH_A_BUCKET = ("tests/calls/test_bucket.py", "tests/vault/test_bucket.py", "tests/vault/test_moving.py")
"""They share the one S3 server."""


PATIENCE_S = 20.0
"""How long the tests' own process waits for a database: a machine that stalls is not what they are about. Centres in
processes of their own keep the gateway's limit."""
SLOW_S = database.TRANSACTION_LIMIT_S
IN_PROCESS = tuple(f"tests/{each}/" for each in ("api", "store", "services"))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tests the limit itself has a fixture of this name that does nothing."""
    monkeypatch.setattr(database, "TRANSACTION_LIMIT_S", PATIENCE_S)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Names what would have been without its database, so that nobody overlooks why."""
    for each in (*terminalreporter.getreports(""), *terminalreporter.getreports("passed")):
        if each.duration > SLOW_S and each.nodeid.startswith(IN_PROCESS):
            terminalreporter.write_line(f"SLOW {each.duration:.1f} s: {each.nodeid} ({each.when})")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a new centre in the test's own folder, whose var/ is there and empty."""
    (tmp_path / "gateway.toml").write_text("")
    settings = load(tmp_path / "gateway.toml", {})
    settings.paths.var.mkdir()
    return settings


@pytest.fixture(autouse=True)
def umask_of_one_test() -> Iterator[None]:
    """A command that runs in the tests' own process shuts others out of what it makes, and later tests make."""
    before = os.umask(0)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def logs_of_one_test() -> Iterator[None]:
    """Whoever sets up logging does so for one test: the stream that it wrote to is gone after it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for each in [each for each in root.handlers if each not in before]:
        root.removeHandler(each)
    root.setLevel(level)


class ByFile(LoadScopeScheduling):
    """Gives each process whole files, so that what the tests of one share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in WITH_A_BUCKET:
            return "with a bucket"
        return "called carriers" if file in CALLED_CARRIERS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process has to wait for the others at the end."""
    items.sort(key=lambda item: _is_short(item.nodeid))


def _is_short(nodeid: str) -> bool:
    return not nodeid.startswith("tests/calls/")
