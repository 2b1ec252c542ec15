"""Statements that are carried out with every group of calls, made once: what SQLAlchemy does anew for each execution
costs more than the rows do.

Counterpart: `repository.py` has one for each table that follows the calls.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.engine import Dialect


class Prepared:
    """An insert of whole rows of `table`, as that database is told it. The columns' own types turn the values."""

    def __init__(self, insert: Insert, table: Table, dialect: Dialect) -> None:
        compiled = insert.compile(dialect=dialect, column_keys=table.columns.keys())
        self._text = compiled.string
        names = getattr(compiled, "positiontup", None) or ()
        if sorted(names) != sorted(table.columns.keys()):
            raise ValueError(f"the insert into {table.name} is not of its whole rows")
        self._places = tuple((name, _turn(table, name, dialect)) for name in names)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Puts the rows, each with all columns by their names."""
        connection.exec_driver_sql(
            self._text,
            [tuple(row[name] if turn is None else turn(row[name]) for name, turn in self._places) for row in rows],
        )


def _turn(table: Table, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    return table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)
