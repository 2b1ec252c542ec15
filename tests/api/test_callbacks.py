"""Callbacks over HTTP: found by whoever looks, taken and dialled by operators, each for himself."""

from datetime import UTC, datetime, timedelta

from gateway.domain.facts import CallerLeft, DialFact, DialResult, DialStep, Entered, Side, TrunkAnswered
from tests.api.house import START, House, Json, Reply
from tests.api.test_duty import hired


async def unheard(house: House, call_id: str = "112-1.1", caller: str = "081234567", hour: int = 0) -> None:
    """A caller who hung up before anybody spoke to him."""
    at = START + timedelta(hours=hour)
    await house.tell(
        Entered(call_id, at, "telkomsel", caller),
        TrunkAnswered(call_id, at + timedelta(seconds=1)),
        CallerLeft(call_id, at + timedelta(seconds=30), 16, Side.CALLER),
    )


async def act(house: House, what: str, body: Json | None = None, match: str = "*", **options: str) -> Reply:
    """Does it to the first task, whatever its version if `match` does not say which."""
    headers = {"If-Match": match}
    return await house.ask("POST", f"/v1/callbacks/1/{what}", json=body or {}, headers=headers, **options)


async def the_task(house: House) -> Json:
    found: Json = (await house.get("/v1/callbacks", token="supervisor")).json["items"][0]
    return found


async def dialled(house: House, token: str, *steps: tuple[DialStep, int], result: DialResult | None = None) -> Json:
    """The task after the bearer dialled it and the journal told these steps, each at a second."""
    begun = await act(house, "dial", token=token)
    assert begun.status == 202, begun.text
    dial_id = begun.json["dials"][-1]["id"]
    for step, second in steps:
        ends = {"result": result} if step is DialStep.ENDED else {}
        await house.tell(DialFact(dial_id, START + timedelta(seconds=second), step, **ends))
    return await the_task(house)


async def test_a_caller_whom_nobody_heard_is_a_task_that_tells_his_tries(house: House) -> None:
    await unheard(house)
    await unheard(house, "112-1.2", hour=1)
    await unheard(house, "112-1.3", "anonymous", hour=2)

    listed = (await house.get("/v1/callbacks", token="supervisor")).json
    one = await house.get("/v1/callbacks/1")

    [task] = listed["items"]
    assert listed["next"] is None
    assert listed["summary"]["open"] == listed["summary"]["overdue"] == 1
    assert (task["number"], task["state"], task["is_overdue"], task["try_count"]) == ("081234567", "open", True, 2)
    assert [(each["call_id"], each["why"]) for each in task["tries"]] == [
        ("112-1.1", "abandoned"),
        ("112-1.2", "abandoned"),
    ]
    assert (one.json, one.headers["ETag"]) == (task, '"2"')
    assert (await house.get("/v1/callbacks/2")).status == 404


async def test_the_list_is_filtered_and_paged(house: House) -> None:
    for number in range(3):
        await unheard(house, f"112-1.{number}", f"08123456{number}", hour=number)
    await house.post("/v1/callbacks/3/give-up", {"reason": "wrong number"}, headers={"If-Match": '"1"'})

    async def numbers(query: str) -> list[str]:
        return [each["number"] for each in (await house.get(f"/v1/callbacks?{query}")).json["items"]]

    assert await numbers("") == ["081234562", "081234561", "081234560"]
    assert await numbers("open=true") == await numbers("overdue=true") == ["081234560", "081234561"]
    assert await numbers("state=given_up") == await numbers("number=0812-345-62") == ["081234562"]
    page = (await house.get("/v1/callbacks?open=true&limit=1")).json
    assert await numbers(f"open=true&cursor={page['next']}") == ["081234561"]
    assert await numbers("claimed_by=7") == []
    for query, field in (("state=over", "?state"), ("limit=0", "?limit"), ("cursor=x", "?cursor"), ("x=1", "?x")):
        refused = await house.get(f"/v1/callbacks?{query}")
        assert (refused.status, refused.fields) == (422, [field])


async def test_an_operator_claims_and_gives_back_and_nobody_takes_it_from_him_but_a_supervisor(house: House) -> None:
    _, siti = await hired(house)
    _, budi = await hired(house, "1002", "Budi")
    await unheard(house)

    claimed = await act(house, "claim", token=siti)
    also = await act(house, "claim", token=budi)
    taken = await act(house, "release", token=budi)
    closed = await act(house, "give-up", {"reason": "x"}, token=budi)
    released = await act(house, "release", token="supervisor")
    again = await act(house, "release", token="supervisor")

    assert (claimed.status, claimed.json["state"], claimed.json["claimed_by"]) == (200, "claimed", 1)
    assert (also.status, taken.status, closed.status) == (409, 403, 403)
    assert also.json["detail"] == "operator 1 has it already."
    assert (released.json["state"], released.json["claimed_by"]) == ("open", None)
    assert (again.status, again.json["detail"]) == (409, "nobody has it.")
    entries = (await house.get("/v1/audit?subject=callback/1")).json["items"]
    assert [(entry["action"], entry["actor"]) for entry in entries] == [
        ("callback.claimed", "Siti"),
        ("callback.released", "supervisor"),
    ]
    assert entries[0]["after"] == {"state": "claimed", "claimed_by": 1} == entries[1]["before"]


async def test_who_acts_for_whom_must_be_said_and_be_allowed(house: House) -> None:
    _, siti = await hired(house)
    await hired(house, "1002", "Budi")
    await unheard(house)

    unsaid = await act(house, "claim", token="supervisor")
    foreign = await act(house, "dial", {"operator_id": 2}, token=siti)
    nobody = await act(house, "claim", {"operator_id": 4711}, token="supervisor")
    named = await act(house, "claim", {"operator_id": 2}, token="supervisor")
    auditors = await act(house, "claim", token="reader")

    assert (unsaid.status, unsaid.fields) == (409, ["/operator_id"])
    assert (foreign.status, auditors.status) == (403, 403)
    assert (nobody.status, nobody.fields) == (409, ["/operator_id"])
    assert named.json["claimed_by"] == 2


async def test_the_version_is_named_and_must_be_the_one_that_is_there(house: House) -> None:
    await unheard(house)
    stale = await act(house, "reached", {}, match='"7"')
    done = await act(house, "reached", {"note": "his wife answered"}, match='"1"')
    unsaid = await house.ask("POST", "/v1/callbacks/1/reached")
    assert (stale.status, done.status, unsaid.status) == (412, 200, 428)
    assert (done.json["state"], done.json["closed_by"], done.json["reason"]) == (
        "reached",
        "admin",
        "his wife answered",
    )


async def test_who_gives_up_says_why(house: House) -> None:
    await unheard(house)
    for body in ({}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": 7}):
        refused = await act(house, "give-up", body)
        assert (refused.status, refused.fields) == (422, ["/reason"])
    assert (await act(house, "give-up", {"reason": "line is dead"})).json["reason"] == "line is dead"
    over = await act(house, "release")
    assert (over.status, over.json["detail"]) == (409, "it is over: given_up.")


async def test_an_operator_dials_and_sees_what_came_of_it(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house)

    begun = await act(house, "dial", token=siti)
    twice = await act(house, "dial", token=siti)
    assert (begun.status, begun.json["state"], begun.json["claimed_by"]) == (202, "claimed", 1)
    assert (begun.json["dials"][0]["result"], begun.json["dials"][0]["recording"]) == (None, None)
    assert (twice.status, twice.json["detail"]) == (409, "its number is being called already.")
    [dialling] = house.switchboard.diallings
    assert (dialling.phone, dialling.number, dialling.trunk) == ("1001", "081234567", "telkomsel")

    dial_id = begun.json["dials"][0]["id"]
    at = START + timedelta(hours=1)
    await house.tell(
        DialFact(dial_id, at, DialStep.RUNG),
        DialFact(dial_id, at + timedelta(seconds=4), DialStep.ANSWERED),
        DialFact(dial_id, at + timedelta(seconds=24), DialStep.ENDED, DialResult.ANSWERED),
    )
    task = await the_task(house)
    assert (task["state"], task["closed_by"], task["is_overdue"]) == ("reached", "Siti", False)
    assert (task["dials"][0]["result"], task["dials"][0]["talk_s"]) == ("answered", 20.0)


async def test_who_tries_again_after_a_dial_in_vain_is_due_and_anybodys(house: House) -> None:
    _, siti = await hired(house)
    _, budi = await hired(house, "1002", "Budi")
    await unheard(house)
    vain = await dialled(house, siti, (DialStep.RUNG, 240), (DialStep.ENDED, 270), result=DialResult.NO_ANSWER)
    since_the_claim = (datetime.now(UTC) - START) // timedelta(hours=1) + 1
    await unheard(house, "112-1.2", hour=since_the_claim)
    again = await the_task(house)
    assert (vain["state"], vain["claimed_by"], again["state"], again["claimed_by"]) == ("claimed", 1, "open", None)
    due = [(START + timedelta(seconds=second)).isoformat() for second in (630, 870)]
    told = [again[name].replace("Z", "+00:00") for name in ("first_due_at", "due_at")]
    assert (told, again["is_overdue"]) == (due, True)
    assert (await act(house, "claim", token=budi)).status == 200


async def test_a_dial_that_asterisk_refuses_or_cannot_hear_is_an_error(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house)
    house.switchboard.refuses["1001"] = "the phone could not be rung"
    refused = await act(house, "dial", token=siti)
    house.switchboard.is_away = True
    unheard_of = await act(house, "dial", token=siti)
    assert (refused.status, unheard_of.status) == (502, 503)
    assert [dial["result"] for dial in (await the_task(house))["dials"]] == ["operator_missed", None]


async def test_a_number_that_is_not_dialled_says_so_beforehand(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house, caller="08091234567")
    problem = (await the_task(house))["dial_problem"]
    refused = await act(house, "dial", token=siti)
    assert problem == (
        "the number is a service's at a tariff of its own (080…): whoever is there is called from another phone"
    )
    assert (refused.status, refused.json["detail"]) == (409, f"{problem}.")
    assert house.switchboard.diallings == []


async def test_the_rules_let_numbers_abroad_be_dialled_over_a_trunk_that_they_tried_on(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house, caller="+6561234567")
    shut = (await the_task(house))["dial_problem"]
    assert (await house.patch("/v1/rules", {"callback_abroad": True}, token="supervisor")).status == 403
    assert (await house.patch("/v1/rules", {"callback_abroad": True})).json["callback_abroad"] is True
    foreign = await act(house, "dial", {"trunk": "xlsmart"}, token=siti)
    dialled = await act(house, "dial", {"trunk": "telkomsel"}, token=siti)
    assert "callback_abroad" in shut
    assert (foreign.status, foreign.fields) == (409, ["/trunk"])
    assert (dialled.status, dialled.json["dial_problem"]) == (202, None)


async def test_an_operator_claims_what_he_ends_and_a_supervisor_need_not(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house)
    await unheard(house, "112-1.2", "081234568")
    for what, body in (("give-up", {"reason": "x"}), ("reached", {})):
        refused = await act(house, what, body, token=siti)
        assert (refused.status, refused.json["detail"]) == (409, "nobody has it: claim it first.")
    await act(house, "claim", token=siti)
    assert (await act(house, "give-up", {"reason": "never there"}, token=siti)).json["closed_by"] == "Siti"
    again = await act(house, "reached", {}, token=siti)
    assert (again.status, again.json["detail"]) == (409, "it is over: given_up.")
    path, match = "/v1/callbacks/2/give-up", {"If-Match": "*"}
    assert (await house.post(path, {"reason": "x"}, token="supervisor", headers=match)).status == 200


async def test_a_supervisor_sees_how_many_came_alike_and_gives_them_up_in_one_act(house: House) -> None:
    _, siti = await hired(house)
    for number in range(5):
        await unheard(house, f"112-1.{number}", f"08123456{number}")
    await unheard(house, "112-1.9", "081234564", hour=1)
    window = {"opened_since": START.isoformat(), "opened_until": (START + timedelta(hours=1)).isoformat()}
    query = {**window, "trunk": "telkomsel", "why": "abandoned", "most_tries": "1", "state": "open"}
    total = (await house.get("/v1/callbacks", params=query, token="supervisor")).json["total"]
    often = (await house.get("/v1/callbacks?least_tries=2&limit=1")).json

    async def give_up(token: str = "supervisor", **body: object) -> Reply:  # noqa: S107
        whole = {**window, "trunk": "telkomsel", "why": "abandoned", "reason": "forged", "expected": total, **body}
        return await house.post("/v1/callbacks/give-up-many", whole, token=token)

    wrong = await give_up(expected=40)
    turned = await give_up(opened_until=window["opened_since"])
    done = await give_up()

    assert (total, [each["number"] for each in often["items"]], often["total"]) == (4, ["081234564"], 1)
    assert (wrong.status, wrong.json["detail"]) == (409, "4 callbacks are so, and not 40: look at them again.")
    assert (turned.status, turned.fields) == (409, ["/opened_until"])
    assert (await give_up(token=siti)).status == (await give_up(token="reader")).status == 403
    assert (done.status, done.json) == (200, {"given_up": 4, "left": 0})
    [entry] = (await house.get("/v1/audit?subject=callbacks")).json["items"]
    assert (entry["actor"], entry["action"], entry["after"]["count"]) == ("supervisor", "callback.many_given_up", 4)
    assert (await house.get("/v1/callbacks")).json["summary"]["open"] == 1


async def test_the_sound_of_a_dial_is_a_recording_like_a_calls(house: House) -> None:
    _, siti = await hired(house)
    await unheard(house)
    task = await dialled(
        house,
        siti,
        (DialStep.RUNG, 60),
        (DialStep.ANSWERED, 62),
        (DialStep.ENDED, 66),
        result=DialResult.ANSWERED,
    )
    path = f"{task['dials'][0]['recording']}?reason=complaint+12"
    assert (await house.get(path)).status == 404  # no sound came yet
    [dialling] = house.switchboard.diallings
    (house.sounds / dialling.recording).parent.mkdir(parents=True)
    samples = house.sound(dialling.recording, 2.0)

    whole = await house.get(path, token="reader")
    part = await house.get(path, headers={"Range": "bytes=44-47"})

    assert (whole.status, len(whole.raw)) == (200, 44 + 4 * 8000 * 4)
    assert (part.status, part.raw) == (206, samples[:4])
    assert (await house.get(path, token=siti)).status == 403
    assert (await house.get("/v1/callbacks/1/dials/1-x/recording?reason=complaint+12")).status == 404
