"""Erasing: carries out what one person asked for and a second one confirmed: the recordings of a number are destroyed
with certificates, and its calls are made nobody's.

Counterparts: `domain/erasing.py` says what goes; `destroying.py` destroys; `gateway/api/erasures.py` asks; `watch.py`
keeps the alarms.

The order makes it safe to die at any moment: recordings first, while the calls can still be found by the number; then
the calls; then the rest of the ledger; and the number itself is forgotten last. Who starts again does all of it again.
While a legal hold keeps some of the calls the number is not forgotten, and the rest is done when they are free.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.defects import Defects
from gateway.destroying import Destroying
from gateway.domain.alarms import Alarm
from gateway.domain.audit import CENTRE, Actor, Deed
from gateway.domain.change import Change
from gateway.domain.erasing import CONFIRM_WITHIN, Erasure, Redaction, State, forms
from gateway.domain.kept import Invalid
from gateway.domain.numbers import is_nobodys
from gateway.domain.recordings import Recording
from gateway.domain.recordings import State as SoundState
from gateway.domain.retention import Lasting
from gateway.office import Office
from gateway.ports import Custody, Person, Store, StoreAway, Taken
from gateway.rulings import refuse_first_person
from gateway.saving import Saving

log = logging.getLogger(__name__)

LOOK_EVERY_S = 600.0
NOT_ERASED = "not_erased"
"""The alarm that this raises."""
DONE_WITHIN = timedelta(hours=1)
"""From the second person's word on, or from when it could go on after a legal hold: a recording may have to be sealed
first, or the vault be away for a moment."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What an erasure would touch now, and what it leaves."""

    person: Person
    recordings: tuple[Recording, ...]
    """Those that would be destroyed."""

    @property
    def ready(self) -> list[str]:
        """The recordings that nobody works on: a fresh one is being sealed, and is destroyed after that."""
        return [
            each.id
            for each in self.recordings
            if each.state in (SoundState.SEALED, SoundState.LOST) or (each.state is SoundState.OVER and each.problem)
        ]


class Erasing:
    """`clock` returns the time now, in UTC."""

    def __init__(
        self,
        *,
        custody: Custody,
        store: Store,
        saving: Saving,
        office: Office,
        destroying: Destroying,
        clock: Callable[[], datetime],
    ) -> None:
        self._custody = custody
        self._store = store
        self._saving = saving
        self._office = office
        self._destroying = destroying
        self._clock = clock
        self._woken = asyncio.Event()
        self._defects = Defects("erasing_broken")
        self._alarms: list[Alarm] | None = None
        """None before the first look."""
        self._went_on: dict[int, datetime] = {}
        """Since when those go on that legal holds had kept. Of one that began before the last start nobody knows."""

    async def ask(self, number: str, reason: str, actor: Actor) -> Erasure:
        """A new request, which nothing comes of before another person confirms it. Raises Invalid for a number that is
        nobody's, Taken where one is asked for already, StoreAway."""
        if is_nobodys(number):
            raise Invalid("number", "is that of every phone without a SIM: it is no one person's")
        now = self._clock()
        same = frozenset(forms(number))
        if Redaction(tuple(same), "").of_text(reason) != reason:
            raise Invalid("reason", "names the number: the audit log would keep it for ever")
        for other in await self._store.kept(Erasure):
            if other.state(now) in (State.ASKED, State.CONFIRMED) and same & set(forms(other.number)):
                raise Taken(f"erasure {other.id} is about that number already")
        pseudonym = f"erased-{secrets.token_hex(6)}"
        asked = Erasure(number=number, reason=reason, asked_by=actor.name, pseudonym=pseudonym, created_at=now)
        return await self._office.create(asked, actor)

    async def touched(self, erasure: Erasure) -> Touched:
        """What it touches now; nothing of one that is done. Raises StoreAway."""
        if not erasure.number:
            return Touched(Person(), ())
        return await self._touched(erasure, erasure.confirmed_at or self._clock())

    async def confirm(self, erasure: Erasure, actor: Actor) -> Erasure:
        """The request as a second person confirms it; from here on it is carried out. Raises Taken where the first
        person does, where it is too late, or where the person still waits for the centre; Stale, StoreAway."""
        now = self._clock()
        state = erasure.state(now)
        if state is State.EXPIRED:
            raise Taken(f"nobody confirmed it within {CONFIRM_WITHIN.days} days: ask for it anew")
        if state is not State.ASKED:
            raise Taken(f"it is {state} already")
        refuse_first_person(erasure.asked_by, actor)
        person = (await self._touched(erasure, now)).person
        if (why := hindrance(person)) is not None:
            raise Taken(why)
        confirmed = replace(erasure, confirmed_by=actor.name, confirmed_at=now)
        stored = await self._office.change(erasure, confirmed, actor)
        self.wake()
        return stored

    async def withdraw(self, erasure: Erasure, actor: Actor) -> None:
        """Takes a request back, and forgets its number. Raises Taken where it is confirmed, Stale, StoreAway."""
        await self._office.change(erasure, replace(erasure, number="", retired_at=self._clock()), actor)

    def wake(self) -> None:
        """Has the next look come at once."""
        self._woken.set()

    async def run(self) -> None:
        """Carries out what is confirmed, for ever."""
        while True:
            try:
                await self.look()
            except StoreAway as error:
                log.warning("erasing_waits", extra={"reason": str(error)})
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)
                said = f"a defect, which is in the gateway's log: {type(error).__name__}"
                self._alarms = [Alarm(NOT_ERASED, "erasures", said, self._clock())]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            self._woken.clear()

    async def look(self) -> int:
        """Carries out what is confirmed and not done. What nobody confirmed in time is forgotten. Returns how many are
        done now. Raises StoreAway."""
        done, late = 0, []
        for erasure in await self._store.kept(Erasure):
            match erasure.state(self._clock()):
                case State.CONFIRMED:
                    why = await self._carry_out(erasure)
                case State.HELD if await self._is_free(erasure):
                    why = await self._carry_out(await self._begin_anew(erasure))
                case State.EXPIRED:
                    await self.withdraw(erasure, CENTRE)
                    continue
                case _:
                    continue
            done += not why
            late += self._late(erasure, why)
        self._alarms = late
        return done

    def alarms(self, standing: Iterable[Alarm]) -> list[Alarm]:
        """What should be alarming now: a person waits for what two people have promised. Before the first look what
        stood stands."""
        if self._alarms is None:
            return [alarm for alarm in standing if alarm.kind == NOT_ERASED]
        return self._alarms

    def _late(self, erasure: Erasure, why: str) -> list[Alarm]:
        now = self._clock()
        if not why:
            self._went_on.pop(erasure.id, None)
            return []
        if now < self._went_on.get(erasure.id, erasure.confirmed_at or now) + DONE_WITHIN:
            return []
        return [Alarm(NOT_ERASED, f"erasure/{erasure.id}", why, now)]

    async def _is_free(self, erasure: Erasure) -> bool:
        """Whether there is something to erase of one that waited for legal holds."""
        left = await self._left(erasure)
        return bool(left.free_calls) or not left.held

    async def _begin_anew(self, erasure: Erasure) -> Erasure:
        """It goes on, and is stored so: whatever dies from here on, all of it is done again."""
        anew = await self._office.change(erasure, replace(erasure, left_out=0), CENTRE)
        self._went_on[erasure.id] = self._clock()
        return anew

    async def _left(self, erasure: Erasure) -> Person:
        """What still stands under the number itself."""
        return await self._custody.person(forms(erasure.number), erasure.confirmed_at or self._clock())

    async def _carry_out(self, erasure: Erasure) -> str:
        """Empty where it is done, but for what a legal hold keeps; else why it is tried again, as where the vault is
        away."""
        until = erasure.confirmed_at or self._clock()
        touched = await self._touched(erasure, until)
        free = set(touched.ready)

        def decide(lasting: Lasting) -> str | None:
            return erasure.rule if lasting.id in free and not lasting.is_held else None

        _, failed = await self._destroying.destroy(touched.ready, decide)
        touched = await self._touched(erasure, until)
        if failed or touched.recordings:
            return _waits(erasure, failed or f"{len(touched.recordings)} recordings are not sealed")
        person, numbers = touched.person, forms(erasure.number)
        redaction = Redaction(numbers, erasure.pseudonym)
        await self._custody.erase(person, redaction, erasure.pseudonym)
        after: int | None = 0
        while after is not None:
            after = await self._custody.redact(numbers, person, redaction, after=after, until=until)
        self._saving.forget()
        await self._custody.redact_alarms(numbers, redaction)
        await self._custody.redact_set_aside(numbers, redaction)
        if not await self._finish(erasure, person):
            self.wake()
            return _waits(erasure, "a legal hold was lifted meanwhile")
        await self._custody.scrub()
        return ""

    async def _finish(self, erasure: Erasure, person: Person) -> bool:
        """The audit log is told what was done; the number is forgotten, if no call of it is left. False, and nothing is
        told, where one that was held before is free by now."""
        left = await self._left(erasure)
        if left.free_calls:
            return False
        now, held = self._clock(), left.held
        destroyed = [each for each in await self._recordings_of(person) if each.state is SoundState.DESTROYED]
        done = replace(
            erasure,
            number=erasure.number if held else "",
            done_at=None if held else now,
            calls=len(person.free_calls),
            recordings=len(destroyed),
            left_out=len(held),
        )
        await self._saving.save(
            Change(kept=(done,), deeds=(Deed(now, CENTRE, "erasure.changed", before=erasure, after=done),))
        )
        return True

    async def _recordings_of(self, person: Person) -> list[Recording]:
        """All that are free, destroyed ones too."""
        return await self._custody.recordings_of(person.free_calls, [task.id for task in person.free_callbacks])

    async def _touched(self, erasure: Erasure, until: datetime) -> Touched:
        # what goes on may have erased some already; what only waits for a hold has
        names = forms(erasure.number) if erasure.left_out else (*forms(erasure.number), erasure.pseudonym)
        person = await self._custody.person(names, until)
        found = await self._recordings_of(person)
        left = (SoundState.RUNNING, SoundState.OVER, SoundState.SEALED, SoundState.LOST)
        return Touched(person, tuple(each for each in found if each.state in left and each.call_id not in person.held))


def _waits(erasure: Erasure, why: str) -> str:
    log.warning("erasure_waits", extra={"erasure": erasure.id, "reason": why})
    return why


def hindrance(person: Person) -> str | None:
    """What keeps an erasure from being confirmed: whoever waits for the centre is helped first. None where nothing
    does."""
    if person.running:
        return "a call of that number goes on: wait for its end"
    if person.open_callbacks:
        return f"the person waits to be called back: callback {person.open_callbacks[0]} comes first"
    if person.is_blocked:
        return "a block of that number is in force, and names it: lift it, or wait for its end"
    if person.is_flooding:
        return "an alarm stands that the number calls too often: wait for its end"
    return None
