"""A centre that is tortured goes on: messages that are hard to read, or broken, end neither Asterisk nor the gateway
nor a call that runs, and 112 answers the next one."""

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import AsyncIterator, Mapping

import pytest

from tests import sip
from tests.calls import torture
from tests.calls.knocks import Knocker, a_knocker, status
from tests.calls.test_stories import since
from tests.centre import Api, RealCentre
from tests.sip import INDOSAT, TELKOMSEL, Sipp

pytestmark = pytest.mark.asterisk

SETTINGS = {"sip": {"ban_after": 0}}
STRANGER = "127.0.0.66"
TOLD_TO_STRANGERS = {"", "400", "401", "416", "481"}
"""Silence; that it cannot be read; who are you; not that scheme; no such call."""


@pytest.fixture
async def tortured(own_centre: RealCentre, own_api: Api) -> AsyncIterator[Knocker]:
    """A carrier's socket; while a test has it a call runs, which goes on to its end, and another one is answered
    afterwards."""
    gateway, asterisk = own_centre.gateway_pid, own_centre.asterisk_pid
    mark = await since(own_api)
    await own_api.retire_advice()
    async with (
        Sipp(sip.phone_answers(), address="127.0.0.21") as phone,
        a_knocker(own_centre.sip_port, TELKOMSEL) as carrier,
    ):
        await own_api.operator("1001", phone)
        waits = sip.caller_waits(caller="<sip:0812000001@127.0.0.12>")
        async with Sipp.caller(waits, own_centre.sip_port, address=INDOSAT) as caller:
            await _talks(own_api, "0812000001")
            yield carrier
            await _talks(own_api, "0812000001")
            own_centre.cli("channel request hangup all")
            assert (await caller.result()).failed == 0
    async with Sipp(sip.phone_answers(), address="127.0.0.22") as phone:
        await own_api.operator("1002", phone)
        last = sip.caller_waits(caller="<sip:0812000002@127.0.0.12>")
        async with Sipp.caller(last, own_centre.sip_port, address=INDOSAT) as caller:
            await _talks(own_api, "0812000002")
            own_centre.cli("channel request hangup all")
            assert (await caller.result()).failed == 0
    calls = await own_api.ended_calls(2, after=mark)
    outcomes = {call["caller"]: call["outcome"] for call in calls}
    assert outcomes["0812000001"] == outcomes["0812000002"] == "answered"
    assert (own_centre.gateway_pid, own_centre.asterisk_pid) == (gateway, asterisk)
    assert "0 active channels" in own_centre.cli("core show channels")
    assert "Traceback" not in own_centre.log("gateway")


async def _talks(api: Api, caller: str) -> None:
    async with asyncio.timeout(40):  # who finds nobody at a phone yet hears the fallback first
        while not any(
            call["caller"] == caller and call["stage"] == "talking" for call in (await api.get("/v1/calls"))["items"]
        ):
            await asyncio.sleep(0.05)


async def sent(knocker: Knocker, centre: RealCentre, messages: Mapping[str, str]) -> dict[str, str]:
    """Sends each of them, a moment apart; returns the status of each one's first answer that is none on the way, empty
    for silence. An answer is known by its Call-ID, and where that was broken by nothing."""
    where = f"127.0.0.1:{centre.sip_port}"
    names: dict[str, str] = {}
    said = dict.fromkeys(messages, "")
    for name, text in messages.items():
        each = secrets.token_hex(6)
        names[each] = name
        await knocker.send(torture.packet(text, host=knocker.host, port=knocker.port, centre=where, each=each))
        await asyncio.sleep(0.01)
    while answer := await knocker.heard(0.5):
        found = re.search(r"^Call-ID: .*([0-9a-f]{12})\s*$", answer, re.MULTILINE | re.IGNORECASE)
        name = names.get(found[1], "") if found else ""
        if name and not said[name] and not answer.startswith("SIP/2.0 1"):
            said[name] = status(answer)
    return said


async def test_every_message_of_rfc_4475_leaves_the_centre_whole(own_centre: RealCentre, tortured: Knocker) -> None:
    assert len(torture.RFC_4475) == 49
    said = await sent(tortured, own_centre, torture.RFC_4475)
    for name in ("3.1.1.3 esc01", "3.1.1.6 lwsdisp", "3.1.1.9 semiuri", "3.1.1.10 transports", "3.3.15 sdp01"):
        assert said[name] == "200", name
    for name in ("3.1.2.3 ncl", "3.1.2.4 scalar02", "3.1.2.16 badvers", "3.1.2.19 bigcode", "3.3.1 insuf"):
        assert said[name] == "", name
    async with a_knocker(own_centre.sip_port, STRANGER) as stranger:
        assert set((await sent(stranger, own_centre, torture.RFC_4475)).values()) <= TOLD_TO_STRANGERS


async def test_broken_descriptions_of_sound_and_place_leave_the_centre_whole(
    own_centre: RealCentre, tortured: Knocker
) -> None:
    said = await sent(tortured, own_centre, torture.BROKEN_BODIES)
    assert set(said.values()) == {"200", "400", "488"}
    assert said["SDP: hundreds of streams"] == said["location: no usage-rules"] == "200"
    async with a_knocker(own_centre.sip_port, STRANGER) as stranger:
        assert set((await sent(stranger, own_centre, torture.BROKEN_BODIES)).values()) == {"401"}


async def test_broken_keys_and_sound_leave_the_centre_whole(
    own_centre: RealCentre, own_api: Api, tortured: Knocker
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind((TELKOMSEL, 0))
        offer = (
            torture.SDP.replace("27000", str(ear.getsockname()[1])).replace("AVP 8", "AVP 8 101").replace("\n", "\r\n")
        )
        body = f"{offer}a=rtpmap:101 telephone-event/8000\r\n".replace("@HOST@", TELKOMSEL)
        invite = tortured.request("INVITE", "0811000333", headers=("Content-Type: application/sdp",), body=body)
        answer = await tortured.asked(invite)
        assert status(answer) == "200"
        await tortured.send(within(invite, answer, "ACK", 1))
        for place, told in enumerate(torture.BROKEN_KEYS):
            info = within(invite, answer, "INFO", 2 + place, told.replace("\n", "\r\n"))
            assert status(await tortured.asked(info)) in ("200", "400", "415", "500"), told[:40]
        port = re.search(r"^m=audio (\d+)", answer, re.MULTILINE)
        assert port
        for _ in range(20):
            for each in torture.BROKEN_SOUND:
                ear.sendto(each, ("127.0.0.1", int(port[1])))
        ear.sendto(b"\x80\x65\x00\x01" + b"\x00" * 8 + b"\x05\x8a\x00\xa0", ("127.0.0.1", int(port[1])))
        assert status(await tortured.asked(within(invite, answer, "BYE", 100))) == "200"


async def test_connections_that_end_in_the_middle_leave_the_centre_whole(
    own_centre: RealCentre, tortured: Knocker
) -> None:
    whole = tortured.request("OPTIONS", "0811").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
    broken = (
        b"",
        whole[:40],
        b"\r\n" * 3000,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
        b"\xff" * 70_000,
        whole.replace(b"Content-Length: 0", b"Content-Length: 999999999"),
        whole.replace(b"Content-Length: 0", b"Content-Length: -1"),
        whole.replace(b"Max-Forwards: 70", b"X: " + b"y" * 100_000),
    )
    with contextlib.ExitStack() as open_ones:
        for data in broken * 5:
            connection = open_ones.enter_context(socket.socket())
            connection.bind((TELKOMSEL, 0))
            connection.settimeout(5)
            connection.connect(("127.0.0.1", own_centre.sip_port))
            connection.settimeout(0.2)
            await asyncio.sleep(0.02)  # Asterisk lets few wait until they are taken
            with contextlib.suppress(OSError):  # it may be closed before all is said
                connection.sendall(data)
        connection = open_ones.enter_context(socket.socket())
        connection.bind((TELKOMSEL, 0))
        connection.settimeout(5)
        connection.connect(("127.0.0.1", own_centre.sip_port))
        connection.sendall(whole)
        assert status(connection.recv(65535).decode()) == "200"


def within(invite: bytes, answer: str, method: str, cseq: int, body: str = "") -> bytes:
    """A request within the call that the INVITE began."""
    to = re.search(r"^To: .*$", answer, re.MULTILINE)
    contact = re.search(r"^Contact: <([^>]+)>", answer, re.MULTILINE)
    assert to
    assert contact
    lines = invite.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    own = [line for line in lines[1:] if not line.startswith(("To:", "CSeq:", "Content-"))]
    own[0] = re.sub("z9hG4bK-.*", f"z9hG4bK-{secrets.token_hex(8)}", own[0])
    rest = [to[0].strip(), f"CSeq: {cseq} {method}", "Content-Type: application/dtmf-relay"]
    head = [f"{method} {contact[1]} SIP/2.0", *own, *rest, f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()
