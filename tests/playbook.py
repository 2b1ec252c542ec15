"""A call's story as a script: facts on the left, the events that must come of them on the right.

Playbook(ENTERED) << "call.arrived" >> TrunkAnswered(…) << "call.greeted"
"""

from gateway.domain import life
from gateway.domain.call import Call
from gateway.domain.events import Event
from gateway.domain.facts import Entered, Fact


class Playbook:
    """Begins with the call's entry. `>>` plays a fact; `<<` names the next event that must have come of it, and
    `<< None` says that there is no other."""

    def __init__(self, entered: Entered) -> None:
        self.call: Call
        self.call, first = life.enter(entered)
        self._told: list[Event] = [first]
        self.last: Event = first

    def __rshift__(self, fact: Fact) -> "Playbook":
        assert not self._told, f"{self._told[0].type} came, and the script does not say so"
        self.call, events = life.apply(self.call, fact)
        self._told = list(events)
        return self

    def __lshift__(self, event: str | None) -> "Playbook":
        if event is None:
            assert not self._told, f"{self._told[0].type} came, and the script says that nothing does"
            return self
        assert self._told, f"the script says {event}, and nothing came"
        self.last = self._told.pop(0)
        assert self.last.type == event
        assert self.last.call_id == self.call.id
        return self
