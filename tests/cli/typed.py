"""A terminal of 80 columns without colours, in which commands are typed.

Counterpart: `conftest.py` gives a test one that stands in the folder of a house.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """What it said, without the breaks of lines that a table or a terminal makes."""
        return " ".join((self.out + self.err).split())

    def row(self, beginning: str) -> list[str]:
        """The words of the one row that begins so."""
        [found] = [line for line in self.out.splitlines() if line.strip().startswith(beginning)]
        return found.split()


class Typed:
    """`await typed("operator list")` runs `gateway112 operator list`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, line: str, *more: str) -> Said:
        """The words of the line, and each of `more` as one word, whatever is in it."""
        # in a thread: the house that answers lives in this one's loop
        status = await asyncio.to_thread(_status_of, [*line.split(), *more])
        out, err = self._capsys.readouterr()
        return Said(status, out, err)

    async def good(self, line: str, *more: str) -> Said:
        """The same, for a command that must go well."""
        said = await self(line, *more)
        assert (said.status, said.err) == (0, ""), said.words
        return said


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Writes the settings and the admin's token of a centre into the folder, and has commands find them."""
    (folder / "gateway.toml").write_text(f"[api]\nport = {port}\n")
    (folder / "var").mkdir()
    (folder / "var" / "admin-token").write_text("admin\n")
    monkeypatch.setenv("GATEWAY112_CONFIG", str(folder / "gateway.toml"))
    monkeypatch.delenv("GATEWAY112_TOKEN", raising=False)
    for variable, value in (("COLUMNS", "80"), ("TERM", "dumb"), ("NO_COLOR", "1")):
        monkeypatch.setenv(variable, value)


def _status_of(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:  # argparse ends so
        return int(end.code or 0)
