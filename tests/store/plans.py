"""How a database carries out what it is asked: on which index, and whether it sorts.

Counterparts: the reads of `gateway/store/`, which are to go by an index however much there is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine


@contextmanager
def asked(engine: AsyncEngine | None = None) -> Iterator[list[tuple[str, Any]]]:
    """The statements that it is asked meanwhile, each with its values; without an engine those of all."""
    statements: list[tuple[str, Any]] = []

    def remember(connection: object, cursor: object, statement: str, parameters: object, *rest: object) -> None:
        statements.append((statement, parameters))

    at: Any = Engine if engine is None else engine.sync_engine
    event.listen(at, "before_cursor_execute", remember)
    try:
        yield statements
    finally:
        event.remove(at, "before_cursor_execute", remember)


async def plan_of(
    engine: AsyncEngine, statement: str, parameters: Any, *, without: Sequence[str] = ("seqscan",), first: str = ""
) -> str:
    """What it would do, in its own words. PostgreSQL reads a small table whole unless it is to do `without` that;
    `first` is carried out there before."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        else:
            if first:
                await connection.exec_driver_sql(first)
            for method in without:
                await connection.execute(text(f"SET LOCAL enable_{method} = off"))
            plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(str(row) for row in plan)
