"""What carriers' equipment says in an INVITE besides that somebody calls: whatever it is, caller and operator hear each
other, and the call is told as it was."""

import pytest

from gateway.probe import tones
from tests import sip
from tests.calls.phones import a_phone
from tests.calls.test_sequence_numbers import Mouth
from tests.calls.test_softphone import CALLER_HZ, OPERATOR_HZ, talk
from tests.calls.test_stories import since, the_call
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

FAX = "m=image 40000 udptl t38\na=T38FaxVersion:0\na=T38MaxBitRate:14400"


async def test_a_carrier_that_offers_fax_beside_the_sound_makes_nobody_deaf(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    secret = (await api.operator("1001", None))["secret"]
    async with (
        a_phone(centre, "1001", secret) as phone,
        Mouth(sip.TELKOMSEL, send_hz=CALLER_HZ, listen_hz=OPERATOR_HZ) as caller,
    ):
        told = sip.caller_talks(hold_ms=20_000, media=f"{caller.media}\n{FAX}")
        async with Sipp.caller(told, centre.sip_port):
            heard = await talk(await phone.take(), 1.2)
            centre.cli("channel request hangup all")
    assert caller.ear.heard_s > 0.3
    assert tones.holds(heard[-tones.WINDOW_SAMPLES :], CALLER_HZ)
    assert (await the_call(api, mark))["outcome"] == "answered"


async def test_a_number_is_told_without_what_the_carrier_says_about_it(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    dialled = "+62112;phone-context=ims.mnc010.mcc510.3gppnetwork.org;cic=+621"
    await sip.call(sip.caller_talks(hold_ms=200, dialled=dialled), centre.sip_port)
    assert (await the_call(api, mark))["dialled"] == "+62112"
