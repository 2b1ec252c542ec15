"""What a carrier, or whoever sends as one, can do to 112 with one packet or one header: nothing."""

import asyncio
import secrets
import socket

import pytest

from gateway.asterisk import site
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink, LinkState
from tests import sip
from tests.calls.test_stories import since, the_call
from tests.centre import Api, RealCentre

pytestmark = pytest.mark.asterisk

PIDF = """<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"
 xmlns:gml="http://www.opengis.net/gml" entity="pres:a"><tuple id="t"><status><gp:geopriv><gp:location-info>
<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>-7.44 112.71</gml:pos></gml:Point>
</gp:location-info></gp:geopriv></status></tuple></presence>"""
SDP = "v=0\no=- 1 1 IN IP4 127.0.0.11\ns=-\nc=IN IP4 127.0.0.11\nt=0 0\nm=audio 27000 RTP/AVP 8\n"


async def answered(centre: RealCentre, request: str) -> str:
    """What Asterisk says to a request from a carrier's address, once it is no provisional answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind((sip.TELKOMSEL, 0))
        carrier.setblocking(False)
        text = request.replace("@PORT@", str(carrier.getsockname()[1])).replace("\n", "\r\n")
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(carrier, text.encode(), ("127.0.0.1", centre.sip_port))
        async with asyncio.timeout(10):
            while (said := (await loop.sock_recv(carrier, 65535)).decode()).startswith("SIP/2.0 1"):
                pass
    return said.splitlines()[0]


def request(method: str, to: str, rest: str, body: str) -> str:
    each = secrets.token_hex(6)
    head = (
        f"{method} {to} SIP/2.0\nVia: SIP/2.0/UDP {sip.TELKOMSEL}:@PORT@;branch=z9hG4bK-{each}\n"
        f"Max-Forwards: 70\nFrom: <sip:0811@{sip.TELKOMSEL}>;tag=a\nTo: <{to}>\nCall-ID: {each}\n"
        f"CSeq: 1 {method}\nContact: <sip:0811@{sip.TELKOMSEL}:@PORT@>\n{rest}"
    )
    return f"{head}Content-Length: {len(body.replace(chr(10), chr(13) + chr(10)))}\n\n{body}"


async def test_a_location_without_usage_rules_does_not_end_asterisk(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    pid = centre.asterisk_pid
    body = (
        f"--b\nContent-Type: application/sdp\n\n{SDP}\n--b\nContent-Type: application/pidf+xml\n"
        f"Content-ID: <l@x>\n\n{PIDF}\n--b--\n"
    )
    rest = "Geolocation: <cid:l@x>\nContent-Type: multipart/mixed;boundary=b\n"

    said = await answered(centre, request("INVITE", f"sip:112@127.0.0.1:{centre.sip_port}", rest, body))

    assert said == "SIP/2.0 200 OK"
    assert centre.asterisk_pid == pid
    centre.cli("channel request hangup all")
    assert (await the_call(api, mark))["geolocation"] == "<cid:l@x>"


@pytest.mark.parametrize("user", ["s@", "112@", "h@", ""])
async def test_a_carriers_text_is_refused_and_is_no_call(centre: RealCentre, api: Api, user: str) -> None:
    before = len(await api.calls())
    to = f"sip:{user}127.0.0.1:{centre.sip_port}"

    for _ in range(15):
        said = await answered(centre, request("MESSAGE", to, "Content-Type: text/plain\n", "halo"))
        assert said.startswith("SIP/2.0 4"), said

    assert len(await api.calls()) == before
    assert "0 active channels" in centre.cli("core show channels")


@pytest.mark.parametrize(
    ("asserted", "caller"),
    [
        ('"<sip:0899999123@y>" <sip:0811000111@x>', "0811000111"),
        ('"a\\"<sip:0899999123@y>" <sip:0811000111@x>', "0811000111"),
        ('"Budi" <sip:0811000111@x>, "Budi" <tel:+62899>', "0811000111"),
        ("<sip:0811000111@x>, <tel:+62899>", "0811000111"),
        ("Budi <sip:0811000111@x>, <tel:+62899>", "0811000111"),
        ("<tel:+62811000111;cpc=ordinary>, <sip:+62811000111;cpc=ordinary@x>", "+62811000111"),
    ],
)
async def test_a_name_is_no_number(centre: RealCentre, api: Api, asserted: str, caller: str) -> None:
    mark = await since(api)
    headers = (f"P-Asserted-Identity: {asserted}",)
    await sip.call(sip.caller_talks(hold_ms=300, headers=headers), centre.sip_port)
    assert (await the_call(api, mark))["caller"] == caller


async def test_a_number_with_line_ends_says_nothing_in_asterisks_name(centre: RealCentre, api: Api) -> None:
    heard: list[Message] = []
    ami, secret = centre.settings.ami, site.ami_secret(centre.settings)
    link = AmiLink(host=ami.host, port=ami.port, username=site.AMI_USER, secret=secret, on_event=heard.append)
    linked = asyncio.create_task(link.run())
    mark = await since(api)
    forged = "%0d%0aLinkedid:1%0d%0a%0d%0aEvent:Hold%0d%0aPrivilege:call,all%0d%0aX:".replace(":", "%3a")
    try:
        async with asyncio.timeout(10):
            while link.state is not LinkState.UP:
                await asyncio.sleep(0.02)
            await sip.call(sip.caller_talks(hold_ms=300, caller=f"<sip:0811{forged}@127.0.0.11>"), centre.sip_port)
            call = await the_call(api, mark)
    finally:
        linked.cancel()
    arrived = next(event for event in heard if event.get("UserEvent") == "Arrived")
    assert arrived.get("Linkedid") == call["id"]
    assert "Hold" not in [event.name for event in heard]


async def test_long_headers_do_not_cost_each_other_their_place(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    long = "%" * 900
    headers = (
        f"Diversion: <sip:031112@x>;reason={long}",
        f"P-Access-Network-Info: 3GPP;cell={long}",
        f"Geolocation: <https://lis.example/{long}>",
    )
    caller = f'"{"é" * 100}" <sip:0811000222@127.0.0.11>'
    result = await sip.call(sip.caller_talks(hold_ms=300, caller=caller, headers=headers), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["caller"], call["dialled"]) == ("0811000222", "112")
    assert call["diversion"].startswith("<sip:031112@x>;reason=%%%")
    assert call["access_network"].startswith("3GPP;cell=%%%")
    assert call["geolocation"].startswith("<https://lis.example/%%%")
