"""Tokens: how long each secret of one opens something, and when its end is to be told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.kept import as_json
from gateway.domain.tokens import Role, Token, about_to_expire

NOW = datetime(2026, 8, 17, 10, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def a_token(valid_days: int | None = None) -> Token:
    made = Token(name="Siti", role=Role.ADMIN, token_hash="first", valid_days=valid_days, created_at=NOW)
    return made.valid_from(NOW)


def test_a_token_without_a_time_is_open_until_it_is_taken_back() -> None:
    token = a_token()
    assert token.is_open_to("first", NOW + 10_000 * DAY)
    assert not replace(token, retired_at=NOW).is_open_to("first", NOW)


def test_a_token_expires_at_its_moment() -> None:
    token = a_token(30)
    assert token.expires_at == NOW + 30 * DAY
    assert token.is_open_to("first", NOW + 30 * DAY - timedelta(microseconds=1))
    assert not token.is_open_to("first", NOW + 30 * DAY)


def test_after_a_rotation_both_secrets_open_it_for_a_while_and_its_time_begins_anew() -> None:
    later = NOW + 20 * DAY
    token = a_token(30).rotated("second", later, 24 * HOUR, 30)

    assert token.expires_at == later + 30 * DAY
    assert token.is_open_to("second", later)
    assert token.is_open_to("first", later + 23 * HOUR)
    assert not token.is_open_to("first", later + 24 * HOUR)
    assert token.is_open_to("second", later + 29 * DAY)


def test_an_overlap_makes_no_secret_last_longer_than_it_would_have() -> None:
    near_its_end = a_token(30).rotated("second", NOW + 30 * DAY - HOUR, 24 * HOUR, 30)
    after_its_end = a_token(30).rotated("second", NOW + 40 * DAY, 24 * HOUR, None)

    assert near_its_end.previous_until == NOW + 30 * DAY
    assert not after_its_end.is_open_to("first", NOW + 40 * DAY)
    assert (after_its_end.expires_at, after_its_end.is_open_to("second", NOW + 4000 * DAY)) == (None, True)


def test_of_two_rotations_only_the_last_secret_before_is_left() -> None:
    token = a_token().rotated("second", NOW, 24 * HOUR, None).rotated("third", NOW + HOUR, 24 * HOUR, None)

    assert token.previous_hash == "second"


def test_no_secret_is_told() -> None:
    token = a_token().rotated("second", NOW, HOUR, None)

    assert not {"first", "second"} & set(map(str, as_json(token).values()))


@pytest.mark.parametrize(
    ("valid_days", "left", "is_told"),
    [(365, 15 * DAY, False), (365, 14 * DAY, True), (365, HOUR, True), (365, -HOUR, False),
     (30, 4 * DAY, False), (30, 3 * DAY, True), (1, 3 * HOUR, False), (1, 2 * HOUR, True)],
)  # fmt: skip
def test_an_end_is_told_two_weeks_ahead_and_of_a_short_time_in_its_last_tenth(
    valid_days: int, left: timedelta, is_told: bool
) -> None:
    token = a_token(valid_days)
    now = NOW + valid_days * DAY - left

    assert about_to_expire([token, a_token()], now) == ([token] if is_told else [])
    assert about_to_expire([replace(token, retired_at=NOW)], now) == []
