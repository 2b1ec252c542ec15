"""What somebody can do who has an operator's phone and its password, or sends as one: call the centre's own people, and
nobody at anybody's cost."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator

import pytest

from tests import sip
from tests.calls.knocks import Knocker, a_knocker, status
from tests.calls.test_callbacks import a_task, dial_in_vain, over
from tests.calls.test_fallback import until_talking
from tests.calls.torture import SDP
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

SETTINGS: dict[str, dict[str, object]] = {}

THIEF = "127.0.0.63"
OFFER = SDP.replace("@HOST@", THIEF).replace("\n", "\r\n")
FORBIDDEN = {
    "abroad": ("0062811000111", "00447911123456", "+447911123456", "011442079460000"),
    "a subscriber": ("081100011", "+6281100011", "0318945555", "0211500123"),
    "premium": ("0809123456", "0900123456", "14041"),
    "satellite": ("+881612345678", "008821234567890"),
    "an emergency number": ("112", "110", "119"),
    "a number over a trunk": ("0811000111%40telkomsel", "0811000111@telkomsel", "telkomsel", "1009@telkom"),
    "another technology": ("Local%2F112%40emergency", "PJSIP%2Ftelkomsel", "PJSIP/0811@telkomsel"),
    "several at once": ("1001%26PJSIP%2F0811000111%40telkomsel", "1001&0811", "1001%2C30%2Cg", "*51%26PJSIP"),
    "a step of the dialplan": ("s", "h", "i", "t", "o", "a", "in-or-out", "dial", "ring", "into-call", "arrival"),
    "a function": ("%24%7BSHELL(id)%7D", "%24%7BDB(gateway112%2Fx)%7D", "${EXTEN}", "$[1+1]"),
    "codes that are none": (
        "*",
        "#",
        "*4",
        "*44",
        "*459",
        "*49",
        "*50",
        "*55",
        "*511",
        "**",
        "*21*0811000111%23",
        "*72081100",
    ),
    "nothing and much": ("%00", "%0d%0a", "1" * 200, "9" * 7),
}
"""What is dialled, by what the thief hopes for. Three to six digits are colleagues' numbers: see below."""


@pytest.fixture
async def telkom(own_centre: RealCentre) -> AsyncIterator[socket.socket]:
    """Where calls over each trunk would arrive: nothing may."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.14", 5060))
        carrier.setblocking(False)
        yield carrier
        with pytest.raises(BlockingIOError):
            carrier.recv(65535)


@pytest.fixture
async def thief(own_centre: RealCentre, own_api: Api) -> AsyncIterator[tuple[Knocker, Json]]:
    operator = await own_api.operator("1001", None)
    async with a_knocker(own_centre.sip_port, THIEF) as knocker:
        assert await knocker.tries_a_password("1001", operator["secret"]) == "200"
        yield knocker, operator


async def dialled(thief: Knocker, secret: str, number: str, *headers: str) -> str:
    """What is said to the phone that dials so; a call that was answered is ended."""
    more = {"to": number, "headers": (*headers, "Content-Type: application/sdp"), "body": OFFER}
    return await thief.asked_with_password("INVITE", "1001", secret, **more)


@pytest.mark.parametrize("kind", FORBIDDEN)
async def test_an_operators_phone_cannot_dial(
    own_centre: RealCentre, own_api: Api, telkom: socket.socket, thief: tuple[Knocker, Json], kind: str
) -> None:
    knocker, operator = thief
    before = len(await own_api.calls())
    for number in FORBIDDEN[kind]:
        said = status(await dialled(knocker, operator["secret"], number))
        # not found; silence or a refusal where it is no number at all to Asterisk; h is there, and hangs up
        assert said in ("404", "", "400", "416", "484") or (number, said) == ("h", "603"), (number, said)
    assert "0 active channels" in own_centre.cli("core show channels")
    assert len(await own_api.calls()) == before


async def test_a_colleagues_number_rings_a_phone_of_the_centres_or_nothing(
    own_centre: RealCentre, own_api: Api, telkom: socket.socket, thief: tuple[Knocker, Json]
) -> None:
    knocker, operator = thief
    for number in ("113", "911", "1500", "14045", "108108", "9999"):
        assert status(await dialled(knocker, operator["secret"], number)) == "404", number
    async with Sipp(
        sip.phone_refuses("302 Moved\n      Contact: <sip:0811000111@127.0.0.14>"), address="127.0.0.21"
    ) as phone:
        await own_api.operator("1002", phone, queue="")
        said = status(await dialled(knocker, operator["secret"], "1002"))
    assert said.startswith(("4", "5", "6")), "a colleague's phone sends nobody elsewhere"
    assert "0 active channels" in own_centre.cli("core show channels")


@pytest.mark.parametrize(
    "elsewhere",
    ["PJSIP%2F0809123456%40telkom", "PJSIP/0809123456%40telkom", "Local/dial%40from-callback", "0809123456"],
)
async def test_a_phone_that_the_centre_rings_has_nobody_else_called(
    own_centre: RealCentre, own_api: Api, telkom: socket.socket, elsewhere: str
) -> None:
    """It answers with SIP 302; what Asterisk makes of that it would call over a trunk, at the centre's cost."""
    task = await a_task(own_centre, own_api, f"08123450{len(elsewhere):02}")
    before = {each["id"] for each in await own_api.calls()}
    async with Sipp(sip.phone_sends_elsewhere(f"sip:{elsewhere}@127.0.0.21"), address="127.0.0.21") as phone:
        operator = await own_api.operator("1004", phone, queue="")
        await dial_in_vain(own_api, task, operator)
        _, dial = await over(own_api, task)
    assert (dial["result"], dial["rung_at"]) == ("operator_missed", None)
    assert "0 active channels" in own_centre.cli("core show channels")
    come = [each for each in await own_api.calls() if each["id"] not in before]
    assert not come, "a line of the centre's own is no call to 112"


async def test_who_knows_one_password_speaks_for_no_other_phone(own_api: Api, thief: tuple[Knocker, Json]) -> None:
    knocker, operator = thief
    await own_api.operator("1003", None)
    secret = operator["secret"]
    assert status(await knocker.asked_with_password("REGISTER", "1003", secret, user="1001")) == "401"
    more = {"to": "*43", "headers": ("Content-Type: application/sdp",), "body": OFFER}
    assert status(await knocker.asked_with_password("INVITE", "1003", secret, user="1001", **more)) == "401"


ELSEWHERE = (
    "sip:x@a>;expires=0,<sip:0811000111@127.0.0.12:5060",
    "sip:x@a>;expires=0,<sip:0811000111@localhost:5060",
    "sip:x@a>;expires=0,<sip:0811000111@2130706444:5060",
    "sip:x@a>;expires=0,<sip:0811000111@127.0.014:5060",
    "sip:0811000111@x;maddr=127.0.0.12",
)
"""What a REGISTER may name so that a call to the phone would go to a carrier."""


async def is_forgotten(centre: RealCentre, phone: str) -> None:
    async with asyncio.timeout(5):
        while f"{phone}/" in centre.cli("pjsip show contacts"):
            await asyncio.sleep(0.05)


async def until_alarming(api: Api, phones: list[str]) -> None:
    """Until these are the phones of which the alarm stands."""
    async with asyncio.timeout(10):
        while True:
            standing = (await api.get("/v1/alarms?standing=true"))["items"]
            if phones == [each["subject"] for each in standing if each["kind"] == "phone_leads_elsewhere"]:
                return
            await asyncio.sleep(0.1)


async def test_a_phone_is_rung_where_it_registered_from_and_nowhere_else(
    own_centre: RealCentre, own_api: Api, thief: tuple[Knocker, Json]
) -> None:
    knocker, operator = thief
    for contact in ("sip:0811000111@127.0.0.14:5060", "sip:x@premium.example"):
        assert await knocker.tries_a_password("1001", operator["secret"], contact=contact) == "200"
        assert f"@{THIEF}:{knocker.port}" in own_centre.cli("pjsip show contacts")
        assert "127.0.0.14:5060" not in re.findall("1001/.*", own_centre.cli("pjsip show contacts"))[0]
    # nor for longer than until a phone that Asterisk has forgotten must be back
    said = await knocker.asked_with_password("REGISTER", "1001", operator["secret"], headers=("Expires: 3600",))
    assert "Expires: 120" in said.splitlines(), said
    # nor at a second address of one REGISTER, which Asterisk takes as it is, nor where the first one leads on to
    for place, contact in enumerate(ELSEWHERE):
        phone = str(2000 + place)
        secret = (await own_api.operator(phone, None, queue=""))["secret"]
        assert await knocker.tries_a_password(phone, secret, contact=contact) == "200"
        await is_forgotten(own_centre, phone)


async def test_a_phone_that_registers_elsewhere_may_not_before_it_has_another_secret_and_is_not_there(
    own_centre: RealCentre, own_api: Api, thief: tuple[Knocker, Json]
) -> None:
    """Forgotten alone, it would be rung there in between, and a carrier who answers OPTIONS be a phone that is free."""
    knocker, operator = thief
    secret = operator["secret"]
    async with Sipp(sip.carrier_answers("OPTIONS"), address="127.0.0.12", port=5060):
        async with asyncio.timeout(5):
            while await knocker.tries_a_password("1001", secret, contact=ELSEWHERE[0]) == "200":
                await asyncio.sleep(0.1)
        await is_forgotten(own_centre, "1001")
        await until_alarming(own_api, ["1001"])
        for contact in (ELSEWHERE[0], ""):
            assert await knocker.tries_a_password("1001", secret, contact=contact) == "403"
        assert "1001/" not in own_centre.cli("pjsip show contacts")

        changed = await own_api.send("PATCH", f"/v1/operators/{operator['id']}", {"renew_secret": True})
        assert changed["applied"], changed
        for _ in range(10):
            await asyncio.sleep(0.2)
            assert re.search("Endpoint: +1001 +Unavailable", own_centre.cli("pjsip show endpoint 1001"))
    assert await knocker.tries_a_password("1001", secret) == "401"
    assert await knocker.tries_a_password("1001", changed["secret"]) == "200"
    await until_alarming(own_api, [])
    assert status(await dialled(knocker, changed["secret"], "999")) == "404", "it may dial as ever"


async def test_a_call_that_went_elsewhere_before_it_was_found_is_ended_and_its_caller_waits_again(
    own_centre: RealCentre, own_api: Api, thief: tuple[Knocker, Json]
) -> None:
    knocker, operator = thief
    own_centre.stop_gateway()
    assert await knocker.tries_a_password("1001", operator["secret"], contact=ELSEWHERE[0]) == "200"
    carrier = Sipp(sip.phone_answers(), address="127.0.0.12", port=5060, options=("-aa",))
    async with carrier, Sipp.caller(sip.caller_talks(hold_ms=30_000), own_centre.sip_port):
        await until_talking(own_centre, "1001-", 1)
        own_centre.start_gateway()
        await until_talking(own_centre, "1001-", 0)
        assert "call_elsewhere_ended" in own_centre.log()
        await until_talking(own_centre, "telkomsel-", 1)
    await is_forgotten(own_centre, "1001")
