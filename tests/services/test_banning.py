"""Whoever hammers at the SIP door is banned for a while, in words that stay, and let in again when it is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.banning import Banning
from gateway.domain.bans import Ban
from gateway.domain.books import never_banned
from gateway.domain.knocks import Knock, Knocks
from gateway.domain.trunks import Trunk
from tests.domain.values import MONDAY
from tests.services.conftest import ANI
from tests.told import Services

SCANNER = "203.0.113.5"


def banning_of(services: Services) -> Banning:
    return Banning(
        knocks=Knocks(limit=3, within_s=60),
        ban_s=600,
        office=services.office,
        bookkeeper=services.bookkeeper,
        kept_open=lambda books: (*never_banned(books, services.always), "203.0.113.9"),
        clock=services.clock,
        clock_s=services.clock.seconds,
    )


def pass_s(services: Services, seconds: float) -> None:
    services.clock.at = services.clock() + timedelta(seconds=seconds)
    services.clock.now_s += seconds


def knock(banning: Banning, address: str, times: int = 3, *, is_welcome: bool = False) -> None:
    for _ in range(times):
        banning.hear(Knock(address, is_welcome))


async def test_a_scanner_is_kept_out_for_a_while_and_then_let_in_again(services: Services) -> None:
    banning = banning_of(services)
    knock(banning, SCANNER, 2)
    await banning.tick()
    assert not services.switchboard.held.banned
    knock(banning, SCANNER)
    await banning.tick()
    assert services.switchboard.held.banned == {SCANNER}
    assert (banning.banned, banning.in_force) == (1, 1)
    [ban] = await services.store.kept(Ban)
    assert ban.reason == "3 requests within 60 s were refused"
    pass_s(services, 599)
    await banning.tick()
    assert services.switchboard.held.banned == {SCANNER}
    pass_s(services, 1)
    await banning.tick()
    assert not services.switchboard.held.banned
    assert not await services.store.kept(Ban)
    knock(banning, SCANNER)
    await banning.tick()
    assert services.switchboard.held.banned == {SCANNER}


async def test_who_is_known_is_spared_and_counted(services: Services) -> None:
    trunk = Trunk(name="smartfren", carrier="S", addresses=("203.0.113.16/30",), created_at=MONDAY)
    await services.office.create(trunk, ANI)
    banning = banning_of(services)
    knock(banning, "203.0.113.7", 1, is_welcome=True)
    for address in ("203.0.113.17", "203.0.113.9", "203.0.113.7"):
        knock(banning, address)
    await banning.tick()
    assert not await services.store.kept(Ban)
    assert (banning.banned, banning.spared) == (0, 3)


async def test_a_ban_that_a_person_lifted_is_not_made_again_without_new_knocks(services: Services) -> None:
    banning = banning_of(services)
    knock(banning, SCANNER)
    await banning.tick()
    [ban] = await services.store.kept(Ban)
    await services.office.retire(ban, ANI)
    assert not services.switchboard.held.banned
    await banning.tick()
    assert not services.switchboard.held.banned


async def test_a_carrier_that_was_banned_is_let_in_by_its_trunk_and_its_ban_is_over(services: Services) -> None:
    banning = banning_of(services)
    for address in (SCANNER, "203.0.113.17", "203.0.113.21"):
        knock(banning, address)
    await banning.tick()
    [smartfren] = await services.office.put(
        [(None, Trunk(name="smartfren", carrier="S", addresses=("203.0.113.16/30",), created_at=MONDAY))], ANI
    )
    assert services.switchboard.held.banned == {SCANNER, "203.0.113.21"}
    assert {ban.address for ban in await services.store.kept(Ban)} == {SCANNER, "203.0.113.21"}
    await services.office.change(smartfren, replace(smartfren, addresses=("203.0.113.21",)), ANI)
    assert {ban.address for ban in await services.store.kept(Ban)} == {SCANNER}
    # a trunk that goes lets nobody in
    [smartfren] = [each for each in await services.store.kept(Trunk) if each.name == "smartfren"]
    await services.office.retire(smartfren, ANI)
    assert services.switchboard.held.banned == {SCANNER}


async def test_whoever_is_banned_is_named_in_the_log(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    banning = banning_of(services)
    knock(banning, SCANNER)
    await banning.tick()
    [line] = [each for each in caplog.records if each.getMessage() == "address_banned"]
    assert (vars(line)["about"], vars(line)["reason"]) == (SCANNER, "3 requests within 60 s were refused")


async def test_a_flood_from_many_addresses_makes_no_more_than_some_bans_at_once(services: Services) -> None:
    banning = banning_of(services)
    for place in range(100):
        knock(banning, f"203.0.113.{place + 100}")
    await banning.tick()
    assert len(services.switchboard.held.banned) == 20
    await banning.tick()
    assert len(services.switchboard.held.banned) == 40


async def test_a_ban_does_not_hold_where_a_phone_is_registered(services: Services) -> None:
    banning = banning_of(services)
    knock(banning, SCANNER)
    await banning.tick()
    held = services.switchboard.held
    services.switchboard.held = replace(held, registered=frozenset({SCANNER}))
    await services.level.look()
    assert not services.switchboard.held.banned
