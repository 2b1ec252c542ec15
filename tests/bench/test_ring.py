"""A call that never rang is in no percentile: the table says so."""

from bench.ring import CENTRE, ORDER, PLAIN, Times, ring_rows


def test_a_call_that_rang_no_phone_is_not_met() -> None:
    def is_met(sent: int) -> bool | None:
        times = {side: Times([1.0], [1.0], [2.0], [2.0], sent=1) for side in ORDER}
        times[CENTRE].sent = sent
        rows = {row.what: row for row in ring_rows(times, ORDER, CENTRE, beside=PLAIN)}
        assert rows["INVITE to the phone's INVITE, p99"].is_met is True
        return rows["calls that rang no phone"].is_met

    assert is_met(1) is True
    assert is_met(20) is False
