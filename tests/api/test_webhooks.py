"""Webhooks: made, told of events, tried again, and never in each other's way."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.api.courier import LONGEST_ERROR, Courier, Standing
from gateway.domain.change import Change
from gateway.domain.webhooks import FAILING_FOR
from gateway.ports import Committed, StoreAway
from gateway.store.database import writing
from gateway.store.tables import events
from tests.api.house import House, Reply, couriers, open_house, sending, until
from tests.api.listener import listening
from tests.api.receiver import receiving, subscribe


async def test_a_webhook_is_made_listed_and_removed(house: House) -> None:
    async with receiving() as receiver:
        made = await subscribe(house, receiver, types=["call.ended"])
        shown = {name: value for name, value in made.json.items() if name != "secret"}

        assert made.json["secret"].startswith("whsec_")
        assert (await house.get("/v1/webhooks")).json == {"items": [shown], "next": None}
        assert (await house.get(made.headers["Location"])).json == shown
        assert (await house.ask("DELETE", made.headers["Location"])).status == 204
        assert (await house.get("/v1/webhooks")).json["items"] == []
        assert (await house.get(made.headers["Location"])).status == 404
        assert (await house.ask("DELETE", made.headers["Location"])).status == 404


async def test_a_receivers_url_is_an_admins_alone_and_neither_events_nor_the_audit_log_tell_it(house: House) -> None:
    """Who knows the URL may post there: chat services put their secret into the path."""
    made = await house.post("/v1/webhooks", {"url": "https://127.0.0.1:9/services/T0/geheim?key=geheim"})
    assert (await house.ask("DELETE", made.headers["Location"])).status == 204
    events, audit = await house.get("/v1/events?limit=1000", token="reader"), await house.get("/v1/audit")
    for reply, name in ((events, "type"), (audit, "action")):
        told = [each for each in reply.json["items"] if each[name].startswith("webhook.")]
        assert [each[name] for each in told] == ["webhook.created", "webhook.removed"]
        assert "https://127.0.0.1:9" in str(told)
        assert "geheim" not in str(told)


def standing(house: House, made: Reply) -> Standing:
    """How the receiver does whose webhook was made."""
    return house.context.deliveries.standings[made.json["id"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "/url"),
        ({"url": "ftp://127.0.0.1/"}, "/url"),
        ({"url": "http:///hook"}, "/url"),
        ({"url": "http://user:word@127.0.0.1/"}, "/url"),
        ({"url": "http://127.0.0.1:99999/"}, "/url"),
        ({"url": "http://127.0.0.1/\r\nX: y"}, "/url"),
        ({"url": "http://127.0.0.1/", "types": "call.ended"}, "/types"),
        ({"url": "http://127.0.0.1/", "types": ["Call Ended"]}, "/types/0"),
        ({"url": "http://127.0.0.1/", "secret": "mine"}, "/secret"),
    ],
)
async def test_a_webhook_that_cannot_be_is_named_by_field(house: House, body: Any, field: str) -> None:
    reply = await house.post("/v1/webhooks", body)

    assert (reply.status, reply.fields) == (422, [field])


async def test_events_come_as_signed_cloudevents_in_order(house: House) -> None:
    await house.answered_call("112-1.1")
    async with receiving() as receiver:
        await subscribe(house, receiver)
        await house.answered_call("112-2.1")
        await until(lambda: len(receiver.taken) == 8)

    assert receiver.seqs == list(range(1, 9))
    assert receiver.taken[0] == {
        "specversion": "1.0",
        "id": f"112-{receiver.begun + 1}",
        "sequence": str(receiver.begun + 1),
        "source": "/gateway112/112",
        "type": "id.112.call.arrived",
        "time": "2026-08-17T03:00:00Z",
        "datacontenttype": "application/json",
        "subject": "112-2.1",
        "data": {"trunk": "telkomsel", "caller": "08123456789", "is_probe": False},
    }


async def test_only_the_types_that_were_asked_for_come(house: House) -> None:
    async with receiving() as receiver:
        await subscribe(house, receiver, types=["call.arrived", "call.ended"])
        await house.answered_call()
        await until(lambda: len(receiver.taken) == 2)

    assert [event["type"] for event in receiver.taken] == ["id.112.call.arrived", "id.112.call.ended"]


async def test_an_event_is_tried_until_it_is_taken_and_the_next_waits_for_it(house: House) -> None:
    async with receiving(500, 404, 307, 503) as receiver:
        await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: len(receiver.taken) == 8)

    first = receiver.begun + 1
    assert [event["sequence"] for event in receiver.tries[:6]] == [str(first)] * 5 + [str(first + 1)]
    assert receiver.seqs == list(range(1, 9))
    assert not receiver.was_led_elsewhere


async def test_a_failing_receiver_is_told_of_and_then_forgiven(house: House) -> None:
    async with receiving(*[503] * 10_000) as receiver:
        made = await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: standing(house, made).last_error is not None)
        failing = (await house.get(made.headers["Location"])).json
        receiver.answers.clear()
        await until(lambda: standing(house, made).after_seq == receiver.begun + 8)
        forgiven = (await house.get(made.headers["Location"])).json

    assert (failing["after_seq"], failing["last_error"]) == (receiver.begun, "HTTP 503")
    assert failing["failing_since"] is not None
    assert forgiven["after_seq"] == receiver.begun + 8
    assert (forgiven["last_error"], forgiven["failing_since"]) == (None, None)


async def test_a_receiver_that_takes_nothing_for_five_minutes_is_an_alarm_until_it_takes_again(house: House) -> None:
    """With the receiver's name alone: all roles read alarms, and whoever knows the rest of the URL may post there."""
    deliveries, now = house.context.deliveries, datetime.now(UTC)
    assert deliveries.alarms([], now + FAILING_FOR) == []
    async with receiving() as well, receiving(*[503] * 10_000) as receiver:
        await subscribe(house, well)
        made = await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: standing(house, made).last_error is not None)
        soon, origin = deliveries.alarms([], now), receiver.url.removesuffix("/hook")
        [alarm] = deliveries.alarms([], datetime.now(UTC) + FAILING_FOR)
        receiver.answers.clear()
        await until(lambda: standing(house, made).failing_since is None)
        after = deliveries.alarms([alarm], datetime.now(UTC) + FAILING_FOR)

    assert soon == []
    assert (alarm.kind, alarm.subject) == ("webhook_failing", f"webhook/{made.json['id']}")
    assert alarm.detail == f"{origin} takes nothing of what happens: HTTP 503"
    assert after == []


async def test_an_alarm_of_a_receiver_stands_through_a_restart_until_it_was_asked_again(house: House) -> None:
    deliveries = house.context.deliveries
    async with receiving(*[503] * 10_000) as receiver:
        made = await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: standing(house, made).last_error is not None)
        [alarm] = deliveries.alarms([], later := datetime.now(UTC) + FAILING_FOR)
        [courier] = deliveries._couriers.values()
        courier.standing = replace(courier.standing, last_error=None)

        assert deliveries.alarms([alarm], later) == [alarm]
        deliveries.is_loaded = False
        assert deliveries.alarms([alarm], later) == [alarm]


async def test_a_clock_that_is_put_back_ends_no_alarm_of_a_receiver_and_keeps_none_from_being_raised(
    house: House,
) -> None:
    deliveries = house.context.deliveries
    async with receiving(*[503] * 10_000) as receiver:
        made = await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: standing(house, made).last_error is not None)
        [alarm] = deliveries.alarms([], (began := datetime.now(UTC)) + FAILING_FOR)
        assert deliveries.alarms([alarm], began - timedelta(hours=1)) == [
            replace(alarm, raised_at=began - timedelta(hours=1))
        ]
        # it took something since, and fails anew
        assert deliveries.alarms([replace(alarm, raised_at=began - FAILING_FOR)], began) == []

        [courier] = deliveries._couriers.values()
        courier.standing = replace(courier.standing, failing_since=began + timedelta(days=365))
        await until(lambda: (standing(house, made).failing_since or began) <= datetime.now(UTC))


async def test_a_receiver_that_cannot_be_reached_is_told_of(house: House) -> None:
    async with receiving() as receiver:
        made = await subscribe(house, receiver)
    await house.answered_call()

    await until(lambda: "Connect" in (standing(house, made).last_error or ""))


async def test_a_receiver_that_hangs_delays_nobody(house: House) -> None:
    async with receiving() as hung, receiving() as lively, listening(house) as listener:
        hung.is_hung = True
        made = await subscribe(house, hung)
        await subscribe(house, lively)
        for number in range(5):
            await house.answered_call(f"112-{number}.1")
        await until(lambda: len(lively.taken) == 40)
        heard = [(await listener.next())["seq"] for _ in range(42)]
        assert heard == list(range(heard[0], heard[0] + 42))
        await until(lambda: standing(house, made).last_error is not None)
        assert standing(house, made).last_error == "no answer within 0.3 s"
        assert not hung.taken

        hung.is_hung = False
        hung.released.set()
        # the making of the second webhook is an event too
        await until(lambda: hung.seqs[-1:] == [41])
        assert list(dict.fromkeys(hung.seqs)) == list(range(1, 42))


async def test_a_receiver_that_is_gone_is_forgotten(house: House) -> None:
    async with receiving(204, 410) as receiver:
        await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: not house.context.deliveries.standings)

        assert (await house.get("/v1/webhooks")).json["items"] == []
    assert len(receiver.tries) == 2


async def test_nothing_more_is_posted_after_a_webhook_is_removed(house: House) -> None:
    async with receiving() as removed, receiving() as kept:
        removed.is_hung = True
        made = await subscribe(house, removed)
        await subscribe(house, kept)
        await house.answered_call()
        await until(lambda: len(removed.tries) > 0)
        await house.ask("DELETE", made.headers["Location"])
        tries = len(removed.tries)
        await house.answered_call("112-2.1")
        # the calls' events, and that of the removal
        await until(lambda: len(kept.taken) == 17)

        assert len(removed.tries) == tries
        assert [webhook.id for webhook in await house.context.store.webhooks()] != [made.json["id"]]


async def test_what_became_of_a_webhook_is_looked_up_where_the_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed one would come back with its next place, and go on getting numbers; a made one would never post."""
    async with open_house(tmp_path) as house, receiving() as receiver:
        save = house.services.saving.save

        async def save_and_lose_the_answer(change: Change) -> Committed:
            await save(change)
            raise StoreAway("no answer in time")

        made = await subscribe(house, receiver)
        with monkeypatch.context() as patched:
            patched.setattr(house.services.saving, "save", save_and_lose_the_answer)
            assert (await house.ask("DELETE", made.headers["Location"])).status == 503
        await house.answered_call("112-1.1")
        await until(lambda: not house.context.deliveries.standings)
        assert await house.context.store.webhooks() == []
        with monkeypatch.context() as patched:
            patched.setattr(house.services.saving, "save", save_and_lose_the_answer)
            assert (await house.ask("POST", "/v1/webhooks", json={"url": receiver.url})).status == 503
        await until(lambda: len(house.context.deliveries.standings) == 1)


async def test_the_place_is_stored_and_a_new_sender_goes_on_from_there(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, receiving() as receiver:
        made = await subscribe(house, receiver)
        await house.answered_call("112-1.1")
        await until(lambda: len(receiver.taken) == 8)
        stored = 0
        while stored < receiver.begun + 8:
            [webhook] = await house.context.store.webhooks()
            stored = webhook.after_seq
        await house.ask("DELETE", made.headers["Location"])
        await house.services.saving.save(Change(webhooks_put=(webhook,)))
        await house.answered_call("112-2.1")

        later = couriers(house.services, house.context.reads)
        newest = receiver.begun + 17
        async with sending(later):
            await until(lambda: later.standings[webhook.id].after_seq == newest)

        # the calls' events, and that of the removal
        assert receiver.seqs == list(range(1, 18))
        [webhook] = await house.context.store.webhooks()
        assert webhook.after_seq == newest


async def test_neither_a_defect_nor_a_url_that_is_none_any_more_ends_the_gateway_or_keeps_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one version of a library takes for a URL the next one may refuse."""
    async with open_house(tmp_path) as house, receiving() as receiver:
        made = await subscribe(house, receiver)
        [webhook] = await house.context.store.webhooks()
        for name, url in (("old", "http://127.0.0.1:99999/"), ("odd", "http://odd.example/")):
            await house.services.saving.save(Change(webhooks_put=(replace(webhook, id=name, url=url),)))
        await house.ask("DELETE", made.headers["Location"])
        await house.services.saving.save(Change(webhooks_put=(webhook,)))
        post = Courier._post

        async def broken(courier: Courier, *given: Any) -> str | None:
            if courier.webhook.id == "odd":
                raise AttributeError("nobody expected that")
            return await post(courier, *given)

        monkeypatch.setattr(Courier, "_post", broken)
        later = couriers(house.services, house.context.reads)
        async with sending(later):
            await house.answered_call()
            await until(lambda: later.standings[webhook.id].after_seq == house.context.feed.newest)
            await until(lambda: later.standings["old"].last_error is not None)
            assert "is none any more" in str(later.standings["old"].last_error)
            await until(lambda: later.standings["odd"].failing_since is not None)
            assert later.standings["odd"].last_error == "a defect, which is in the gateway's log: AttributeError"
            alarms = later.alarms([], datetime.now(UTC) + FAILING_FOR)
            assert {each.subject for each in alarms} == {"webhook/old", "webhook/odd"}
            assert (await house.ask("DELETE", "/v1/webhooks/old")).status == 204


async def test_a_name_server_that_is_away_delays_neither_other_receivers_nor_anything_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    answers, look = threading.Event(), socket.getaddrinfo

    def slow(host: str, *given: Any) -> Any:
        if host.endswith(".example"):
            answers.wait(20)
        return look(host, *given)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with receiving() as receiver:
        for number in range(4):
            await house.post("/v1/webhooks", {"url": f"http://away{number}.example/"})
        made = await house.post("/v1/webhooks", {"url": receiver.url.replace("127.0.0.1", "localhost")})
        receiver.secret = made.json["secret"]
        try:
            async with asyncio.timeout(5):
                await house.answered_call()
                await until(lambda: any(each["type"] == "id.112.call.ended" for each in receiver.taken))
                assert await asyncio.to_thread(lambda: "at once") == "at once"
        finally:
            answers.set()


async def test_a_receiver_far_behind_is_served_from_the_ledger(tmp_path: Path) -> None:
    async with open_house(tmp_path, feed_capacity=3) as house, receiving(500, 500) as receiver:
        await subscribe(house, receiver)
        for number in range(5):
            await house.answered_call(f"112-{number}.1")
        await until(lambda: len(receiver.taken) == 40)

    assert receiver.seqs == list(range(1, 41))


async def test_what_waited_for_a_receiver_while_a_person_was_erased_is_posted_as_it_stands_now(house: House) -> None:
    async with receiving(*[500] * 1000) as receiver:
        await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: len(receiver.tries) > 0)
        async with writing(house.services.store._engine) as connection:
            await connection.execute(update(events).values(data={"caller": "erased-1"}))
        house.services.saving.forget()
        tried = len(receiver.tries)
        await until(lambda: len(receiver.tries) > tried + 1)  # one may have been on its way
        receiver.answers.clear()
        await until(lambda: len(receiver.taken) == 8)

    assert receiver.seqs == list(range(1, 9))
    assert {each["data"]["caller"] for each in receiver.taken} == {"erased-1"}


async def test_there_are_only_so_many_webhooks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.deliveries.LIMIT", 1)
    async with receiving() as receiver:
        await subscribe(house, receiver)

        assert (await house.post("/v1/webhooks", {"url": receiver.url})).status == 409


async def test_a_webhook_may_post_to_the_api_itself(house: House) -> None:
    made = await house.post("/v1/webhooks", {"url": house.url("/v1/calls")})
    await house.answered_call()

    await until(lambda: standing(house, made).last_error == "HTTP 405")


async def test_what_went_wrong_is_one_short_line_without_the_secrets_of_the_url(house: House) -> None:
    """The receiver answers what is no HTTP, with the query in it, a control character and very much else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n")).split()[1]
        writer.write(b"HTTP/1.1 200 OK\r\nX\x1b[31m " + asked + b" geheim " + b"x" * 500 + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        made = await house.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/hook?key=geheim"})
        await house.answered_call()
        await until(lambda: standing(house, made).last_error is not None)
        error = (await house.get(made.headers["Location"])).json["last_error"]

    assert "…" in error
    assert "geheim" not in error
    assert error.isprintable()
    assert "  " not in error
    assert 10 < len(error) <= LONGEST_ERROR


async def test_since_when_a_receiver_fails_survives_a_restart(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, receiving(*[503] * 10_000) as receiver:
        made = await subscribe(house, receiver)
        await house.answered_call()
        await until(lambda: standing(house, made).failing_since is not None)
        since = standing(house, made).failing_since
        [stored] = await house.context.store.webhooks()
        while stored.failing_since is None:
            [stored] = await house.context.store.webhooks()

        later = couriers(house.services, house.context.reads)
        async with sending(later):
            assert later.standings[stored.id].failing_since == since
            receiver.answers.clear()
            await until(lambda: later.standings[stored.id].after_seq == receiver.begun + 8)
        [stored] = await house.context.store.webhooks()

    assert stored.failing_since is None
