"""The SIP door: whoever sweeps it is told nothing, counted and kept out, and neither a trunk nor a phone ever is."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.asterisk import site
from gateway.asterisk.link import AmiLink, LinkState
from gateway.asterisk.logfiles import LogFiles
from tests import sip
from tests.calls.knocks import a_knocker, status
from tests.calls.phones import a_phone
from tests.calls.test_stories import since, the_call
from tests.centre import Api, RealCentre
from tests.sip import TELKOMSEL, Sipp

pytestmark = pytest.mark.asterisk

SETTINGS = {"sip": {"ban_after": 20, "ban_within_s": 60, "never_banned": []}}
SCANNER = "127.0.0.66"
SWEEP = 300


@pytest.fixture
async def api(own_api: Api) -> AsyncIterator[Api]:
    """The door is open to everybody again after each test."""
    yield own_api
    for ban in (await own_api.get("/v1/bans"))["items"]:
        await own_api.send("DELETE", f"/v1/bans/{ban['id']}", status=204)


async def ban_of(api: Api, address: str) -> dict[str, object]:
    """The ban of that address, once it is there and Asterisk was told of it."""
    async with asyncio.timeout(10):
        while True:
            for ban in (await api.get("/v1/bans"))["items"]:
                if ban["address"] == address:
                    return ban
            await asyncio.sleep(0.05)


async def metric(api: Api, name: str) -> float:
    """The sum of a metric's values."""
    async with api.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and line[len(name)] in " {")


async def test_known_and_unknown_phones_are_asked_alike(own_centre: RealCentre, api: Api) -> None:
    await api.operator("1001", None)
    async with a_knocker(own_centre.sip_port, "127.0.0.61") as knocker:
        for method in ("OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE"):
            said = []
            for user in ("1001", "7777"):
                answer = await knocker.asked(knocker.request(method, user))
                head = [line.partition(":")[0] for line in answer.splitlines()]
                challenges = [line for line in answer.splitlines() if line.startswith("WWW-Authenticate")]
                told = [re.sub('(nonce|opaque)="[^"]+"', "", line) for line in challenges]
                said.append((status(answer), head, told))
            assert said[0] == said[1]
            assert said[0][0] == "401"


async def test_a_sweep_is_told_nothing_and_counted_and_then_kept_out(own_centre: RealCentre, api: Api) -> None:
    calls = len(await api.calls())
    refused = await metric(api, "gateway112_sip_refused_total")
    answers: dict[str, int] = {}
    async with a_knocker(own_centre.sip_port, SCANNER) as scanner:
        for place in range(SWEEP):
            method = ("OPTIONS", "REGISTER", "INVITE")[place % 3]
            said = status(await scanner.asked(scanner.request(method, f"{1000 + place}")))
            answers[said] = answers.get(said, 0) + 1
            if place == 30:
                ban = await ban_of(api, SCANNER)
                while status(await scanner.asked(scanner.request("OPTIONS", "1"))) != "403":
                    await asyncio.sleep(0.05)
        last = await scanner.asked(scanner.request("INVITE", "1001"))
    assert set(answers) == {"401", "403"}
    assert answers["403"] == SWEEP - 31
    assert ban["in_force"]
    assert ban["reason"] == "20 requests within 60 s were refused"
    assert "asterisk" not in last.lower()
    assert "www-authenticate" not in last.lower()
    assert await metric(api, "gateway112_sip_refused_total") >= refused + 20
    assert await metric(api, "gateway112_sip_banned_addresses") == 1
    assert len(await api.calls()) == calls
    assert "0 active channels" in own_centre.cli("core show channels")
    told = [event for event in await api.events() if event["type"] == "ban.created"]
    assert told[-1]["data"]["address"] == SCANNER


@pytest.mark.parametrize(
    ("address", "ends"),
    [
        ("127.0.0.71", "%0d%0aRemoteAddress%3a//127.0.0.79/"),
        ("127.0.0.72", "%0d%0aRemoteAddress%3a//127.0.0.79/%0d%0a%0d%0a"),
        ("127.0.0.73", "%0d%0a%0d%0aEvent%3aFullyBooted"),
        ("127.0.0.74", "%ff%fe"),
    ],
)
async def test_a_name_with_line_ends_or_in_no_text_bans_nobody_else_and_hides_nobody(
    own_centre: RealCentre, api: Api, address: str, ends: str
) -> None:
    async with a_knocker(own_centre.sip_port, address) as scanner:
        for _ in range(25):
            await scanner.asked(scanner.request("REGISTER", ends))
    await ban_of(api, address)
    assert [ban["address"] for ban in (await api.get("/v1/bans"))["items"]] == [address]


async def test_a_phone_gives_its_password_by_sha_256_or_by_md5_and_both_are_kept_as_digests(
    own_centre: RealCentre, api: Api
) -> None:
    operator = await api.operator("1005", None)
    async with a_knocker(own_centre.sip_port, "127.0.0.64") as knocker:
        challenge = await knocker.asked(knocker.request("REGISTER", "1005"))
        assert re.findall(r"algorithm=([^,]+),", challenge) == ["SHA-256", "MD5"]
        for algorithm in ("SHA-256", "MD5"):
            assert await knocker.tries_a_password("1005", operator["secret"], algorithm=algorithm) == "200"
            assert await knocker.tries_a_password("1005", "wrong", algorithm=algorithm) == "401"
    held = (own_centre.settings.asterisk_dir / "etc/pjsip_wizard.conf").read_text()
    assert operator["secret"] not in held
    assert "SHA-256:" in held


async def test_passwords_cannot_be_tried_out_and_a_lifted_ban_lets_the_phone_in(
    own_centre: RealCentre, api: Api
) -> None:
    operator = await api.operator("1002", None)
    async with a_knocker(own_centre.sip_port, "127.0.0.67") as guesser:
        assert await guesser.tries_a_password("1002", "wrong") == "401"
        assert await guesser.tries_a_password("1002", operator["secret"]) == "200"
    async with a_knocker(own_centre.sip_port, "127.0.0.68") as guesser:
        tried = 0
        async with asyncio.timeout(20):
            while await guesser.tries_a_password("1002", f"guess{tried}") == "401":
                tried += 1
                await asyncio.sleep(0.05)
        assert 10 <= tried <= 100
        assert await guesser.tries_a_password("1002", operator["secret"]) == "403"
        ban = await ban_of(api, "127.0.0.68")
        await api.send("DELETE", f"/v1/bans/{ban['id']}", status=204)
        assert await guesser.tries_a_password("1002", operator["secret"]) == "200"
    deeds = (await api.get("/v1/audit", limit=200))["items"]
    assert {("centre", "ban.created"), ("admin", "ban.retired")} <= {(each["actor"], each["action"]) for each in deeds}


async def test_the_address_of_a_registered_phone_is_never_banned(own_centre: RealCentre, api: Api) -> None:
    operator = await api.operator("1003", None)
    spared = await metric(api, "gateway112_sip_bans_total")
    async with a_phone(own_centre, "1003", operator["secret"]) as phone:
        async with a_knocker(own_centre.sip_port, "127.0.0.1") as neighbour:
            for place in range(60):
                assert status(await neighbour.asked(neighbour.request("REGISTER", f"{2000 + place}"))) == "401"
        async with asyncio.timeout(10):
            while await metric(api, "gateway112_sip_bans_total") == spared:
                await asyncio.sleep(0.05)
        assert not (await api.get("/v1/bans"))["items"]
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        made = await api.send("POST", "/v1/bans", {"address": "127.0.0.1", "reason": "a mistake", "until": until})
        assert made["in_force"]
        await phone.dial("*45")


async def test_a_trunk_is_never_banned_and_an_address_that_becomes_one_is_let_in_at_once(
    own_centre: RealCentre, api: Api
) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for address in (TELKOMSEL, "127.0.0.15"):
        body = {"address": address, "reason": "a mistake", "until": until}
        await api.send("POST", "/v1/bans", body, status=409)
    address = "127.0.0.69"
    await api.send("POST", "/v1/bans", {"address": address, "reason": "a scanner", "until": until}, status=201)
    async with a_knocker(own_centre.sip_port, address) as knocker:
        assert status(await knocker.asked(knocker.request("OPTIONS", "x"))) == "403"
        made = await api.send("POST", "/v1/trunks", {"name": "smartfren", "carrier": "S", "addresses": [address]})
        assert status(await knocker.asked(knocker.request("OPTIONS", "x"))) == "200"
        assert not (await api.get("/v1/bans"))["items"]
        await api.send("DELETE", f"/v1/trunks/{made['id']}", status=204)
        assert status(await knocker.asked(knocker.request("OPTIONS", "x"))) == "401"


async def test_bans_come_and_go_while_calls_run(own_centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        await api.operator("1004", phone)
        calling = asyncio.create_task(sip.call(sip.caller_talks(hold_ms=3000), own_centre.sip_port))
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for place in range(30):
            body = {"address": f"127.0.1.{place}", "reason": "a scanner", "until": until}
            await api.send("POST", "/v1/bans", body, status=201)
        assert (await calling).failed == 0
        assert (await the_call(api, mark))["outcome"] == "answered"
    listed = (own_centre.settings.asterisk_dir / "etc/banned.conf").read_text()
    assert listed.count("deny = 127.0.1.") == 30
    for ban in (await api.get("/v1/bans"))["items"]:
        await api.send("DELETE", f"/v1/bans/{ban['id']}", status=204)
    assert "deny" not in (own_centre.settings.asterisk_dir / "etc/banned.conf").read_text()


async def test_asterisks_own_logs_are_kept_short_and_go_on(own_centre: RealCentre, api: Api) -> None:
    settings = own_centre.settings
    folder = settings.asterisk_dir / "log"
    async with a_knocker(own_centre.sip_port, "127.0.0.62") as knocker:
        assert status(await knocker.asked(knocker.request("OPTIONS", "before"))) == "401"
        link = AmiLink(
            host=settings.ami.host,
            port=settings.ami.port,
            username=site.AMI_USER,
            secret=site.ami_secret(settings),
            on_event=lambda event: None,
        )
        linked = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(10):
                while link.state is not LinkState.UP:
                    await asyncio.sleep(0.02)
            await LogFiles(link, folder, limit_bytes=10).look()
        finally:
            linked.cancel()
        assert "sip:before@" in (folder / "messages.1").read_text()
        assert status(await knocker.asked(knocker.request("OPTIONS", "after"))) == "401"
    async with asyncio.timeout(10):
        while "sip:after@" not in (folder / "messages").read_text() or not (folder / "security").stat().st_size:
            await asyncio.sleep(0.05)
    assert "sip:before@" not in (folder / "messages").read_text()
