"""Days from one to another, as queries name them.

Counterparts: `exchange.py` and `reports.py`, each with the days that are meant where none are said.
"""

from datetime import date, timedelta

from gateway.api.problems import unprocessable


def checked_days(first: date, last: date, most: int) -> tuple[date, date]:
    """Both days. Raises Problem where they are in no order, or more than `most`."""
    if last < first:
        raise unprocessable("?to", f"is before {first}, the first day")
    if last - first >= timedelta(days=most):
        raise unprocessable("?to", f"is {most} days or more after {first}, the first day")
    return first, last
