"""Who speaks is in the recording, whatever number his phone counts its packets from, and whoever spoke before him
(docs/decisions/0026)."""

from array import array
from collections.abc import Iterable

import pytest

from gateway.probe import tones
from gateway.probe.rtp import Address, ToneEndpoint
from tests import sip
from tests.calls.test_roster import within
from tests.calls.test_voices import keep_sound, levels_db
from tests.centre import Api, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

SETTINGS = {"call": {"greeting": "agency-connecting"}}
"""Something is played before the first operator speaks."""
CALLER_HZ, FIRST_HZ, SECOND_HZ = 700, 1000, 1300
CARRIER, FIRST, SECOND = "127.0.0.11", "127.0.0.117", "127.0.0.118"


class Mouth(ToneEndpoint):
    """A phone's sound, which goes to wherever sound comes from."""

    def datagram_received(self, data: bytes, addr: Address) -> None:
        super().datagram_received(data, addr)
        self.talk_to(addr)

    @property
    def media(self) -> str:
        return sip.ULAW.replace("[media_port]", str(self.port))


@pytest.mark.timeout(60)
async def test_each_operator_is_in_the_recording_whatever_his_phone_counts_its_packets_from(
    own_centre: RealCentre, own_api: Api
) -> None:
    """The first one's packets count from so high that they seem old after a prompt's, the second one's from so low that
    they seem old after the first one's."""
    async with (
        Mouth(FIRST, send_hz=FIRST_HZ, listen_hz=CALLER_HZ, first=40_000) as high,
        Mouth(SECOND, send_hz=SECOND_HZ, listen_hz=CALLER_HZ, first=30_000) as low,
        Mouth(CARRIER, send_hz=CALLER_HZ, listen_hz=SECOND_HZ, first=100) as voice,
        Sipp(sip.phone_answers(media=high.media), address=FIRST) as first,
        Sipp(sip.phone_answers(media=low.media), address=SECOND) as second,
    ):
        await own_api.operator("1401", first)
        caller = sip.caller_talks(hold_ms=20_000, caller=f"<sip:0810301@{CARRIER}>", media=voice.media)
        async with Sipp.caller(caller, own_centre.sip_port):
            await within(lambda: high.ear.heard_s > 1, 20)
            await own_api.operator("1402", second)
            await own_api.send("DELETE", "/v1/queues/emergency/members/1401")
            lines = own_centre.cli("core show channels concise").splitlines()
            [line] = [line.partition("!")[0] for line in lines if line.startswith("PJSIP/1401-")]
            own_centre.cli(f"channel request hangup {line}")
            await within(lambda: low.ear.heard_s > 1 and voice.ear.heard_s > 1, 20)
            keep_sound(own_centre)
            own_centre.cli("channel request hangup all")
            [call] = await own_api.ended_calls(1)
    samples = array("h", (own_centre.folder / "kept" / f"{call['id']}.raw").read_bytes())
    left, right = heard(samples[0::2]), heard(samples[1::2])
    assert left.count(CALLER_HZ) >= len(left) - 2
    for hz in (FIRST_HZ, SECOND_HZ):
        began = right.index(hz)
        assert right[began : began + 5] == [hz] * 5, right
    assert [attempt["phone"] for attempt in call["attempts"]] == ["1401", "1402"]


def heard(channel: Iterable[int]) -> list[int]:
    """The tone of each window, 0 where there is none."""
    levels = [levels_db(window) for window in tones.windows(list(channel))]
    return [max(each, key=lambda hz: each[hz]) if max(each.values()) > 60 else 0 for each in levels]
