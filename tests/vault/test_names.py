"""Names that were seen, and what a chain says of a file."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway.vault.chain import ChainBroken, Chains
from gateway.vault.folders import folder_of
from gateway.vault.keys import SigningKey
from gateway.vault.names import Names

DAY, AT = date(2026, 11, 26), datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_whoever_was_put_in_is_there_and_nearly_nobody_else_seems_to_be() -> None:
    names = Names()
    for number in range(40_000):
        names.add(f"112-{number}.1.json")
    assert all(names.may_hold(f"112-{number}.1.json") for number in range(40_000))
    assert sum(names.may_hold(f"112-{number}.2.json") for number in range(40_000)) < 400


@pytest.fixture
def chains(tmp_path: Path) -> Chains:
    (tmp_path / folder_of(DAY)).mkdir(parents=True)
    return Chains(tmp_path, SigningKey(tmp_path / "vault"))


def test_a_chain_knows_each_file_that_it_speaks_of_by_its_whole_name(chains: Chains, tmp_path: Path) -> None:
    for number, file in enumerate(("112-1.10.json", "112-1.1.json", "112-1.1.destroyed.json"), 1):
        chains.add(DAY, file, f"{number:064x}", AT)
    for known in (chains, Chains(tmp_path, SigningKey(tmp_path / "vault"))):
        found = known.find(DAY, "112-1.1.json")
        assert found is not None
        assert (found.number, found.sha256) == (2, f"{2:064x}")
        assert known.find(DAY, "112-1.1") is None
        assert known.add(DAY, "112-1.1.json", f"{2:064x}", AT) == found
        with pytest.raises(ChainBroken, match="is not the file"):
            known.add(DAY, "112-1.1.json", f"{9:064x}", AT)


def test_a_name_that_only_seems_to_be_there_costs_a_look_and_no_more(
    chains: Chains, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains.add(DAY, "112-1.1.json", f"{1:064x}", AT)
    monkeypatch.setattr(Names, "may_hold", lambda self, name: True)
    assert chains.find(DAY, "112-1.json") is None
    assert chains.add(DAY, "112-1.2.json", f"{2:064x}", AT).number == 2
