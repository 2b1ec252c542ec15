"""Advice on arriving calls, and what in it is in vain."""

from gateway.domain.advice import Advice, TrunkRule, advise, in_vain

RULES = {"indosat": TrunkRule("medical", 2), "telkom": TrunkRule()}


def test_a_trunk_with_a_rule_gets_its_advice_and_any_other_none() -> None:
    assert advise("indosat", RULES) == Advice("medical", 2)
    assert advise("telkom", RULES).is_empty
    assert advise("xlsmart", RULES).is_empty


def test_rules_about_what_is_there_are_not_in_vain() -> None:
    assert in_vain(RULES, {"indosat", "telkom"}, {"emergency", "medical"}) == []
    assert in_vain({"probe": TrunkRule()}, (), ()) == []


def test_a_rule_about_a_trunk_or_queue_that_is_not_there_is_named_with_those_that_are() -> None:
    assert in_vain(RULES, {"telkomsel", "telkom"}, {"emergency"}) == [
        "gateway.toml, [trunks.indosat]: there is no trunk indosat; known are telkom, telkomsel.",
        "gateway.toml, trunks.indosat.queue: there is no queue medical; known are emergency.",
    ]
