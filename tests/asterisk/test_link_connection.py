"""The AMI link's connection: its state is always plain, and it always comes back.

The peer is scripted (`scripted_peer`); `test_link.py` is about what goes over it.
"""

from __future__ import annotations

import ast
import asyncio
import logging
from pathlib import Path

import pytest

import gateway
from gateway.asterisk import wire
from gateway.asterisk.errors import AsteriskAway, UnsafeValue
from gateway.asterisk.link import AmiLink, LinkState
from tests.asterisk.linked import Ear, running
from tests.asterisk.scripted_peer import FULLY_BOOTED, ScriptedPeer, event, response, until


async def test_a_peer_that_no_longer_answers_is_left_and_connected_anew(peer: ScriptedPeer) -> None:
    async with running(peer, ping_interval_s=0.01, ping_timeout_s=0.05) as link:
        peer.is_mute = True
        await until(lambda: link.state is not LinkState.UP)
        peer.is_mute = False
        await until(lambda: link.state is LinkState.UP)

        assert link.counters.logins >= 2


async def test_a_peer_that_no_longer_takes_what_it_is_sent_is_left_and_connected_anew(
    peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(peer, ping_interval_s=0.01) as link:
        monkeypatch.setattr(wire, "UNSENT_LIMIT_BYTES", 10)
        await until(lambda: "10 bytes wait to be sent" in link.reason)
        monkeypatch.undo()
        await until(lambda: link.state is LinkState.UP)


async def test_a_peer_that_refuses_its_pings_is_there_all_the_same(peer: ScriptedPeer) -> None:
    peer.answers["Ping"] = lambda action: response(action, "Error", "Message: Permission denied")
    async with running(peer, ping_interval_s=0.001):
        await until(lambda: len(peer.asked("Ping")) > 20)

    assert peer.connections == 1


async def test_a_peer_that_answers_its_pings_is_kept(peer: ScriptedPeer) -> None:
    async with running(peer, ping_interval_s=0.001):
        await until(lambda: len(peer.asked("Ping")) > 20)

    assert peer.connections == 1


async def test_asterisks_state_is_read_anew_after_each_login(peer: ScriptedPeer) -> None:
    links: list[AmiLink] = []

    async def read() -> None:
        await until(lambda: links)
        await links[0].ask("QueueStatus")

    async with running(peer, on_up=read) as link:
        links.append(link)
        for _ in range(3):
            await until(lambda: len(peer.asked("QueueStatus")) == link.counters.logins)
            peer.hang_up()
            await until(lambda: link.state is not LinkState.UP)
            await until(lambda: link.state is LinkState.UP)

        assert (link.counters.logins, link.counters.reread_errors) == (4, 0)


async def test_asterisks_state_is_read_again_when_it_finishes_booting_under_the_link(peer: ScriptedPeer) -> None:
    peer.after_login = b""
    reads: list[str] = []

    async def read() -> None:
        reads.append("read")

    async with running(peer, on_up=read):
        await until(lambda: len(reads) == 1)
        peer.say(FULLY_BOOTED)
        await until(lambda: len(reads) == 2)


async def test_a_booted_asterisk_is_read_once_a_login(peer: ScriptedPeer) -> None:
    reads: list[str] = []

    async def read() -> None:
        reads.append("read")

    peer.after_login = b""
    news = [FULLY_BOOTED]  # right after the login's answer, and perhaps in a read of its own
    peer.answers["Ping"] = lambda action: (news.pop() if news else b"") + response(action, "Success")
    async with running(peer, on_up=read) as link:
        await until(lambda: reads)
        await link.ask("Ping")
        await link.ask("Ping")

    assert reads == ["read"]


async def test_a_read_that_fails_is_counted_and_the_link_stays(
    peer: ScriptedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError("a reader's fault")

    async with running(peer, on_up=fail) as link:
        await until(lambda: link.counters.reread_errors == 1)
        await link.ask("Ping")

        assert link.state is LinkState.UP
    assert ("ami_reread_failed", 1) in [(record.message, vars(record).get("count")) for record in caplog.records]


async def test_a_wrong_password_is_said_plainly_and_tried_again_until_it_is_mended(peer: ScriptedPeer) -> None:
    peer.secret = "another"
    async with running(peer, state=LinkState.REFUSED) as link:
        assert link.reason == "'gateway112' is not let in: Authentication failed."
        with pytest.raises(AsteriskAway, match="Authentication failed"):
            await link.ask("Ping")
        since = link.since
        await until(lambda: len(peer.asked("Login")) >= 3)
        assert (link.state, link.since) == (LinkState.REFUSED, since)  # it does not flicker while it tries

        peer.secret = "s3cret"
        await until(lambda: link.state is LinkState.UP)


async def test_the_password_is_neither_shown_nor_logged(peer: ScriptedPeer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    peer.secret = "another"
    async with running(peer, state=LinkState.REFUSED, secret="hush-hush") as link:
        shown = f"{link!r} {link.reason} {caplog.text}"

    assert peer.asked("Login")[0]["Secret"] == ["hush-hush"]
    assert "hush-hush" not in shown


async def test_a_password_that_the_protocol_cannot_carry_is_refused_before_anything_starts() -> None:
    with pytest.raises(UnsafeValue) as caught:
        AmiLink(host="127.0.0.1", port=1, username="u", secret="a\nb", on_event=print)

    assert caught.value.field == "Secret"


async def test_an_endless_message_ends_the_connection_and_the_next_one_works(peer: ScriptedPeer, ear: Ear) -> None:
    async with running(peer, ear) as link:
        peer.say(b"Event: Endless\r\n" + b"Value: x" * (1 << 18))
        await until(lambda: link.counters.logins == 2)
        peer.say(event("Hangup"))
        await until(lambda: ear.names() == ["Hangup"])

        assert link.counters.framing_errors == 1


async def test_a_peer_that_is_no_asterisk_is_left_with_a_reason(peer: ScriptedPeer) -> None:
    peer.banner = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with running(peer, state=LinkState.DOWN) as link:
        await until(lambda: "is not the manager protocol" in link.reason)

        assert link.state is not LinkState.UP


async def test_a_peer_that_never_answers_the_login_is_left_with_a_reason(peer: ScriptedPeer) -> None:
    peer.is_mute = True
    async with running(peer, state=LinkState.CONNECTING, action_timeout_s=0.02) as link:
        await until(lambda: link.reason == "Asterisk did not answer in time. Login had 0.02 s.")
        peer.is_mute = False
        await until(lambda: link.state is LinkState.UP)


async def test_the_link_waits_for_an_asterisk_that_is_not_there_yet() -> None:
    async with ScriptedPeer() as gone:
        pass
    async with running(gone, state=LinkState.CONNECTING) as link:
        await until(lambda: "Connect call failed" in link.reason)
        since = link.since
        await until(lambda: link.state is LinkState.CONNECTING)
        await until(lambda: link.state is LinkState.DOWN)
        assert link.since == since  # since it went down, not since the newest try
        async with gone:
            await until(lambda: link.state is LinkState.UP)
            assert link.since > since


async def test_stopping_leaves_no_task_and_no_connection(peer: ScriptedPeer) -> None:
    before = asyncio.all_tasks()
    async with running(peer, on_up=asyncio.Event().wait) as link:
        pass

    await until(lambda: not peer.open_connections and asyncio.all_tasks() <= before)
    assert link.state is LinkState.DOWN


def test_of_panoramisk_only_the_protocol_and_the_action_are_used() -> None:
    used = set()
    for file in Path(gateway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            used |= {module for module in modules if module.split(".")[0] == "panoramisk"}

    assert used == {"panoramisk.actions", "panoramisk.ami_protocol"}
