"""The advisor: what it hears of a call, what it sets, and that one slow or broken advice holds no other up. What
Asterisk makes of it is shown in `tests/calls/test_advice.py`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.asterisk.advisor import AT_ONCE, WAITING_CALLS, Advisor
from gateway.asterisk.framing import Message
from gateway.domain.advice import Advice
from gateway.domain.advice_rules import Arrival
from tests.domain.values import MONDAY


@dataclass
class ToldLink:
    """Notes what is asked of it, and says that it is done."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def ask(self, action: str, *pairs: tuple[str, str], timeout_s: float) -> None:
        values = dict(pairs)
        self.asked.append((values["Channel"], values["Variable"], values["Value"]))


def arrived(number: int, location: str = "") -> Message:
    return Message(
        (
            *(("Event", "UserEvent"), ("UserEvent", "Arrived"), ("Channel", f"PJSIP/telkom-{number}")),
            *(("Linkedid", f"112-{number}"), ("Trunk", "telkom"), ("Caller", f"0812{number}")),
            *(("Dialled", "112"), ("Location", location)),
        )
    )


@asynccontextmanager
async def advising(rule: Callable[[Arrival], Awaitable[Advice]]) -> AsyncIterator[tuple[Advisor, ToldLink]]:
    link: Any = ToldLink()
    advisor = Advisor(link, rule, lambda: MONDAY)
    task = asyncio.create_task(advisor.run())
    try:
        yield advisor, link
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0)


async def test_a_call_is_told_its_advice_and_the_rules_names_last() -> None:
    heard: list[Arrival] = []

    async def rule(arrival: Arrival) -> Advice:
        heard.append(arrival)
        return Advice("medical", 0, "nuisance", asks_key=True, rules=("Nuisance number", "Carrier"))

    async with advising(rule) as (advisor, link):
        advisor.hear(arrived(1, location="yes"))
        await until(lambda: advisor.given == 1)
    assert heard == [Arrival("112-1", "telkom", "08121", MONDAY, has_location=True)]
    assert link.asked == [
        ("PJSIP/telkom-1", name, value)
        for name, value in (
            ("ADVICE_QUEUE", "medical"),
            ("ADVICE_PRIORITY", "0"),
            ("ADVICE_ASK_KEY", "yes"),
            ("ADVICE_NOTICE", "nuisance"),
            ("ADVICE_RULES", "Nuisance number, Carrier"),
        )
    ]


async def test_a_slow_or_broken_advice_holds_no_other_up_and_too_many_go_without() -> None:
    gate = asyncio.Event()

    async def rule(arrival: Arrival) -> Advice:
        if arrival.call_id == "112-0":
            await gate.wait()
        if arrival.call_id == "112-1":
            raise ValueError("a mistake of ours")
        return Advice(priority=3)

    async with advising(rule) as (advisor, link):
        for number in range(AT_ONCE + 2):
            advisor.hear(arrived(number))
        await until(lambda: advisor.given == AT_ONCE)
        assert advisor.missed == 1
        assert all(channel != "PJSIP/telkom-0" for channel, _, _ in link.asked)
        gate.set()
        await until(lambda: advisor.given == AT_ONCE + 1)
        for number in range(WAITING_CALLS + 3):
            advisor.hear(arrived(100 + number))
        assert advisor.missed == 4
