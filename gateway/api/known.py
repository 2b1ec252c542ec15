"""Names in a query: a trunk or a queue that there never was is a slip of the pen, and no empty list.

Counterparts: the lists and reports that are asked of one trunk or of one queue.
"""

from gateway.api.context import Context
from gateway.api.problems import unprocessable


async def refuse_unknown(context: Context, *, trunk: str | None = None, queue: str | None = None) -> None:
    """Raises Problem (422) for a name that nothing has and nothing had; those that are retired have a history."""
    for word, name, names in (
        ("trunk", trunk, context.office.trunk_names),
        ("queue", queue, context.office.queue_names),
    ):
        if name is not None and name not in (known := await names()):
            raise unprocessable(f"?{word}", f"there is no {word} {name}: known are {', '.join(sorted(known))}")
