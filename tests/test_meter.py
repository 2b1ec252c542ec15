"""The meter: what it counts never goes back."""

from gateway.meter import Meter


def test_two_who_ask_at_once_what_was_before_lose_no_call_that_ended_meanwhile() -> None:
    """A count that goes back is a restart to Prometheus, and all of it an increase."""
    meter = Meter()
    meter._end(105, "failed")  # both have read the store as of event 100
    meter.begin({"failed": 2}, 100)
    assert meter.ended == {"failed": 3}
    meter.begin({"failed": 2}, 100)
    assert meter.ended == {"failed": 3}
