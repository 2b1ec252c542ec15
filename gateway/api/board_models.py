"""The board as it goes over the wire.

Counterparts: `gateway/domain/picture.py` is what is told; `pictures.py` makes these of it; `board.html` shows them.
"""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from gateway.api.models import Told
from gateway.domain.picture import OperatorPicture, Picture, QueuePicture, ServiceLevel, Standing, TrunkPicture


class PartSeen(Told):
    """Whether a part of the centre answers."""

    up: bool
    reason: Annotated[str | None, Field(description="Why not; null when it is up.")]
    since: Annotated[datetime | None, Field(description="From when on it has stood so; null where that is not known.")]


class TrunkSeen(Told):
    name: str
    carrier: str
    up: Annotated[bool | None, Field(description="Null where nobody knows: it is not asked, or Asterisk is away.")]
    channels: Annotated[int | None, Field(description="How many calls it carries at once; null: no limit.")]
    channels_used: Annotated[int, Field(description="Calls that came over it and go on.")]
    last_call_at: Annotated[datetime | None, Field(description="When its last call arrived; null before the first.")]

    @classmethod
    def of(cls, trunk: TrunkPicture) -> Self:
        return cls(
            name=trunk.name,
            carrier=trunk.carrier,
            up=trunk.is_up,
            channels=trunk.channels,
            channels_used=trunk.channels_used,
            last_call_at=trunk.last_call_at,
        )


class ServiceLevelModel(Told):
    """Calls answered by an operator within the queue's `service_level_s` seconds of their arrival, of all that came to
    the queue (as NENA-STA-020 counts): abandoned ones too, however short, and those that still wait once that time is
    over. Calls that wait and may still be answered in time, and the probe's, do not count."""

    offered: int
    answered: Annotated[int, Field(description="By an operator, in time or not.")]
    in_time: int
    share: Annotated[float | None, Field(description="in_time / offered, from 0 to 1; null where no call came.")]

    @classmethod
    def of(cls, level: ServiceLevel) -> Self:
        share = None if level.share is None else round(level.share, 4)
        return cls(offered=level.offered, answered=level.answered, in_time=level.in_time, share=share)


class QueueSeen(Told):
    name: str
    waiting: Annotated[
        int,
        Field(
            description="Callers who wait for it now: those in it, and those who hear the fallback's menu, leave a "
            "message or have an agency rung for them, all of whom come back to it. Who talks does not wait."
        ),
    ]
    waiting_since: Annotated[
        datetime | None, Field(description="When the caller who waits the longest arrived; null where nobody waits.")
    ]
    free: Annotated[int | None, Field(description="Operators who would be rung now; null while the phones are unseen.")]
    there: Annotated[
        int | None, Field(description="Operators who take its calls, busy ones too; null while the phones are unseen.")
    ]
    minimum: Annotated[int, Field(description="How many must be there at any time.")]
    service_level_s: int
    hour: Annotated[ServiceLevelModel, Field(description="Of the calls that arrived in the last 60 minutes.")]
    day: Annotated[ServiceLevelModel, Field(description="Of those since midnight in the centre's zone.")]

    @classmethod
    def of(cls, queue: QueuePicture) -> Self:
        return cls(
            name=queue.name,
            waiting=queue.waiting,
            waiting_since=queue.waiting_since,
            free=queue.free,
            there=queue.there,
            minimum=queue.minimum,
            service_level_s=queue.service_level_s,
            hour=ServiceLevelModel.of(queue.hour),
            day=ServiceLevelModel.of(queue.day),
        )


class OperatorSeen(Told):
    id: int
    name: str
    phone: str
    state: Annotated[
        Standing,
        Field(
            description="`unavailable`: on duty, and the phone is lost. `off`: not on duty now. `unknown`: on duty, "
            "and nobody sees the phone. In several queues it is the readiest of all."
        ),
    ]
    since: Annotated[
        datetime | None, Field(description="From when on, as far as the gateway has seen it; null where it has not.")
    ]
    pause: Annotated[str | None, Field(description="Why paused; null in any other state.")]
    queues: list[str]
    call_id: Annotated[str | None, Field(description="The call that the phone is rung or used for.")]
    is_caller_silent: Annotated[
        bool, Field(description="Whether that call's caller has said nothing since the operator answered.")
    ]

    @classmethod
    def of(cls, operator: OperatorPicture) -> Self:
        return cls(
            id=operator.id,
            name=operator.name,
            phone=operator.phone,
            state=operator.state,
            since=operator.since,
            pause=operator.pause,
            queues=list(operator.queues),
            call_id=operator.call_id,
            is_caller_silent=operator.is_caller_silent,
        )


class CallbacksSeen(Told):
    open: Annotated[int, Field(description="Callers who are to be called back.")]
    overdue: Annotated[int, Field(description="Those of them whose time is over.")]


class AlarmSeen(Told):
    kind: Annotated[str, Field(description="What is wrong, in one word: hole, short, lone_silent, quiet_trunk, …")]
    subject: Annotated[str, Field(description="With whom or what: a queue, a phone, a trunk, a number.")]
    detail: str
    raised_at: datetime


class BoardModel(Told):
    """The whole centre at one moment. Waits and the like are moments to count from, so that nothing is sent each
    second; count by `as_of`, not by your own clock."""

    as_of: datetime
    timezone: Annotated[str, Field(description="The centre's own.")]
    asterisk: Annotated[PartSeen, Field(description="Whether the gateway is in touch with Asterisk.")]
    history: Annotated[
        PartSeen,
        Field(description="Whether calls are being stored; where not, calls, service levels and alarms are old."),
    ]
    phones_seen: Annotated[
        bool, Field(description="False while the phones are not seen: whoever is on duty is then `unknown`.")
    ]
    trunks: list[TrunkSeen]
    queues: list[QueueSeen]
    operators: Annotated[list[OperatorSeen], Field(description="By name.")]
    alarms: Annotated[list[AlarmSeen], Field(description="Those that stand, the oldest first; 100 at most.")]
    callbacks: Annotated[CallbacksSeen, Field(description="As the store said a few seconds ago, at most.")]

    @classmethod
    def of(
        cls,
        picture: Picture,
        *,
        as_of: datetime,
        timezone: str,
        asterisk: PartSeen,
        history: PartSeen,
        phones_seen: bool,
    ) -> Self:
        return cls(
            as_of=as_of,
            timezone=timezone,
            asterisk=asterisk,
            history=history,
            phones_seen=phones_seen,
            trunks=[TrunkSeen.of(each) for each in picture.trunks],
            queues=[QueueSeen.of(each) for each in picture.queues],
            operators=[OperatorSeen.of(each) for each in picture.operators],
            alarms=[
                AlarmSeen(kind=each.kind, subject=each.subject, detail=each.detail, raised_at=each.raised_at)
                for each in picture.alarms
            ],
            callbacks=CallbacksSeen(open=picture.callbacks.count, overdue=picture.callbacks.overdue),
        )
