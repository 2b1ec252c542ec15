"""Advice on arriving calls, and what in it is in vain."""

from gateway.domain.advice import Advice, TrunkRule, advise, in_vain, no_such_queue, out_of_reach, unreachable

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


def test_a_last_resort_that_nobody_has_is_named() -> None:
    dial = "PJSIP/1001&PJSIP/1099&PJSIP/0812@telkom&PJSIP/0812@nope"

    assert unreachable(dial, {"telkom"}, {"1001"}) == [
        "gateway.toml, call.last_resort: no operator has phone 1099: it cannot be rung.",
        "gateway.toml, call.last_resort: there is no trunk nope; known are telkom.",
    ]
    assert unreachable("", (), ()) == []


def test_a_queue_of_the_centre_that_is_not_there_is_named_with_where_calls_wait() -> None:
    assert no_such_queue("emergancy", {"emergency", "medical"}, "emergency") == [
        "gateway.toml, call.queue: there is no queue emergancy; known are emergency, medical: calls wait in emergency "
        "meanwhile."
    ]
    assert no_such_queue("emergancy", {"medical"}, "emergancy")[0].endswith("medical: callers hear the fallback.")
    assert no_such_queue("emergency", {"emergency"}, "emergency") == no_such_queue("", (), "") == []


def test_a_trunk_from_outside_does_not_reach_an_asterisk_that_listens_to_its_own_machine() -> None:
    trunks = {"near": ("127.0.0.11",), "far": ("127.0.0.12", "10.20.0.5")}

    assert out_of_reach("127.0.0.1", trunks) == [
        "Trunk far comes from 10.20.0.5, and Asterisk listens at 127.0.0.1 alone: set sip.host."
    ]
    assert out_of_reach("0.0.0.0", trunks) == out_of_reach("10.20.0.1", trunks) == []  # noqa: S104
