"""Real calls through a real Asterisk, told by the API as they happened."""

import pytest

from tests import sip
from tests.centre import Api, Json, RealCentre
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk

PHONE = "127.0.0.21"


async def since(api: Api) -> str:
    """A mark: calls after it are this test's own."""
    calls = await api.calls()
    return str(calls[-1]["arrived_at"]) if calls else "2000-01-01T00:00:00Z"


async def the_call(api: Api, mark: str) -> Json:
    """The one call that came after `mark`, ended."""
    calls = await api.ended_calls(1, after=mark)
    assert len(calls) == 1, calls
    return calls[0]


async def types(api: Api, call: Json) -> list[str]:
    events = (await api.get(f"/v1/calls/{call['id']}/events"))["items"]
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    return [event["type"].removeprefix("call.") for event in events if event["type"].startswith("call.")]


async def test_a_call_is_greeted_recorded_queued_answered_and_told(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_answers(after_ms=300), address=PHONE) as phone:
        await api.operator("1001", phone)
        result = await sip.call(sip.caller_talks(hold_ms=3000), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert call["outcome"] == "answered"
    assert (call["operator"], call["queue"], call["trunk"]) == ("1001", "emergency", "telkomsel")
    assert (call["caller"], call["dialled"], call["hung_up_by"]) == ("081100001", "112", "caller")
    assert [attempt["result"] for attempt in call["attempts"]] == ["answered"]
    assert call["arrived_at"] < call["greeted_at"] < call["queued_at"] < call["answered_at"] < call["ended_at"]
    assert call["id"].startswith("112-")
    assert await types(api, call) == [
        "arrived",
        "described",
        "recording_started",
        "greeted",
        "queued",
        "operator_rung",
        "answered",
        "operator_left",
        "ended",
    ]
    # nobody spoke, so there is hardly a sound in it: test_hundred.py and test_softphone.py measure recordings
    assert call["recording"]["duration_s"] == pytest.approx(3.0, abs=0.2)
    async with api.session.get(call["recording"]["url"], params={"reason": "a test of the centre"}) as response:
        sound = await response.read()
    assert response.status == 200
    assert len(sound) == call["recording"]["size_bytes"]
    assert sound[:4] == b"RIFF"


async def test_a_caller_cancels_before_112_answers(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    centre.cli("dialplan set global RING_BEFORE_ANSWER_S 5")
    try:
        result = await sip.call(sip.caller_cancels(after_ms=300), centre.sip_port)
    finally:
        centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["outcome"], call["greeted_at"], call["hung_up_by"]) == ("cancelled", None, "caller")


async def test_a_caller_leaves_the_queue_while_a_phone_rings(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_rings(), address=PHONE) as phone:
        await api.operator("1001", phone)
        await sip.call(sip.caller_talks(hold_ms=2000), centre.sip_port)
    call = await the_call(api, mark)
    assert (call["outcome"], call["operator"], call["answered_at"]) == ("abandoned", None, None)
    assert [(attempt["phone"], attempt["result"]) for attempt in call["attempts"]] == [("1001", "caller_left")]


async def test_a_busy_phone_and_then_the_next_operator(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with (
        Sipp(sip.phone_refuses("486 Busy Here"), address=PHONE) as busy,
        Sipp(sip.phone_answers(), address="127.0.0.22") as free,
    ):
        await api.operator("1001", busy)
        made = await api.operator("1002", free, name="Budi")
        await api.send("PUT", "/v1/queues/emergency/members/1002", {"penalty": 1})
        assert made["name"] == "Budi"
        await sip.call(sip.caller_talks(hold_ms=6000), centre.sip_port)
    call = await the_call(api, mark)
    assert call["outcome"] == "answered"
    assert call["operator"] == "1002"
    assert (call["attempts"][0]["phone"], call["attempts"][0]["result"]) == ("1001", "busy")


async def test_after_a_phone_that_is_not_picked_up_the_next_one_is_rung(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    await api.send("PATCH", "/v1/queues/1", {"ring_s": 3})
    async with (
        Sipp(sip.phone_rings(), address=PHONE) as nobody,
        Sipp(sip.phone_answers(), address="127.0.0.22") as free,
    ):
        await api.operator("1001", nobody)
        await api.operator("1002", free, name="Budi")
        rung: list[list[str]] = []
        while not rung or rung == [["1002"]]:  # the phone of nobody's turn comes with the second caller at the latest
            await sip.call(sip.caller_talks(hold_ms=5500), centre.sip_port)
            calls = await api.ended_calls(len(rung) + 1, after=mark)
            rung = [[each["phone"] for each in call["attempts"]] for call in calls]
    await api.send("PATCH", "/v1/queues/1", {"ring_s": 15})
    assert rung[-1] == ["1001", "1002"]


async def test_a_phone_that_nobody_picks_up_does_not_keep_the_backup_from_being_rung(
    centre: RealCentre, api: Api
) -> None:
    """By its penalty it comes first again and again; where the gateway is dead, as where nobody is paused for missed
    rings, nobody else would ever be rung."""
    mark = await since(api)
    rules = await api.get("/v1/rules")
    await api.send("PATCH", "/v1/rules", {"missed_rings_limit": 0})
    await api.send("PATCH", "/v1/queues/1", {"ring_s": 3, "max_wait_s": 5})
    async with (
        Sipp(sip.phone_rings(), address=PHONE) as nobody,
        Sipp(sip.phone_hangs_up(talk_ms=500), address="127.0.0.22") as free,
    ):
        await api.operator("1001", nobody)
        await api.operator("1002", free, name="Budi", penalty=1)
        await sip.call(sip.caller_talks(hold_ms=45_000), centre.sip_port)
    await api.send("PATCH", "/v1/queues/1", {"ring_s": 15, "max_wait_s": 60})
    await api.send("PATCH", "/v1/rules", {"missed_rings_limit": rules["missed_rings_limit"]})
    call = await the_call(api, mark)
    assert (call["outcome"], call["operator"]) == ("answered", "1002")
    rung = [(each["phone"], each["result"]) for each in call["attempts"]]
    assert rung[0][0] == "1001"
    assert [phone for phone, result in rung if result == "answered"] == ["1002"]


async def test_an_unreachable_phone_is_tried_and_the_caller_is_kept(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    nobody = Sipp(sip.phone_rings(), address=PHONE)
    await api.operator("1001", nobody)
    await sip.call(sip.caller_talks(hold_ms=3000), centre.sip_port)
    call = await the_call(api, mark)
    assert call["outcome"] == "abandoned"
    assert call["attempts"][0]["answered_at"] is None


async def test_no_operator_at_all_then_the_last_resort_answers(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_answers(), address="127.0.0.14", port=5060) as officer:
        assert officer.port == 5060
        centre.cli("dialplan set global LAST_RESORT PJSIP/08123456789@telkom")
        try:
            result = await sip.call(sip.caller_presses("0", after_ms=700, hold_ms=10_000), centre.sip_port)
        finally:
            centre.cli("dialplan set global LAST_RESORT ")
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["outcome"], call["operator"]) == ("fell_back", None)
    assert call["answered_at"] is not None
    told = await types(api, call)
    assert told.count("fell_back") == 4  # nobody, 0, nobody, last resort
    assert told.count("queued") == 2


async def test_the_operator_hangs_up_first(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_hangs_up(talk_ms=700), address=PHONE) as phone:
        await api.operator("1001", phone)
        result = await sip.call(sip.caller_waits(), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["outcome"], call["hung_up_by"], call["cause"]) == ("answered", "operator", 16)
    assert call["talk_s"] == pytest.approx(0.7, abs=0.3)


@pytest.mark.parametrize(
    "media", [sip.ALAW, sip.ULAW, sip.G722, sip.OPUS, sip.GSM], ids=["alaw", "ulaw", "g722", "opus", "gsm"]
)
async def test_a_carrier_with_any_codec_reaches_an_operator(centre: RealCentre, api: Api, media: str) -> None:
    mark = await since(api)
    async with Sipp(sip.phone_answers(), address=PHONE) as phone:
        await api.operator("1001", phone)
        result = await sip.call(sip.caller_talks(hold_ms=1500, media=media), centre.sip_port)
    assert result.failed == 0, result.output
    assert (await the_call(api, mark))["outcome"] == "answered"


@pytest.mark.parametrize("dialled", ["112", "+62112", "031112", "62315551234", "sos", "1", "112;phone-context=+62"])
async def test_whatever_a_carrier_dials_is_a_call_to_112(centre: RealCentre, api: Api, dialled: str) -> None:
    mark = await since(api)
    result = await sip.call(sip.caller_talks(hold_ms=300, dialled=dialled), centre.sip_port)
    assert result.failed == 0, result.output
    assert (await the_call(api, mark))["dialled"].startswith(dialled.partition(";")[0])


async def test_a_caller_who_hangs_up_at_once_is_a_call_too(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    result = await sip.call(sip.caller_talks(hold_ms=0), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["outcome"], call["hung_up_by"]) == ("abandoned", "caller")


@pytest.mark.parametrize(
    ("display", "name"),
    [
        # a quoted string's backslashes reach the journal as they came (RFC 3261, 25.1)
        ('"Ibu \\"Siti\\", S.H."', 'Ibu \\"Siti\\", S.H.'),
        ('"tolong 🚒🔥"', "tolong 🚒🔥"),
        ('"a,b;c|d&e=f%41${EXTEN}"', "a,b;c|d&e=f%41${EXTEN}"),
        ('"\' OR 1=1 --"', "' OR 1=1 --"),
        ('"<script>alert(1)</script>"', "<script>alert(1)</script>"),
        ('"CEL1,1,2,3"', "CEL1,1,2,3"),
        ('"CEL1"', "CEL1"),
    ],
)
async def test_a_callers_name_is_kept_as_it_came(centre: RealCentre, api: Api, display: str, name: str) -> None:
    mark = await since(api)
    caller = f"{display} <sip:0811@127.0.0.11>"
    result = await sip.call(sip.caller_talks(hold_ms=300, caller=caller), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["caller_name"], call["caller"]) == (name, "0811")


@pytest.mark.parametrize("user", ["%0d%0aAction%3A%20Originate", "08%0a11", "%00%01%7f", "%22%2c%27"])
async def test_a_callers_number_with_line_ends_and_control_characters_stops_nothing(
    centre: RealCentre, api: Api, user: str
) -> None:
    mark = await since(api)
    await sip.call(sip.caller_talks(hold_ms=300, caller=f"<sip:{user}@127.0.0.11>"), centre.sip_port)
    call = await the_call(api, mark)
    assert call["outcome"] == "abandoned"
    assert call["caller"].isprintable()


async def test_what_the_carrier_says_about_the_call_is_kept(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    headers = (
        "P-Asserted-Identity: <sip:+628119999@carrier.invalid>",
        "Diversion: <sip:031112@carrier.invalid>;reason=unconditional",
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=5101012345678",
        "Geolocation: <cid:here@carrier.invalid>",
    )
    result = await sip.call(sip.caller_talks(hold_ms=300, headers=headers), centre.sip_port)
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert call["caller"] == "+628119999"
    assert call["diversion"].startswith("<sip:031112@")
    assert call["access_network"].endswith("5101012345678")
    assert call["geolocation"] == "<cid:here@carrier.invalid>"
    assert call["sip_call_id"].endswith("@127.0.0.11")


async def test_nobody_but_a_carrier_may_place_a_call_and_who_tries_is_counted(centre: RealCentre, api: Api) -> None:
    before = len(await api.calls())
    result = await sip.call(sip.caller_talks(hold_ms=300), centre.sip_port, address="127.0.0.66")
    assert result.succeeded == 0
    assert "401 Unauthorized" in result.output
    async with api.session.get("/metrics") as response:
        metrics = await response.text()
    counted = [line for line in metrics.splitlines() if line.startswith("gateway112_sip_refused_total{")]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) >= 1
    assert len(await api.calls()) == before


async def test_advice_by_trunk_reaches_the_queue(centre: RealCentre, api: Api) -> None:
    mark = await since(api)
    centre.cli("dialplan set global RING_BEFORE_ANSWER_S 1")
    try:
        result = await sip.call(sip.caller_talks(hold_ms=1000), centre.sip_port, address="127.0.0.12")
    finally:
        centre.cli("dialplan set global RING_BEFORE_ANSWER_S 0")
    assert result.failed == 0, result.output
    call = await the_call(api, mark)
    assert (call["trunk"], call["priority"]) == ("indosat", 2)


async def test_members_that_someone_removed_by_hand_come_back(centre: RealCentre, api: Api) -> None:
    async with Sipp(sip.phone_answers(), address=PHONE) as phone:
        await api.operator("1001", phone)
        assert "PJSIP/1001" in centre.cli("queue show emergency")
        centre.cli("queue remove member PJSIP/1001 from emergency")
        await api.operator("1002", phone, name="Budi")
        assert "PJSIP/1001" in centre.cli("queue show emergency")
        assert "PJSIP/1002" in centre.cli("queue show emergency")


async def test_every_application_and_function_of_the_dialplan_is_loaded(centre: RealCentre) -> None:
    from tests.dialplan.test_dialplan import applications_and_functions

    applications, functions = applications_and_functions()
    for name in applications:
        assert "Your application(s) is (are) not registered" not in centre.cli(f"core show application {name}"), name
    for name in functions:
        assert "No function by that name registered" not in centre.cli(f"core show function {name}"), name
    assert len(applications) > 8
    assert len(functions) > 8
