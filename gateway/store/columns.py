"""Column types that give the same value back on SQLite and on PostgreSQL.

Counterpart: `tables.py`, where every column is one of these or a plain number.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Text
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


class UtcTime(TypeDecorator[datetime]):
    """A moment, with microseconds. Takes aware times of any zone, gives UTC. A time without a zone is a ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite keeps the digits alone
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
