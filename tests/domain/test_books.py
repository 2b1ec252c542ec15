"""Where each phone has its places: by the roster, at any hour, and where a login leads."""

from gateway.domain.books import Books, wanted
from gateway.domain.holding import Holding, Member
from gateway.domain.presence import Presence, Said
from gateway.domain.roster import Assignment
from tests.domain.values import assigned, books, local, operator, plan, queue, shift

SITI, BUDI = operator(1), operator(2, home_queues=("fire",))
BOTH = (queue(), queue("fire"))


def kept(*things: Assignment, standing: tuple[Member, ...] = ()) -> Books:
    return books(plan([shift()], *things), SITI, BUDI, queues=BOTH, standing=standing)


def test_who_is_on_the_roster_and_has_a_standing_place_is_rung_by_the_lower_penalty_and_logs_in_with_it() -> None:
    for rostered, stands in ((5, 1), (1, 5)):
        there = kept(assigned(1, penalty=rostered), standing=(Member("emergency", "1001", stands),))
        assert there.places(local(7)) == {("emergency", "1001"): Member("emergency", "1001", 1)}
        assert there.places_if_in(SITI, local(7)) == {"emergency": 1}
        assert there.places_if_in(SITI, local(15)) == {"emergency": stands}


def test_a_login_outside_of_any_shift_leads_home() -> None:
    there = kept(assigned(1))
    assert there.logins(local(7)) == {"1001": {"emergency": 0}, "1002": {"fire": 0}}
    assert there.places_if_in(BUDI, local(7)) == {"fire": 0}


def test_the_notes_tell_the_dialplan_where_each_login_leads() -> None:
    there = kept(assigned(1, penalty=3), assigned(1, queue="fire", id=7), standing=(Member("fire", "1002", 2),))
    notes = wanted(there, Holding(), local(7)).notes
    assert notes["login/1001"] == "emergency=3&fire=0"
    assert notes["login/1002"] == "fire=2"


def test_asking_where_places_are_changes_none() -> None:
    """Who logged in by himself has places of his own beside the roster's, in this answer alone."""
    there = kept(assigned(1)).with_presence(Presence(1, said=Said.IN, said_at=local(6), queues=("fire",)))
    expected = {("emergency", "1001"), ("fire", "1001")}
    assert set(there.places(local(7))) == set(there.places(local(7))) == expected
    assert there.places_if_in(SITI, local(7)) == {"emergency": 0}
