"""SECURITY.md is a threat model with proofs: each threat names its tests, and each of them is there."""

import re

from gateway.settings import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
FIRST_CELLS = ("from whom", "who")
"""What stands over the first column of a table of threats."""


def threats() -> list[list[str]]:
    """The cells of every line of every table, without the heads."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in rows if row[0].strip() not in FIRST_CELLS and not set(row[0]) <= set("-|")]


def test_every_threat_names_a_test() -> None:
    found = threats()

    assert len(found) > 30
    assert [row for row in found if len(row) != 4 or "`tests/" not in row[-1]] == []


def test_every_test_and_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:tests|docs|dialplan|gateway|setup|bench)/[A-Za-z0-9_./-]+)(?:::([a-z0-9_]+))?`", TEXT)

    assert len(named) > 40
    for path, test in named:
        assert (PROJECT / path).exists(), path
        assert not test or f"def {test}(" in (PROJECT / path).read_text(), test


def test_every_command_that_is_named_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z]+)", TEXT)) <= targets
