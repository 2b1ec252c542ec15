"""Whatever goes wrong is told in one form, and who may not ask is told so."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest

from gateway.api import application
from gateway.api.routes import BODY_LIMIT_BYTES
from gateway.api.wording import UNKNOWN, in_words
from gateway.vault.playing import RawTrack
from tests.api.house import House

OPERATOR = {"name": "Siti", "phone": "1001"}


def declared(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of the document with a path that can be asked."""
    named = {"name": "emergency", "phone": "1001", "id": "1", "number": "0811", "dial": "1-a"}
    return [
        (
            method.upper(),
            path.format(**named),
            operation,
        )
        for path, methods in house.document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize("value", ["Bearer nobody", "Basic YWRtaW46", "Bearer", "Bearer  ", "admin", "Bearer \xff\xfe"])
async def test_a_token_that_is_not_known_is_refused(house: House, value: str) -> None:
    reply = await house.get("/v1/calls", token=None, headers={"Authorization": value})

    assert reply.status == 401
    assert "WWW-Authenticate" in reply.headers


@pytest.mark.parametrize(
    "path", ["/x", "/v1", "/v1/call", "/v2/calls", "/v1/calls/", "/docs/x", "/v1/%2e%2e/x", "/v1/\u00e9"]
)
async def test_nothing_there_is_a_404(house: House, path: str) -> None:
    reply = await house.get(path)

    assert reply.status == 404
    assert reply.json["title"] == "Not Found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/calls", "GET, HEAD"),
        ("DELETE", "/v1/operators", "GET, HEAD, POST"),
        ("PUT", "/v1/operators/1", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/v1/queues/emergency/members/1001", "DELETE, PUT"),
        ("OPTIONS", "/v1/health", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_there_is_a_405_that_names_those_that_are(
    house: House, method: str, path: str, allowed: str
) -> None:
    reply = await house.ask(method, path)

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "raw",
    [b"{", b"", b"null x", b'{"name": "Siti" "phone"}', b"\xff\xfe", b'{"name": NaN', b"[" * 5000, b'"\xed\xa0\x80"'],
)
async def test_what_is_not_json_is_a_400(house: House, raw: bytes) -> None:
    reply = await house.ask("POST", "/v1/operators", data=raw, headers={"Content-Type": "application/json"})

    assert reply.status == 400
    assert "not JSON" in reply.json["detail"]


async def test_half_of_a_surrogate_pair_is_refused_and_never_stored(house: House) -> None:
    raw = b'{"name": "Si\\ud83d", "phone": "1001"}'
    reply = await house.ask("POST", "/v1/operators", data=raw, headers={"Content-Type": "application/json"})

    assert reply.status in (400, 422)


async def test_an_emoji_is_a_name_like_any_other(house: House) -> None:
    assert (await house.post("/v1/operators", {**OPERATOR, "name": "Siti 🚒"})).json["name"] == "Siti 🚒"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_a_body_of_another_kind_is_a_415(house: House, kind: str) -> None:
    reply = await house.ask("POST", "/v1/operators", data=b"{}", headers={"Content-Type": kind})

    assert reply.status == 415


async def test_a_body_past_the_limit_is_a_413(house: House) -> None:
    big = b'{"name": "' + b"x" * BODY_LIMIT_BYTES + b'"}'

    async def in_pieces() -> Any:
        for start in range(0, len(big), 10_000):
            yield big[start : start + 10_000]

    for data in (big, in_pieces()):
        reply = await house.ask("POST", "/v1/operators", data=data, headers={"Content-Type": "application/json"})
        assert reply.status == 413


async def test_a_body_that_never_comes_is_a_408(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.routes.BODY_TIMEOUT_S", 0.1)
    release = asyncio.Event()

    async def slow() -> Any:
        yield b"{"
        await release.wait()

    reply = await house.ask("POST", "/v1/operators", data=slow(), headers={"Content-Type": "application/json"})
    release.set()

    assert reply.status == 408


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\n{", b"5\r\nhello\r\n0\r\n\r\n"])
async def test_a_body_that_breaks_off_is_nobodys_mistake_here(
    house: House, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
    writer.write(
        b"POST /v1/operators HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer admin\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    )
    writer.write_eof()
    async with asyncio.timeout(10):
        while line := await reader.readline():
            if line.startswith(b"HTTP/1.1"):
                assert line.split()[1] == b"400"
                break
    writer.close()
    await writer.wait_closed()

    assert (await house.get("/v1/operators")).json["items"] == []
    assert [record for record in caplog.records if record.name.startswith("gateway.api")] == []


async def test_without_the_database_everything_says_so_and_when_to_come_back(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.take_database_away()
    for method, path, operation in declared(house):
        if operation["security"]:
            reply = await house.ask(method, path)
            assert (reply.status, reply.json["detail"]) == (503, "The database does not answer."), path
            assert int(reply.headers["Retry-After"]) > 0
    await house.bring_database_back()
    told = [record for record in caplog.records if record.msg == "request_unanswered"]
    assert told
    assert all(getattr(record, "reason", "") for record in told), "the log has the reason"

    assert (await house.get("/v1/calls")).status == 200


async def test_our_own_mistake_is_logged_and_tells_nothing_of_the_inside(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(call_id: str) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(type(house.context.reads), "call_and_beside", lambda reads, call_id: broken(call_id))
    with caplog.at_level(logging.ERROR):
        reply = await house.get("/v1/calls/112-1.1")

    assert reply.status == 500
    assert "secret" not in reply.text
    assert any("the secret inside" in str(record.exc_info) for record in caplog.records)


async def test_no_answer_is_kept_guessed_at_framed_or_told_to_another_site(house: House) -> None:
    """Answers of every kind, from every operation: good, refused, not there, and to a method that is not there."""
    origin = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    requests = [(method, path, "admin") for method, path, _ in declared(house) if not path.endswith("/stream")]
    requests += [("GET", "/v1/calls", "nobody"), ("GET", "/v1/nothing", "admin"), ("OPTIONS", "/v1/calls", "admin")]
    for method, path, token in requests:
        reply = await house.ask(method, path, token=token, headers=origin)
        is_own = {"Content-Security-Policy"} if reply.headers.get("Content-Type", "").startswith("text/html") else set()
        if path.endswith(".ics"):
            is_own.add("Cache-Control")
        for name, value in application.HEADERS.items():
            assert reply.headers[name] == value or name in is_own, (path, name)
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"], path
        assert "unsafe" not in reply.headers["Content-Security-Policy"], path
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")], path


async def test_a_stream_is_kept_guessed_at_and_told_to_another_site_no_more_than_an_answer(house: House) -> None:
    headers = {"Authorization": "Bearer admin", "Origin": "https://elsewhere.example"}
    for path in ("/v1/events/stream", "/v1/board/stream"):
        async with house.session.get(house.url(path), headers=headers) as answer:
            assert {name: answer.headers[name] for name in application.HEADERS} == application.HEADERS
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_unknown_query_parameters_are_named_everywhere(house: House) -> None:
    for method, path, _ in declared(house):
        reply = await house.ask(method, f"{path}?colour=red")
        assert (reply.status, "?colour" in reply.fields) == (422, True), path


async def test_our_own_mistake_in_the_middle_of_an_answer_cuts_the_connection(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = RawTrack.read

    def broken(track: RawTrack, first: int, last: int) -> bytes:
        if first:
            raise ValueError("not a good number")
        return read(track, first, last)

    monkeypatch.setattr(RawTrack, "read", broken)
    house.sound("one.raw", 10.0)
    await house.answered_call(recording="one.raw")

    with pytest.raises(aiohttp.ClientPayloadError):
        await house.get("/v1/calls/112-1.1/recording?reason=a+complaint")

    assert "request_failed" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "reason"),
    [
        ("POST", "/v1/operators", {"name": "Siti", "phone": "12"}, "/phone", "must be 3 to 6 digits"),
        ("POST", "/v1/operators", {"name": "Si\tti", "phone": "1001"}, "/name", "must be without line ends, tabs and"),
        ("POST", "/v1/queues", {"name": "Fire!"}, "/name", "must be a small letter, then small letters, digits"),
        ("PUT", "/v1/queues/emergency/members/siti", {}, "{phone}", "must be 3 to 6 digits"),
        ("POST", "/v1/pause-reasons", {"digit": "x", "name": "rapat"}, "/digit", "must be one digit"),
    ],
)
async def test_a_pattern_is_told_in_words(
    house: House, method: str, path: str, body: Any, field: str, reason: str
) -> None:
    reply = await house.ask(method, path, json=body)

    [error] = reply.json["errors"]
    assert (reply.status, error["field"]) == (422, field)
    assert error["reason"].startswith(reason)
    assert not set("^$[]{}") & set(error["reason"])


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/v1/calls?trunk=", "trunk"),
        ("/v1/callbacks?trunk=", "trunk"),
        ("/v1/recordings?trunk=", "trunk"),
        ("/v1/recordings?queue=", "queue"),
        ("/v1/reports/service-level?trunk=", "trunk"),
        ("/v1/reports/service-level?queue=", "queue"),
    ],
)
async def test_a_trunk_or_a_queue_that_there_never_was_is_no_empty_list(house: House, path: str, word: str) -> None:
    unknown = await house.get(f"{path}nope")
    [error] = unknown.json["errors"]
    assert (unknown.status, error["field"]) == (422, f"?{word}")
    known = {"trunk": "indosat", "queue": "emergency"}[word]
    assert error["reason"].startswith(f"there is no {word} nope: known are ")
    assert known in error["reason"]

    things = (await house.get(f"/v1/{word}s")).json["items"]
    made = (
        next((each for each in things if each["name"] == "indosat"), None)
        or (await house.post("/v1/queues", {"name": "second"})).json
    )
    assert (await house.delete(f"/v1/{word}s/{made['id']}")).status == 204
    assert (await house.get(f"{path}{made['name']}")).status == 200  # what is retired has a history


def patterns(value: Any) -> set[str]:
    """Every pattern in a JSON value."""
    if isinstance(value, dict):
        own = {value["pattern"]} if isinstance(value.get("pattern"), str) else set()
        return own.union(*map(patterns, value.values()))
    return set().union(*map(patterns, value)) if isinstance(value, list) else set()


async def test_every_pattern_of_the_api_has_its_words(house: House) -> None:
    found = patterns(house.document)

    assert len(found) > 8
    assert [pattern for pattern in sorted(found) if in_words(pattern) == UNKNOWN] == []


async def test_no_answer_says_what_it_is_made_with(house: House) -> None:
    for path in ("/v1/health", "/docs", "/v1/nothing"):
        assert (await house.get(path)).headers["Server"] == "gateway112"
    reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
    writer.write(b"this is no HTTP\r\n\r\n")
    async with asyncio.timeout(10):
        head = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert b"Server: gateway112\r\n" in head
    assert b"aiohttp" not in head


async def test_a_query_of_thousands_of_names_is_not_taken_apart(house: House) -> None:
    """Whoever has no token may send one; it would be looked through once for each of its names."""
    for path in ("/v1/event-types", "/docs", "/v1/calls"):
        said = await house.get(f"{path}?{'a&' * 3000}", token=None)
        assert (said.status, said.json["errors"]) == (
            422,
            [{"field": "?", "reason": "has more than 64 parameters"}],
        )
