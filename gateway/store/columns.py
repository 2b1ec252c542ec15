"""Column types that give the same value back on SQLite and on PostgreSQL, and what the two write differently.

Counterpart: `tables.py`, where every column is one of these or a plain number.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, DateTime, Integer, Text, cast, extract, func
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

KEY_LENGTH = 255
"""Characters of a value that can be looked up. PostgreSQL refuses an index entry of more than about 2700 bytes, and
one monstrous header must not stop the journal. Asterisk's own ids are far shorter (AST_MAX_UNIQUEID, 150)."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer. SQLite's INTEGER has 64 bits, and as a primary key it is the table's own order."""


def storable(value: Any) -> Any:
    """`value`, text or JSON, as both databases can hold it: NUL, which PostgreSQL refuses in text, and halves of
    surrogate pairs, which are not UTF-8, become U+FFFD. Tuples become lists, as in JSON."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return _UNSTORABLE.sub("\ufffd", value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {storable(name): storable(item) for name, item in value.items()}
    return [storable(item) for item in value]


def to_json(value: Any) -> str:
    """`value` in JSON, storable. Raises TypeError or ValueError for what is not JSON, such as NaN."""
    text = _JSON.encode(value)
    if "\\u0000" in text or not text.isascii():  # perhaps something to replace: seldom
        text = _JSON.encode(storable(value))
    return text


def storable_key(value: str) -> str:
    """`value` as a `Key` column holds it: storable, and at most KEY_LENGTH characters."""
    return str(storable(value))[:KEY_LENGTH]


class Words(TypeDecorator[str]):
    """Text of any length, sorted by code point on both databases (a locale's own order can change under an index)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return str(storable(value))


class Key(Words):
    """Text that is looked up: cut at KEY_LENGTH characters."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (len(value) <= KEY_LENGTH and value.isascii() and "\0" not in value):
            return value
        return storable_key(value)


class _Digits(sqlite.DATETIME):
    """SQLite's own form of a time, written in a third of the time."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")[:26]


class UtcTime(TypeDecorator[datetime]):
    """A moment, with microseconds. Takes aware times of any zone, gives UTC. A time without a zone is a ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        # SQLAlchemy has no types there
        return _Digits() if dialect.name == "sqlite" else DateTime(timezone=True)  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        # SQLite keeps the digits alone
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Day(TypeDecorator[date]):
    """A day of the calendar, as ISO 8601 writes it: it sorts as text does."""

    impl = Words
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


class WallTime(TypeDecorator[time]):
    """A time of day by the wall clock, as ISO 8601 writes it."""

    impl = Words
    cache_ok = True

    def process_bind_param(self, value: time | None, dialect: Dialect) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> time | None:
        return None if value is None else time.fromisoformat(value)


class OneOf(TypeDecorator[StrEnum]):
    """One value of an enumeration, as its text."""

    impl = Words
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.kind(value)


class Shaped(TypeDecorator[Any]):
    """A value of the domain as JSON: `pack` makes JSON of it, `unpack` the value again. None stays None."""

    impl = JSON(none_as_null=True)
    cache_ok = False

    def __init__(self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> None:
        super().__init__()
        self._pack = pack
        self._unpack = unpack

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self._pack(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self._unpack(value)


def several_words() -> Shaped:
    """A tuple of texts."""
    return Shaped(list, tuple)


def several_days() -> Shaped:
    """A tuple of days."""
    return Shaped(
        lambda days: [day.isoformat() for day in days], lambda found: tuple(date.fromisoformat(day) for day in found)
    )


def seconds_between(dialect: Dialect, start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    """From one moment to another. SQLite's days are floating-point numbers, and good for milliseconds."""
    if dialect.name == "postgresql":
        return extract("epoch", end - start)
    return (func.julianday(end) - func.julianday(start)) * 86400


def epoch_s(dialect: Dialect, at: ColumnElement[Any]) -> ColumnElement[int]:
    """Whole seconds since 1970; a part of one is cut off."""
    if dialect.name == "postgresql":
        return cast(func.floor(func.date_part("epoch", at)), BigInteger)
    # SQLite would round the last fractions of a second up
    return cast(func.strftime("%s", func.substr(at, 1, 19)), Integer)


def tenths_between(dialect: Dialect, start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[int]:
    """Tenths of a second from one moment to another, rounded up, exact to the microsecond on both databases."""
    if dialect.name == "postgresql":
        return cast(func.ceil(func.date_part("epoch", end - start) * 10), Integer)
    return (_microseconds(end) - _microseconds(start) + 99_999) // 100_000


def _microseconds(at: ColumnElement[Any]) -> ColumnElement[int]:
    """Of SQLite's digits, which always have six of a second's fraction."""
    # what stands as text is a number where it is added up
    return func.strftime("%s", func.substr(at, 1, 19), type_=Integer) * 1_000_000 + func.substr(
        at, 21, 6, type_=Integer
    )
