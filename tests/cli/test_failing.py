"""What goes wrong is one sentence on stderr with what to do about it, and a status that a script can use."""

import errno
import os
import pwd
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.cli.client import Failed
from gateway.cli.command import new_file
from gateway.remedies import START_GATEWAY
from tests.api.house import House
from tests.cli.typed import Typed, settle
from tests.sip import free_port


async def test_an_api_that_is_away_is_told_with_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    settle(tmp_path, monkeypatch, port)

    said = await Typed(capsys)("operator list")

    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        f"gateway112 operator list: http://127.0.0.1:{port} does not answer: Connection refused. Remedy: "
        f"{START_GATEWAY}"
    )


def test_a_file_in_a_folder_that_the_user_may_not_enter_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the services' user in root's own folder: it was a traceback."""

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    said = r"cannot be written: Permission denied\. Remedy: name a file in another folder"
    with pytest.raises(Failed, match=said), new_file(tmp_path / "calls.zip"):
        pass


async def test_a_host_that_is_not_there_is_told(typed: Typed) -> None:
    said = await typed("alarms --token admin --api http://nowhere.invalid:8112")

    assert said.status == 1
    assert "http://nowhere.invalid:8112 does not answer: " in said.err


async def test_a_token_that_is_not_known_is_told_by_where_it_came_from_and_never_itself(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "var" / "admin-token"
    file.write_text("stale-secret\n")
    of_file = await typed("operator list")
    monkeypatch.setenv("GATEWAY112_TOKEN", "wrong-secret")
    of_environment = await typed("operator list")
    of_option = await typed("operator list --token another-secret")

    for said, source in (
        (of_file, f"the file {file}"),
        (of_environment, "the environment variable GATEWAY112_TOKEN"),
        (of_option, "the option --token"),
    ):
        assert said.status == 1
        assert f"does not take the token of {source}: This token is not known here. Remedy: " in said.err
        assert "secret" not in said.out + said.err


async def test_the_environments_token_is_taken_before_the_file_and_the_option_before_both(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY112_TOKEN", "reader")
    refused = await typed("operator add Siti 1001")
    await typed.good("operator add Siti 1001 --token admin")

    assert refused.status == 1
    assert "The token reader has the role auditor, which may not change operators" in refused.err


async def test_this_centres_token_goes_to_no_other_address(house: House, typed: Typed) -> None:
    same = f"http://localhost:{house.server.port}"

    said = await typed("operator list --api", same)

    assert said.status == 1
    assert f"No token is named for {same}" in said.err
    await typed.good("operator list --token admin --api", f"{same}/")
    await typed.good("operator list --api", house.url("/"))


async def test_a_token_that_is_not_there_yet_is_told_with_how_to_make_it(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "var" / "admin-token"
    file.unlink()

    said = await typed("operator list")

    assert said.status == 1
    assert f"The admin's token {file} cannot be read: No such file or directory. Remedy: start the gateway" in said.err
    assert not file.exists()


@pytest.mark.parametrize("secret", ["", "two\nlines", "käse"])
async def test_what_cannot_be_a_token_is_not_sent(typed: Typed, secret: str) -> None:
    said = await typed("operator list --token", secret)

    assert said.status == 1
    assert "What stands in the option --token cannot be a token." in said.err


async def test_a_database_that_is_away_is_told(house: House, typed: Typed) -> None:
    await house.take_database_away()

    said = await typed("operator list")

    assert said.status == 1
    assert "The database does not answer. Remedy: try again in a moment" in said.err
    await house.bring_database_back()


async def test_another_admins_change_is_not_overwritten(house: House, typed: Typed) -> None:
    """The list that the command reads is of an older version: as if somebody had been quicker."""
    await typed.good("operator add Siti 1001")
    quicker = _Quicker(house)
    async with quicker:
        said = await typed("operator secret 1001 --token admin --api", quicker.url)

    assert said.status == 1
    assert "Operator 1 was changed by somebody else: read it again. Remedy: run the command again" in said.err


@pytest.fixture
async def stranger() -> AsyncIterator[TestServer]:
    """Something that is no gateway."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<h1>It works!</h1>", content_type="text/html")

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    async def other_version(_: web.Request) -> web.Response:
        return web.json_response({"items": [{"name": "night"}], "next": None})

    async def hangs_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    application = web.Application()
    application.router.add_get("/v1/operators", page)
    application.router.add_get("/v1/alarms", moved)
    application.router.add_get("/v1/queues", hangs_up)
    application.router.add_get("/v1/shifts", other_version)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    yield server
    await server.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("operator list", "is not the gateway's API (status 200, text/html)"),
        ("alarms", "is not the gateway's API (status 302, text/plain)"),
        ("trunk list", "is not the gateway's API (status 404, text/plain)"),
        ("shift list", "has no 'start'. Remedy: use the gateway112 of the version that runs there"),
        ("queue list", "broke off: "),
    ],
)
async def test_what_is_no_gateway_is_told(stranger: TestServer, typed: Typed, line: str, told: str) -> None:
    said = await typed(f"{line} --token admin --api http://127.0.0.1:{stranger.port}")

    assert said.status == 1
    assert told in said.err
    assert "Remedy: " in said.err


@pytest.mark.parametrize(
    "line",
    [
        "",
        "operator",
        "operator add",
        "operator add Siti 12",
        "operator dismiss 1001",
        "queue set emergency",
        "queue set emergency minimum",
        "shift add morning 6 14:00",
        "shift add morning 06:00 24:00",
        "assign 1001 morning tomorrow",
        "assign 1001 morning 2026-11-23 --penalty -1",
        "roster show --week 48",
        "roster show --week 2026-W60",
        "roster show --week 2026-W48 --from 2026-11-23",
        "token create Dewi king",
        "audit --last 0",
        "alarms --api 127.0.0.1:8112",
    ],
)
async def test_wrong_arguments_end_with_status_2_and_the_usage(typed: Typed, line: str) -> None:
    said = await typed(line)

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("usage: gateway112")


@pytest.mark.parametrize(
    "line",
    [
        *(f"operator {name}" for name in ("list", "add", "retire", "pause", "resume", "login", "logout", "secret")),
        *("queue list", "queue add", "queue set", "trunk list", "trunk add", "shift list", "shift add", "assign"),
        *("roster show", "roster import", "roster export", "token list", "token create", "token retire"),
        *("audit", "alarms", "report show", "report month", "block list", "block set", "block lift"),
        *("callback list", "callback claim", "callback dial", "callback reached", "callback give-up"),
        "callback give-up-many",
        *("agency list", "agency set", "agency retire"),
        *("hold list", "hold set", "hold lift", "hold confirm", "recording list", "recording fetch", "export"),
        *("retention list", "retention add", "retention retire", "retention due"),
        *("erasure list", "erasure ask", "erasure confirm", "erasure withdraw"),
    ],
)
async def test_every_command_has_help_with_an_example_that_fits(typed: Typed, line: str) -> None:
    said = await typed.good(f"{line} --help")

    assert f"example:\n  gateway112 {line}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


class _Quicker:
    """Stands before the house, and changes the operator after each list that it passes on."""

    def __init__(self, house: House) -> None:
        self._house = house
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._server = TestServer(application, host="127.0.0.1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def __aenter__(self) -> None:
        await self._server.start_server()

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("If-Match", "Content-Type") if name in request.headers}
        answer = await self._house.ask(
            request.method, str(request.rel_url), data=await request.read() or None, headers=headers
        )
        if request.method == "GET":
            await self._house.ask("PATCH", "/v1/operators/1", json={"name": "Siti A"}, headers={"If-Match": "*"})
        return web.Response(
            body=answer.raw, status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
        )


async def test_what_writes_to_the_centres_state_is_for_its_owner_alone(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root would leave keys and words behind that the gateway's user cannot read."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    var = tmp_path / "var"
    owner = pwd.getpwuid(var.stat().st_uid)
    if owner.pw_uid == 0:
        owner = pwd.getpwnam("nobody")
        os.chown(var, owner.pw_uid, -1)
    before = sorted(var.iterdir())
    for line in (
        "vault key",
        "vault rotate",
        "vault move",
        f"backup {tmp_path}/copy --without-keys",
        f"restore {tmp_path}/copy",
    ):
        said = await typed(line)
        assert said.status == 1
        assert f"{var} belongs to {owner.pw_name}" in said.words
        assert f"Remedy: sudo -u {owner.pw_name} GATEWAY112_CONFIG={tmp_path}/gateway.toml" in said.words
    assert sorted(var.iterdir()) == before


async def test_the_console_of_an_asterisk_that_never_ran_says_what_to_do(typed: Typed, tmp_path: Path) -> None:
    said = await typed("console core show channels")
    assert said.status == 1
    assert f"no Asterisk was ever started here ({tmp_path}/var/asterisk/etc" in said.words
