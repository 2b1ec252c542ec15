"""A clock for tests: it stands until it is moved."""

from datetime import UTC, datetime

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def clock() -> datetime:
    return NOW
