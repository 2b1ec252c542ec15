"""What a soak's table says beside its trends."""

from bench import leaks, soak
from bench.report import Row
from chaos.conservation import Kind


def rows(calls: int, found: dict[Kind, list[str]], *, is_heard: bool = True) -> dict[str, Row]:
    trends = {figure: leaks.trend([], floor=1) for figure in soak.FIGURES}
    made = soak._block(trends, calls, 120, {kind: found.get(kind, []) for kind in Kind}, is_heard=is_heard)
    return {row.what: row for row in made.rows}


def test_a_soak_to_which_the_calls_did_not_come_or_whose_calls_were_lost_is_not_met() -> None:
    came, bad = "calls that came, of those that should", "lost, wrong or repeated, with the recordings"
    whole = rows(36_000, {})
    assert (whole[came].is_met, whole[bad].is_met) == (True, True)
    assert rows(20_000, {})[came].is_met is False
    assert rows(36_000, {Kind.LOST: ["0811: the history does not have it"]})[bad].is_met is False
    assert rows(36_000, {}, is_heard=False)["its listener heard it to the end"].is_met is False
