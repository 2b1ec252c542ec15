"""Tokens that expire, are rotated, and tell when they were used last."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ports import StoreAway
from tests.api.house import House, Reply, until
from tests.api.listener import listening

SEEN = {"If-Match": "*"}


def move_on(house: House, by: timedelta) -> None:
    house.services.clock.at = datetime.now(UTC) + by


async def made(house: House, **body: object) -> Reply:
    return await house.post("/v1/tokens", {"name": "CAD", "role": "auditor", **body})


async def rotated(house: House, path: str, body: object = None, headers: dict[str, str] = SEEN) -> Reply:
    return await house.ask("POST", f"{path}/rotate", json=body, headers=headers)


async def test_a_token_opens_the_api_for_as_many_days_as_were_said(house: House) -> None:
    token = await made(house, valid_days=30)
    secret = token.json["token"]
    move_on(house, timedelta(days=29))
    before = await house.get("/v1/calls", token=secret)
    move_on(house, timedelta(days=30))
    after = await house.get("/v1/calls", token=secret)

    assert (token.json["valid_days"], before.status, after.status) == (30, 200, 401)
    assert after.json["detail"].startswith("This token opened the API until 20")
    assert 'error="invalid_token"' in after.headers["WWW-Authenticate"]
    assert (await house.get(token.headers["Location"])).json["expires_at"] == token.json["expires_at"]


async def test_a_time_that_cannot_be_is_named(house: House) -> None:
    for days in (0, -1, 3651, "30", 1.5, True):
        reply = await made(house, valid_days=days)
        assert (reply.status, reply.fields) == (422, ["/valid_days"]), days


async def test_a_rotated_token_opens_the_same_by_both_secrets_for_a_day(house: House) -> None:
    token = await made(house, valid_days=30)
    path, first = token.headers["Location"], token.json["token"]
    move_on(house, timedelta(days=25))
    new = await rotated(house, path)
    second = new.json["token"]

    both = [(await house.get("/v1/calls", token=secret)).status for secret in (first, second)]
    move_on(house, timedelta(days=26, minutes=1))
    later = [(await house.get("/v1/calls", token=secret)).status for secret in (first, second)]

    assert (both, later) == ([200, 200], [401, 200])
    assert new.json["expires_at"] > token.json["expires_at"]
    assert (new.json["id"], new.json["name"], new.json["version"]) == (token.json["id"], "CAD", 2)
    assert (await house.get(path)).headers["ETag"] == new.headers["ETag"]


async def test_a_rotation_can_end_the_secret_before_at_once_and_change_the_time(house: House) -> None:
    token = await made(house)
    new = await rotated(house, token.headers["Location"], {"overlap_h": 0, "valid_days": 7})
    always = await rotated(house, token.headers["Location"], {"valid_days": None})

    assert (await house.get("/v1/calls", token=token.json["token"])).status == 401
    assert new.json["valid_days"] == 7
    assert (always.json["valid_days"], always.json["expires_at"]) == (None, None)


async def test_a_rotation_says_which_version_it_saw_so_that_a_repeated_one_takes_no_secret_away(house: House) -> None:
    token = await made(house)
    path = token.headers["Location"]
    seen = {"If-Match": token.headers["ETag"]}
    first, again = await rotated(house, path, None, seen), await rotated(house, path, None, seen)

    assert (first.status, again.status, (await rotated(house, path, None, {})).status) == (200, 412, 428)
    assert (await house.get("/v1/calls", token=token.json["token"])).status == 200
    assert (await rotated(house, path, {"overlap_h": 721})).fields == ["/overlap_h"]
    assert (await rotated(house, "/v1/tokens/99")).status == 404


async def test_a_bearer_rotates_his_own_token_and_gains_no_time(house: House) -> None:
    token = await made(house, valid_days=30)
    first = token.json["token"]
    move_on(house, timedelta(days=25))
    new = await house.post("/v1/tokens/mine/rotate", {"overlap_h": 1}, token=first)
    second = new.json["token"]
    both = [(await house.get("/v1/calls", token=secret)).status for secret in (first, second)]
    move_on(house, timedelta(days=25, hours=2))
    later = [(await house.get("/v1/calls", token=secret)).status for secret in (first, second)]

    assert (new.status, both, later) == (200, [200, 200], [401, 200])
    assert (new.json["id"], new.json["expires_at"]) == (token.json["id"], token.json["expires_at"])
    entries = (await house.get(f"/v1/audit?subject=token/{token.json['id']}")).json["items"]
    assert [(entry["actor"], entry["action"]) for entry in entries[1:]] == [("CAD", "token.changed")]


async def test_whoever_found_an_old_secret_cannot_take_the_token_away_with_it(house: House) -> None:
    first = (await made(house)).json["token"]
    second = (await house.post("/v1/tokens/mine/rotate", {}, token=first)).json["token"]
    again = await house.post("/v1/tokens/mine/rotate", {}, token=first)

    assert (again.status, again.json["detail"].startswith("this token has a new secret")) == (409, True)
    assert (await house.get("/v1/calls", token=second)).status == 200


async def test_the_admins_own_token_is_the_one_in_its_file(house: House) -> None:
    for reply in (await rotated(house, "/v1/tokens/1"), await house.post("/v1/tokens/mine/rotate", {})):
        assert (reply.status, "var/admin-token" in reply.json["detail"]) == (409, True)


async def test_rotations_are_in_the_audit_log_and_no_secret_is(house: House) -> None:
    token = await made(house, valid_days=30)
    new = await rotated(house, token.headers["Location"])
    text = (await house.get(f"/v1/audit?subject=token/{token.json['id']}")).text
    events = (await house.get("/v1/events?limit=1000")).text

    assert '"action":"token.changed"' in text
    assert "previous_until" in text
    for told in (text, events):
        assert "token_hash" not in told
        assert "previous_hash" not in told
        assert token.json["token"] not in told
        assert new.json["token"] not in told


async def test_each_token_tells_when_it_was_used_last(house: House) -> None:
    token = await made(house)
    path = token.headers["Location"]
    never = (await house.get(path)).json["last_used_at"]
    move_on(house, timedelta(hours=1))
    await house.get("/v1/calls", token=token.json["token"])
    once = await house.get(path)
    await house.context.uses.save()
    move_on(house, timedelta(hours=2))
    await house.get("/v1/calls", token=token.json["token"])
    twice = await house.get(path)

    assert (token.json["last_used_at"], never) == (None, None)
    assert once.json["last_used_at"] is not None
    assert once.json["last_used_at"] < twice.json["last_used_at"]
    assert twice.headers["ETag"] == token.headers["ETag"], "to be used is no change"
    assert (await house.context.store.token_uses()).keys() == {1, token.json["id"]}


async def test_a_use_that_could_not_be_saved_is_saved_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise StoreAway("the disk is full")

    await house.get("/v1/calls", token="reader")
    with monkeypatch.context() as patch:
        patch.setattr(type(house.context.store), "put_token_uses", away)
        with pytest.raises(StoreAway):
            await house.context.uses.save()
    await house.context.uses.save()

    assert len(await house.context.store.token_uses()) == 1


@pytest.mark.parametrize("end", ["expire", "rotate"])
async def test_a_stream_ends_with_the_secret_that_it_was_opened_with(house: House, end: str) -> None:
    token = await made(house, valid_days=1)
    streams: Callable[[], int] = lambda: house.context.streams.open_count  # noqa: E731
    async with listening(house, token=token.json["token"]):
        await until(lambda: streams() == 1)
        if end == "rotate":
            await rotated(house, token.headers["Location"], {"overlap_h": 1})
        move_on(house, timedelta(days=1) if end == "expire" else timedelta(hours=2))
        await until(lambda: streams() == 0)


async def test_health_tells_that_tokens_will_expire_and_of_nobody_by_name(house: House) -> None:
    await made(house, name="CAD", valid_days=100)
    await made(house, name="Dewi", role="admin", valid_days=101)
    before = await house.get("/v1/health", token=None)
    move_on(house, timedelta(days=95))
    after = await house.get("/v1/health", token=None)
    await rotated(house, "/v1/tokens/4")
    await rotated(house, "/v1/tokens/5")
    renewed = await house.get("/v1/health", token=None)

    assert before.json["problems"] == renewed.json["problems"] == []
    [problem] = after.json["problems"]
    assert problem.startswith("2 tokens expire soon, the first at 20")
    assert problem.endswith("(1 of them an admin's).")
    assert (after.status, after.json["status"], "Dewi" in after.text) == (200, "impaired", False)
    assert [each["code"] for each in after.json["reasons"]] == ["tokens_expire"]
