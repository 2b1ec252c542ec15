"""Who asks too often, or is wrong too often, is told to wait, and nobody else is kept out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector
from aiohttp.test_utils import make_mocked_request

from gateway.api.limits import Limits, asker, by_network
from gateway.settings import ApiSettings
from tests.api.house import House, Reply, open_house

PROXY = ip_network("127.0.0.0/8")


class Now:
    """A clock that never leaps, and that the test moves on."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def limits(now: Now, *, address: float = 0, token: float = 0, wrong: int = 0) -> Limits:
    return Limits(per_address_s=address, per_token_s=token, wrong_tokens_per_min=wrong, clock_s=now)


@asynccontextmanager
async def asking_from(house: House, address: str) -> AsyncIterator[House]:
    """The same house, asked from another address of the loopback."""
    mine, house.session = house.session, ClientSession(connector=TCPConnector(local_addr=(address, 0)))
    try:
        async with house.session:
            yield house
    finally:
        house.session = mine


def statuses(replies: list[Reply]) -> list[int]:
    return [reply.status for reply in replies]


async def test_an_address_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, address=2.0)) as house:
        first = [await house.get("/v1/queues") for _ in range(11)]
        # what is not there, and what is no operation, counts as well
        elsewhere = [await house.get("/v1/nothing", token=None), await house.ask("DELETE", "/v1/calls")]
        now.s += 0.5
        later = [await house.get("/v1/queues") for _ in range(2)]
        async with asking_from(house, "127.0.0.9"):
            other = await house.get("/v1/queues")

    assert statuses(first) == [200] * 10 + [429]
    assert first[-1].headers["Retry-After"] == "1"
    assert first[-1].json["detail"] == "Too many requests come from this address."
    assert statuses(elsewhere) == [429, 429]
    assert statuses(later) == [200, 429]
    assert other.status == 200
    assert house.context.limits.refused == {"address": 4}


async def test_who_watches_112_is_answered_whatever_else_comes_from_there(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, address=1.0, token=1.0)) as house:
        while (await house.get("/v1/queues")).status == 200:
            pass
        watched = [await house.get(path) for path in ("/v1/health", "/metrics") for _ in range(25)]
        flooded = [await house.get("/v1/health", token=None) for _ in range(3)]

    assert statuses(watched) == [200] * 50
    assert statuses(flooded) == [429] * 3, "but nobody floods it: it asks the database"
    assert 'gateway112_api_refused_total{reason="address"} 1.0' in watched[-1].text


async def test_a_token_that_asks_too_often_is_told_so_wherever_it_asks_from(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, token=0.4)) as house:
        here = [await house.get("/v1/queues") for _ in range(2)]
        async with asking_from(house, "127.0.0.9"):
            there = await house.get("/v1/queues")
        other = await house.get("/v1/queues", token="supervisor")

    assert (statuses(here), there.status, other.status) == ([200, 200], 429, 200)
    assert there.headers["Retry-After"] == "3"
    assert there.json["detail"] == "Too many requests come with this token."


async def test_wrong_tokens_are_throttled_and_who_was_known_there_is_not_kept_out(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, wrong=6)) as house:
        await house.get("/v1/queues", token="reader")
        guesses = [await house.get("/v1/queues", token=f"guess {number}") for number in range(9)]
        known = await house.get("/v1/queues", token="reader")
        new = await house.get("/v1/queues", token="supervisor")
        unasked = await house.get("/v1/queues", token=None)
        async with asking_from(house, "127.0.0.9"):
            elsewhere = await house.get("/v1/queues", token="supervisor")
        now.s += 10
        after_a_while = await house.get("/v1/queues", token="supervisor")
        guess = [await house.get("/v1/queues", token="guess") for _ in range(2)]

    assert statuses(guesses) == [401] * 6 + [429] * 3
    assert guesses[-1].headers["Retry-After"] == "10"
    assert (known.status, new.status, unasked.status, elsewhere.status) == (200, 429, 401, 200)
    assert after_a_while.status == 200
    assert statuses(guess) == [401, 429]


async def test_a_guess_that_is_throttled_does_not_reach_the_database(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, wrong=1)) as house:
        await house.get("/v1/queues", token="guess")
        await house.take_database_away()
        guess = await house.get("/v1/queues", token="guess")
        await house.bring_database_back()

    assert guess.status == 429


async def test_a_throttled_address_is_logged_once_in_a_while_and_not_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, wrong=1)) as house:
        for number in range(20):
            await house.get("/v1/queues", token=f"guess {number}")

    told = [record for record in caplog.records if record.message == "api_throttled"]
    assert [(record.reason, record.address) for record in told] == [("wrong_token", "127.0.0.1")]  # type: ignore[attr-defined]


async def test_what_is_kept_of_addresses_and_tokens_has_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.limits.MOST_KEYS", 2)
    now = Now()
    async with open_house(tmp_path, limits=limits(now, wrong=1)) as house:
        for name in ("admin", "reader", "supervisor"):
            await house.get("/v1/queues", token=name)
        await house.get("/v1/queues", token="guess")
        found = [await house.get("/v1/queues", token=name) for name in ("admin", "reader", "supervisor")]

    assert statuses(found) == [429, 200, 200]


async def test_behind_our_own_proxy_each_asker_is_counted_and_named_by_his_own_address(tmp_path: Path) -> None:
    now = Now()
    async with open_house(tmp_path, limits=limits(now, address=0.2), proxies=[PROXY]) as house:
        first, second = ({"X-Forwarded-For": f"10.9.9.9, 10.0.0.{number}, 127.0.0.7"} for number in (1, 2))
        replies = [await house.get("/v1/queues", headers=headers) for headers in (first, first, second)]
        made = await house.post(
            "/v1/pause-reasons", {"digit": "9", "name": "rapat"}, headers={"X-Forwarded-For": "::1"}
        )
        now.s += 60
        entries = (await house.get("/v1/audit?limit=1000")).json["items"]

    assert statuses(replies) == [200, 429, 200]
    assert (made.status, entries[-1]["address"]) == (201, "::1")


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("192.0.2.1", ["10.0.0.1"], "192.0.2.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2", "127.0.0.9"], "10.0.0.2"),
        ("127.0.0.1", ["10.0.0.1, <script>"], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", [", ,"], "127.0.0.1"),
        ("", ["10.0.0.1"], ""),
    ],
)
def test_only_our_own_proxies_say_for_whom_they_ask(remote: str, forwarded: list[str], found: str) -> None:
    assert asker(remote, forwarded, [PROXY]) == found


def test_an_ipv6_subscriber_is_one_whatever_address_he_takes() -> None:
    assert by_network("2001:db8::1") == by_network("2001:db8::ffff:1") == "2001:db8::/64"
    assert by_network("2001:db8:0:1::1") != by_network("2001:db8::1")
    assert by_network("192.0.2.1") == by_network("::ffff:192.0.2.1") == "192.0.2.1"


def test_by_default_a_wall_a_cad_and_an_admin_are_never_told_to_wait() -> None:
    """Ten minutes, all from one address: a CAD that asks 12 times a second, a wall that looks twice a second, and an
    admin's command that lists 200 pages at once, every minute."""
    now, request = Now(), make_mocked_request("GET", "/v1/calls")
    found = Limits.of(ApiSettings(), now)
    for second in range(600):
        now.s += 1
        for token, count in ((1, 12), (2, 2), (3, 0 if second % 60 else 200)):
            for _ in range(count):
                found.take_request(request)
                found.take_token(request, token)

    assert not found.refused
