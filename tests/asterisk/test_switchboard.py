"""What a look brings is what Asterisk holds now, also where it reads anew only what has changed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.asterisk import sections
from gateway.asterisk.board import Board
from gateway.asterisk.errors import AsteriskRefused
from gateway.asterisk.framing import Message
from gateway.asterisk.link import Counters, LinkState
from gateway.asterisk.sections import PHONES_FILE, QUEUES_FILE, Section
from gateway.asterisk.switchboard import AsteriskSwitchboard
from gateway.domain.holding import Phone
from gateway.domain.queues import Queue

PHONE = Phone("1001", "d1")
QUEUE = Queue(name="fire", minimum=0, max_wait_s=0, created_at=datetime(1970, 1, 1, tzinfo=UTC))


class ToldLink:
    """Shows two files as Asterisk would, each answer with an ActionID of its own; there is nothing else in it."""

    def __init__(self, **files: list[Section]) -> None:
        self.files = files
        self.state = LinkState.UP
        self.counters = Counters()
        self._asked = 0

    async def ask(self, action: str, *pairs: tuple[str, str], **_: Any) -> Message:
        assert action == "GetConfig"
        self._asked += 1
        return _config(self.files[_key(dict(pairs)["Filename"])], str(self._asked))

    async def ask_list(self, action: str, *_: tuple[str, str], **__: Any) -> list[Message]:
        if action == "QueueStatus":
            return []
        raise AsteriskRefused(action, "nothing there")


def _key(file: str) -> str:
    return {PHONES_FILE: "phones", QUEUES_FILE: "queues"}[file]


def _config(there: list[Section], action_id: str) -> Message:
    headers = [("Response", "Success"), ("ActionID", action_id)]
    for number, section in enumerate(there):
        headers += [(f"Category-{number:06}", section.name), (f"Templates-{number:06}", section.template)]
        headers += [
            (f"Line-{number:06}-{place:06}", f"{name}={value}") for place, (name, value) in enumerate(section.values)
        ]
    return Message(tuple(headers))


@pytest.fixture
def link() -> ToldLink:
    return ToldLink(phones=[sections.of_phone(PHONE)], queues=[sections.of_queue(QUEUE)])


@pytest.fixture
def switchboard(link: ToldLink) -> AsteriskSwitchboard:
    return AsteriskSwitchboard(link, Board(clock=lambda: datetime.now(UTC)))  # type: ignore[arg-type]


async def test_files_that_stay_are_read_once(
    switchboard: AsteriskSwitchboard, monkeypatch: pytest.MonkeyPatch, link: ToldLink
) -> None:
    first = await switchboard.holding()
    reads: list[object] = []
    monkeypatch.setattr(sections, "_read", lambda config: reads.append(config) or [])

    assert await switchboard.holding() == first
    assert not reads
    link.files["phones"] = []
    await switchboard.holding()
    assert len(reads) == 1


async def test_whatever_anybody_changes_in_a_file_is_seen_at_the_next_look(
    switchboard: AsteriskSwitchboard, link: ToldLink
) -> None:
    assert (await switchboard.holding()).phones == {"1001": PHONE}

    link.files["phones"] = [sections.of_phone(replace(PHONE, digest="d2"))]
    assert (await switchboard.holding()).phones == {"1001": replace(PHONE, digest="d2")}
    link.files["phones"] = [sections.of_phone(PHONE)]
    assert (await switchboard.holding()).phones == {"1001": PHONE}
    link.files["phones"] = [replace(sections.of_phone(PHONE), template="carrier")]
    assert (await switchboard.holding()).phones["1001"] != PHONE
    link.files["queues"] = []
    held = await switchboard.holding()
    assert held.queues == {}
    assert set(held.phones) == {"1001"}
