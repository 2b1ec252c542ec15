"""A vault for each test."""

from pathlib import Path

import pytest

from tests.vault.sound import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def locked_house(tmp_path: Path) -> House:
    """One whose sound is encrypted."""
    return House(tmp_path, is_encrypted=True)
