"""Advice on one arriving call: which queue, and how urgent. Advice is never needed: the dialplan has its own defaults.

Counterpart: `dialplan/queue.conf` reads ADVICE_QUEUE and ADVICE_PRIORITY; `gateway/asterisk/advisor.py` sets them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.domain.call import PROBE_TRUNK

AS_THEY_COME = 1
"""The priority of a call that nothing is known of; `dialplan/queue.conf` says what each of them does."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell the dialplan. None leaves it to the dialplan's default."""

    queue: str | None = None
    priority: int | None = None
    notice: str | None = None
    """What the caller is to hear before the queue (`dialplan/notice.conf`)."""
    asks_key: bool = False
    """Whether that notice asks for a key; without one the caller goes on all the same."""
    rules: tuple[str, ...] = ()
    """The names of the advice rules that match, the one that decides first."""

    @property
    def is_empty(self) -> bool:
        return self.queue is None and self.priority is None and not self.rules


@dataclass(frozen=True, slots=True)
class TrunkRule:
    """How the calls of one trunk are treated. A higher priority overtakes: 0 is later than others, 1 as they come, 2
    earlier, 3 first."""

    queue: str | None = None
    priority: int = AS_THEY_COME


def advise(trunk: str, rules: Mapping[str, TrunkRule]) -> Advice:
    """The advice for a call on `trunk`; empty when the rules say nothing about it."""
    rule = rules.get(trunk)
    if rule is None:
        return Advice()
    return Advice(queue=rule.queue, priority=None if rule.priority == AS_THEY_COME else rule.priority)


def unreachable(dial: str, trunks: Collection[str], phones: Collection[str]) -> list[str]:
    """What the last resort (a dial string: `PJSIP/1099&PJSIP/0812@telkom`) names and nobody has, a sentence each; empty
    where all of it can be rung."""
    found = []
    for each in filter(None, dial.split("&")):
        number, _, trunk = each.removeprefix("PJSIP/").partition("@")
        if trunk and trunk not in trunks:
            known = ", ".join(sorted(trunks)) or "none"
            found.append(f"gateway.toml, call.last_resort: there is no trunk {trunk}; known are {known}.")
        elif not trunk and number not in phones:
            found.append(f"gateway.toml, call.last_resort: no operator has phone {number}: it cannot be rung.")
    return found


def no_such_queue(named: str, queues: Collection[str], used: str) -> list[str]:
    """That the centre's own queue, as the settings name it, is not there, in a sentence, with the one that is `used`
    in its place; empty where it is."""
    if not named or named in queues:
        return []
    instead = f"calls wait in {used} meanwhile" if used in queues else "callers hear the fallback"
    return [f"gateway.toml, call.queue: there is no queue {named}; known are {', '.join(sorted(queues))}: {instead}."]


def out_of_reach(listens_at: str, addresses: Mapping[str, Collection[str]]) -> list[str]:
    """The trunks, by name with the addresses that they come from, whose calls cannot come to where Asterisk listens, a
    sentence each: it listens to this machine alone."""
    if not listens_at.startswith("127."):
        return []
    return [
        f"Trunk {name} comes from {outside[0]}, and Asterisk listens at {listens_at} alone: set sip.host."
        for name, own in addresses.items()
        if (outside := [each for each in own if not each.startswith("127.")])
    ]


def in_vain(rules: Mapping[str, TrunkRule], trunks: Collection[str], queues: Collection[str]) -> list[str]:
    """What the rules say about a trunk or a queue that is not there, a sentence each; empty where all of it counts."""
    known = {*trunks, PROBE_TRUNK}
    return [
        *(
            f"gateway.toml, [trunks.{name}]: there is no trunk {name}; known are {', '.join(sorted(trunks)) or 'none'}."
            for name in rules
            if name not in known
        ),
        *(
            f"gateway.toml, trunks.{name}.queue: there is no queue {rule.queue}; known are {', '.join(sorted(queues))}."
            for name, rule in rules.items()
            if rule.queue is not None and rule.queue not in queues
        ),
    ]
