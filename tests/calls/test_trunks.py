"""Carriers' ends on a real Asterisk: whether each answers, and whether it took the centre's registration."""

import re

import pytest

from tests import sip
from tests.calls.test_duty import told
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

SETTINGS: dict[str, object] = {}
CARRIER = "127.0.0.11"


async def telkomsel(api: Api) -> Json:
    [trunk] = [each for each in (await api.get("/v1/trunks"))["items"] if each["name"] == "telkomsel"]
    return trunk


async def begun_anew(centre: RealCentre) -> None:
    """Another gateway, which has heard nothing of what was before it."""
    centre.stop_gateway(15)
    centre.start_gateway()
    await centre.ready()


async def test_a_carrier_that_is_asked_whether_it_is_there_is_up_as_long_as_it_answers(
    own_centre: RealCentre, own_api: Api
) -> None:
    path = f"/v1/trunks/{(await telkomsel(own_api))['id']}"
    async with Sipp(sip.carrier_answers("OPTIONS"), address=CARRIER) as carrier:
        await own_api.send("PATCH", path, {"is_asked": True, "port": carrier.port, "addresses": [CARRIER]})
        await told(own_api, lambda trunk: trunk["is_up"] is True, path)
        await begun_anew(own_centre)
        await told(own_api, lambda trunk: trunk["is_up"] is True, path)
    own_centre.cli("pjsip qualify telkomsel")
    await told(own_api, lambda trunk: trunk["is_up"] is False, path)
    await begun_anew(own_centre)
    await told(own_api, lambda trunk: trunk["is_up"] is False, path)


async def test_a_registration_that_the_carrier_takes_is_told_and_one_that_it_does_not_is_too(
    own_centre: RealCentre, own_api: Api
) -> None:
    path = f"/v1/trunks/{(await telkomsel(own_api))['id']}"
    assert (await telkomsel(own_api))["is_registered"] is None
    kept = own_centre.settings.asterisk_dir / "etc/pjsip_wizard.conf"
    # this centre has no TLS: Asterisk makes no registration of it, and has none to tell of
    over_tls = {"registration": {"server": CARRIER, "username": "sidoarjo", "password": "secret"}, "transport": "tls"}
    await own_api.send("PATCH", path, over_tls)
    await begun_anew(own_centre)
    await told(own_api, lambda trunk: trunk["is_registered"] is False, path)
    assert "telkomsel" not in own_centre.cli("pjsip show registrations")
    async with Sipp(sip.carrier_answers("REGISTER"), address=CARRIER) as carrier:
        account = {"server": f"{CARRIER}:{carrier.port}", "username": "sidoarjo", "password": ">s;=>,\\"}
        await own_api.send("PATCH", path, {"registration": account, "transport": "udp"})
        written = kept.stat().st_mtime_ns
        await begun_anew(own_centre)
        await told(own_api, lambda trunk: trunk["is_registered"] is True, path)
    assert kept.stat().st_mtime_ns == written, "at the next look nothing was to be put right"
    assert re.search(r"^ password +: >s;=>,\\$", own_centre.cli("pjsip show auth telkomsel-oauth"), re.MULTILINE)
    held = own_centre.cli("pjsip show registration telkomsel-reg-0")
    assert re.search(r"max_retries +: 2000000000\b", held), held
    assert re.search(r"auth_rejection_permanent +: false", held), held
    assert re.findall(r"(\w*retry_interval) +: 0\b", held) == []
    nobody = {"server": f"{CARRIER}:{sip.free_port(CARRIER)}", "username": "sidoarjo", "password": "secret"}
    await own_api.send("PATCH", path, {"registration": nobody})
    await begun_anew(own_centre)
    await told(own_api, lambda trunk: trunk["is_registered"] is False, path)
