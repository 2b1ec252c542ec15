"""The plan of a campaign: the seed alone gives it."""

from chaos import plan
from chaos.faults import FAULTS


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    made = [plan.make(seed, FAULTS, seconds=3600, every_s=17) for seed in (5, 5, 6)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_an_hour_has_two_hundred_faults_and_each_of_them_several_times() -> None:
    names = [each.fault.name for each in plan.make(5, FAULTS, seconds=3600, every_s=17)]
    assert len(names) >= 200
    assert min(names.count(fault.name) for fault in FAULTS) >= 3


def test_a_short_campaign_has_each_family_once_before_one_comes_again() -> None:
    families = {fault.family for fault in FAULTS}
    planned = plan.make(5, FAULTS, seconds=10 * len(families), every_s=10)
    assert {each.fault.family for each in planned} == families
    assert all(each.fault.shortest_s <= each.hold_s <= each.fault.longest_s for each in planned)
    assert [each.at_s for each in planned] == sorted(each.at_s for each in planned)
