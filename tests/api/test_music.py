"""A queue's music: a class that is there, or none."""

from dataclasses import replace

import pytest

from gateway.domain.audit import CENTRE
from gateway.domain.queues import Queue
from tests.api.house import House

REASON = (
    "there is no class calm: known are default, tenang; one that was made since is known once Asterisk and the gateway "
    "are started anew"
)


async def test_a_queue_has_a_class_that_is_there_or_rings(house: House) -> None:
    made = await house.post("/v1/queues", {"name": "medical", "music": "tenang"})
    assert house.switchboard.held.queues["medical"].music == "tenang"

    changed = await house.patch(made.headers["Location"], {"music": None})
    assert changed.json["music"] is None
    assert house.switchboard.held.queues["medical"].music is None


@pytest.mark.parametrize("body", [{"name": "medical", "music": "calm"}, {"music": "calm"}])
async def test_a_class_that_is_not_there_is_named_with_those_that_are(house: House, body: dict[str, str]) -> None:
    [queue] = (await house.get("/v1/queues")).json["items"]
    is_new = "name" in body
    reply = await (house.post("/v1/queues", body) if is_new else house.patch(f"/v1/queues/{queue['id']}", body))

    assert (reply.status, reply.json["errors"]) == (409, [{"field": "/music", "reason": REASON}])


async def test_a_class_that_was_taken_away_stops_no_other_change(house: House) -> None:
    [queue] = await house.context.store.kept(Queue)
    house.services.office._music = {"gone"}
    gone = await house.context.office.change(queue, replace(queue, music="gone"), CENTRE)
    house.services.office._music = ("default", "tenang")

    assert (await house.patch(f"/v1/queues/{queue.id}", {"ring_s": 20})).json["music"] == gone.music
    assert (await house.patch(f"/v1/queues/{queue.id}", {"music": "calm"})).status == 409
