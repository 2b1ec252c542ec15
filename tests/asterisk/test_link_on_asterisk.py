"""The link's ordinary path with a real Asterisk, and what the scripted peer takes for granted about it.

Counterpart: `test_link`, whose peer does on purpose what this one does only on a bad day.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.asterisk.errors import AsteriskAway, AsteriskRefused, UnsafeValue
from gateway.asterisk.framing import LINE_LIMIT_BYTES, LINES_LIMIT
from gateway.asterisk.installation import Installation, find
from gateway.asterisk.link import LinkState
from tests.asterisk.linked import Ear, running
from tests.asterisk.scripted_peer import until
from tests.sip import free_port

pytestmark = pytest.mark.asterisk

MODULES = ("pbx_config", "app_queue", "app_userevent", "chan_bridge_media", "app_echo")


@dataclass
class RealPeer:
    """A bare Asterisk of this test's own; it stands where a `ScriptedPeer` may stand."""

    installation: Installation
    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it has booted: its manager listens before, and refuses what a module answers
        that is still being loaded."""
        self.process = subprocess.Popen(
            self.installation.command(self.home, "-f"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        booted = self.installation.command(self.home, "-rx", "core waitfullybooted")
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            if b"fully booted" in subprocess.run(booted, capture_output=True, timeout=60, check=False).stdout:
                return
            time.sleep(0.05)
        raise TimeoutError("Asterisk does not boot")

    def signal(self, number: signal.Signals) -> None:
        """Send this process, and no other, a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        """Kill it, wherever it stands."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPeer]:
    installation = find()
    home = tmp_path_factory.mktemp("ast")  # short, for Asterisk's control socket lies below it
    port = free_port()
    folders = "".join(
        f"ast{name}dir = {home}\n" for name in ("etc", "varlib", "data", "db", "key", "agi", "spool", "run", "log")
    )
    files = {
        "asterisk.conf": f"[directories]\nastmoddir = {installation.modules}\n{folders}[options]\nsystemname = 112\n",
        "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {module}.so\n" for module in MODULES),
        "manager.conf": f"[general]\nenabled = yes\ntimestampevents = yes\nport = {port}\nbindaddr = 127.0.0.1\n"
        "[gateway112]\nsecret = s3cret\nread = all\nwrite = all\n",
        "queues.conf": "[general]\n[emergency]\nstrategy = rrmemory\n",
        "extensions.conf": "[default]\nexten = s,1,Wait(60)\n",
        "logger.conf": "[general]\n[logfiles]\n",
    }
    for name, text in files.items():
        (home / name).write_text(text)
    (home / "documentation").symlink_to(installation.documentation)
    peer = RealPeer(installation, home, port)
    peer.start()
    yield peer
    peer.stop()


async def test_a_link_asks_lists_and_hears_and_its_refusals_are_asterisks_own(peer: RealPeer, ear: Ear) -> None:
    async with running(peer, ear) as link:
        assert link.reason.startswith("Logged in")
        assert (await link.ask("Ping")).get("Ping") == "Pong"

        added = await link.ask("QueueAdd", ("Queue", "emergency"), ("Interface", "Local/1@default"))
        assert added.get("Message") == "Added interface to queue"
        with pytest.raises(AsteriskRefused, match="Already there"):
            await link.ask("QueueAdd", ("Queue", "emergency"), ("Interface", "Local/1@default"))

        names = [message.name for message in await link.ask_list("QueueStatus")]
        assert names == ["Success", "QueueParams", "QueueMember", "QueueStatusComplete"]
        assert len(await link.ask_list("CoreShowChannels")) == 2
        with pytest.raises(AsteriskRefused, match="Invalid/unknown command"):
            await link.ask("NoSuchAction")
        with pytest.raises(AsteriskRefused, match="No such command 'nix'"):
            await link.ask("Command", ("Command", "nix"))

        await link.ask("UserEvent", ("UserEvent", "Note"), ("Text", 'Siti 🚒 \x01\x1b\t"quoted", ünïcode'))
        await until(lambda: {"UserEvent", "QueueMemberAdded"} <= set(ear.names()))  # told by different threads

    (note,) = (message for message in ear.events if message.name == "UserEvent")
    assert note.get("Text") == 'Siti 🚒 \x01\x1b\t"quoted", ünïcode'


async def test_events_are_heard_also_while_somebody_has_asterisk_tell_where_each_comes_from(
    peer: RealPeer, ear: Ear
) -> None:
    async with running(peer, ear) as link:
        await link.ask("Command", ("Command", "manager set debug on"))
        await link.ask("UserEvent", ("UserEvent", "Note"))
        await until(lambda: "UserEvent" in ear.names())
        assert link.counters.strays == 0
    (note,) = (message for message in ear.events if message.name == "UserEvent")
    assert note.get("Line").isdigit(), "that is what it tells more"


async def test_an_originated_call_is_answered_at_once_and_carries_every_variable(peer: RealPeer, ear: Ear) -> None:
    async with running(peer, ear) as link:
        answer = await link.ask(
            "Originate",
            ("Channel", "Local/s@default"),
            ("Application", "Echo"),
            ("Async", "true"),
            ("Variable", "first=1"),
            ("Variable", "second=2"),
        )
        await until(
            lambda: {("first", "1"), ("second", "2")} <= {(e.get("Variable"), e.get("Value")) for e in ear.events}
        )

    assert answer.get("Message") == "Originate successfully queued"


async def test_asterisk_takes_exactly_the_lines_that_the_framing_lets_through(peer: RealPeer, ear: Ear) -> None:
    longest = "x" * (LINE_LIMIT_BYTES - len("Text: "))
    most = [("Text", str(number)) for number in range(LINES_LIMIT - 3)]  # Action, ActionID, UserEvent
    async with running(peer, ear) as link:
        await link.ask("UserEvent", ("UserEvent", "Long"), ("Text", longest))
        await link.ask("UserEvent", ("UserEvent", "Many"), *most)
        with pytest.raises(UnsafeValue):
            await link.ask("UserEvent", ("UserEvent", "Long"), ("Text", longest + "x"))
        with pytest.raises(UnsafeValue):
            await link.ask("UserEvent", ("UserEvent", "Many"), *most, ("Text", "one more"))
        await until(lambda: ear.names().count("UserEvent") == 2)

    long, many = (message for message in ear.events if message.name == "UserEvent")
    assert long.get("Text") == longest
    assert len(many.all("Text")) == len(most)


async def test_a_wrong_password_is_refused(peer: RealPeer) -> None:
    async with running(peer, state=LinkState.REFUSED, secret="wrong") as link:
        assert link.reason == "'gateway112' is not let in: Authentication failed."


async def test_a_stopped_asterisk_is_noticed_and_a_killed_one_is_found_again(peer: RealPeer, ear: Ear) -> None:
    reads: list[str] = []

    async def read() -> None:
        reads.append("read")

    async with running(peer, ear, read, ping_interval_s=0.05, ping_timeout_s=0.5) as link:
        await until(lambda: reads)
        peer.signal(signal.SIGSTOP)  # its sockets stay open: half-open, as far as TCP can tell
        await until(lambda: link.state is not LinkState.UP)
        with pytest.raises(AsteriskAway):
            await link.ask("QueueStatus")
        # that it fell silent was noticed after a ping had waited for its answer
        assert link.lost_s is not None
        assert time.monotonic() - link.lost_s >= 0.5
        peer.signal(signal.SIGCONT)
        await until(lambda: link.state is LinkState.UP and len(reads) >= 2)
        assert link.lost_s is None

        peer.stop()
        await until(lambda: link.state is not LinkState.UP)
        before = len(reads)
        await asyncio.to_thread(peer.start)
        await until(lambda: link.state is LinkState.UP and len(reads) > before)
        await until(lambda: any(message.name == "FullyBooted" for message in ear.events))
        assert (await link.ask_list("QueueStatus"))[-1].name == "QueueStatusComplete"
