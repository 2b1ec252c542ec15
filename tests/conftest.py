"""What every test can ask for. Fixtures live in modules of their own subject and are named here.

Counterpart: `make test`, which runs the tests in two processes at once (pytest-xdist): most of their time is waiting.
"""

import pytest

pytest_plugins = ["tests.databases"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Says which tests stay together in one process, where there are several: those of one file, so that what they
    share is made once; and all of `tests/calls`, which play carriers at the addresses that every centre knows. These
    take the longest, and so begin first."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        file = f"{item.path.parent.name}-{item.path.stem}"
        item.add_marker(pytest.mark.xdist_group("calls" if _plays_carriers(item) else file))
    items.sort(key=lambda item: not _plays_carriers(item))


def _plays_carriers(item: pytest.Item) -> bool:
    return item.nodeid.startswith("tests/calls/")
