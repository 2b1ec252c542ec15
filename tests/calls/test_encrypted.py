"""TLS and SRTP at a real centre: a phone that nobody here wrote registers over TLS and talks encrypted, a carrier calls
over TLS, and whoever must encrypt and does not is told so."""

import asyncio
import re
import secrets
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import baresip
import pytest

from gateway.probe import tones
from tests import sip
from tests.calls.knocks import status
from tests.calls.phones import a_phone
from tests.calls.test_softphone import CALLER_HZ, talk
from tests.calls.test_stories import since, the_call
from tests.calls.torture import SDP, packet
from tests.centre import Api, RealCentre, real_centre
from tests.certificates import write_pair
from tests.sip import free_port

pytestmark = pytest.mark.asterisk

CARRIER = "127.0.0.31"
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n"


@pytest.fixture(scope="module")
def safe_centre() -> Iterator[RealCentre]:
    with tempfile.TemporaryDirectory(prefix="certified-") as folder:
        certificate, key = write_pair(Path(folder), "sip")
        tls = {"tls_port": free_port(), "tls_certificate": str(certificate), "tls_key": str(key)}
        with real_centre({"sip": tls}) as centre:
            centre.start_asterisk()
            centre.start_gateway()
            yield centre


@pytest.fixture
async def api(safe_centre: RealCentre) -> AsyncIterator[Api]:
    await safe_centre.ready()
    async with safe_centre.api() as api:
        yield api
        await api.retire_everybody()


async def test_a_phone_registers_over_tls_and_talks_encrypted(
    safe_centre: RealCentre, api: Api, tmp_path: Path
) -> None:
    mark = await since(api)
    operator = await api.operator("1001", None)
    await api.send("PATCH", f"/v1/operators/{operator['id']}", {"sound_encryption": "required"})
    authority = safe_centre.settings.sip.tls_certificate
    async with a_phone(safe_centre, "1001", operator["secret"], authority=authority, encrypts=True) as phone:
        assert "transport=tls" in safe_centre.cli("pjsip show contacts").lower()
        voice = sip.tone(tmp_path / "caller.alaw", CALLER_HZ)
        calling = asyncio.create_task(sip.call(sip.caller_talks(hold_ms=4000, sound=voice), safe_centre.sip_port))
        call = await phone.take()
        heard = await talk(call, 1.5)
        assert (await calling).failed == 0
    assert tones.level(heard[-4000:]) > 1000
    assert (await the_call(api, mark))["outcome"] == "answered"


async def test_a_phone_that_must_encrypt_and_does_not_is_not_answered(safe_centre: RealCentre, api: Api) -> None:
    operator = await api.operator("1002", None)
    await api.send("PATCH", f"/v1/operators/{operator['id']}", {"sound_encryption": "required"})
    async with a_phone(safe_centre, "1002", operator["secret"]) as phone:
        assert "488" in await phone.refused("*43")


async def test_a_phone_that_does_not_know_the_centre_by_its_certificate_stays_away(
    safe_centre: RealCentre, api: Api, tmp_path: Path
) -> None:
    operator = await api.operator("1003", None)
    stranger, _ = write_pair(tmp_path, "stranger")
    with pytest.raises(baresip.BaresipError):
        async with asyncio.timeout(20), a_phone(safe_centre, "1003", operator["secret"], authority=stranger):
            pass


async def test_a_carrier_calls_over_tls_with_and_without_srtp_as_its_trunk_says(
    safe_centre: RealCentre, api: Api
) -> None:
    body = {"name": "bolt", "carrier": "Bolt", "addresses": [CARRIER], "transport": "tls", "port": 5061}
    made = await api.send("POST", "/v1/trunks", {**body, "sound_encryption": "wanted"}, status=201)
    assert made["applied"], made
    plain, safe = SDP, SDP.replace("RTP/AVP", "RTP/SAVP") + CRYPTO
    for sound, offer, expected in (
        ("wanted", plain, "200"),
        ("wanted", safe, "200"),
        ("required", plain, "488"),
        ("required", safe, "200"),
        ("none", safe, "488"),
    ):
        await api.send("PATCH", f"/v1/trunks/{made['id']}", {"sound_encryption": sound})
        answer = await asyncio.to_thread(_invited, safe_centre, offer)
        assert status(answer) == expected, (sound, answer)
        if expected == "200":
            assert ("a=crypto:1 AES_CM_128_HMAC_SHA1_80" in answer) == (offer == safe)
            assert "transport=TLS" in answer
    safe_centre.cli("channel request hangup all")
    assert f"sip:{CARRIER}:5061;transport=tls" in safe_centre.cli("pjsip show aor bolt")
    held = (safe_centre.settings.asterisk_dir / "etc/pjsip_wizard.conf").read_text()
    assert held.count("[bolt](carrier)") == 1


def _invited(centre: RealCentre, offer: str) -> str:
    """What a carrier is told that calls over TLS with that offer. It knows the centre by its certificate."""
    trusting = ssl.create_default_context(cafile=str(centre.settings.sip.tls_certificate))
    port = centre.settings.sip.tls_port
    head = "INVITE sip:112@@CENTRE@ SIP/2.0\n" + (
        "Via: SIP/2.0/TLS @HOST@:@PORT@;branch=z9hG4bK@EACH@;rport\nMax-Forwards: 70\n"
        "From: <sip:0811@@HOST@>;tag=@EACH@\n"
        "To: <sip:112@@CENTRE@>\nCall-ID: @EACH@\nCSeq: 1 INVITE\nContact: <sip:0811@@HOST@:@PORT@;transport=tls>\n"
        "Content-Type: application/sdp\nContent-Length: @LENGTH@\n\n"
    )
    with socket.socket() as plain:
        plain.bind((CARRIER, 0))
        plain.settimeout(10)
        plain.connect(("127.0.0.1", port))
        with trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            own = connection.getsockname()[1]
            each = secrets.token_hex(6)
            where = {"host": CARRIER, "port": own, "centre": f"127.0.0.1:{port}", "each": each}
            connection.sendall(packet(head + offer, **where))  # type: ignore[arg-type]
            said = ""
            while True:
                said += connection.recv(65535).decode()
                if found := re.search(r"^SIP/2\.0 [2-6]\d\d .*?\r\n\r\n.*", said, re.DOTALL | re.MULTILINE):
                    return found[0]


async def test_tls_below_1_2_is_refused_and_health_is_content(safe_centre: RealCentre, api: Api) -> None:
    def old() -> None:
        context = ssl.create_default_context(cafile=str(safe_centre.settings.sip.tls_certificate))
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        where = ("127.0.0.1", safe_centre.settings.sip.tls_port)
        with (
            socket.create_connection(where, timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            pass

    with pytest.warns(DeprecationWarning, match="TLSv1"), pytest.raises(OSError, match=r"alert|version|EOF|PROTOCOL"):
        await asyncio.to_thread(old)
    health = await api.get("/v1/health")
    assert not [problem for problem in health["problems"] if "certificate" in problem]
    async with api.session.get("/metrics") as response:
        assert re.search(r"sip_certificate_expiry_timestamp_seconds \d", await response.text())


async def test_a_renewed_certificate_is_presented_after_the_next_change(safe_centre: RealCentre, api: Api) -> None:
    tls = safe_centre.settings.sip

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", tls.tls_port), timeout=5).strip()

    assert await asyncio.to_thread(shown) == tls.tls_certificate.read_text().strip()
    write_pair(tls.tls_certificate.parent, "sip")
    await api.operator("1004", None)
    async with asyncio.timeout(10):
        while await asyncio.to_thread(shown) != tls.tls_certificate.read_text().strip():
            await asyncio.sleep(0.2)
