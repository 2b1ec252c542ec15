"""Trunks: the carriers' lines, and what came in over each.

Counterpart: `gateway/office.py` stores a change and has Asterisk take it over; the store counts the calls.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.context import Context
from gateway.api.models import PRINTABLE, Body, PersonName, QueueName, Told, of_format
from gateway.api.operators import trouble
from gateway.api.resources import KeptModel, Subject, given, routes_of
from gateway.domain.encryption import SoundEncryption, Transport
from gateway.domain.tokens import May
from gateway.domain.trunks import CODECS, NAME_PATTERN, SERVER_PATTERN, Registration, Trunk

Secret = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=PRINTABLE)]
"""Asterisk keeps no blank at either end: with one it would be told anew at every look."""


class NewRegistration(Body):
    """Where the centre registers, for a carrier that wants it."""

    server: Annotated[
        str,
        StringConstraints(pattern=SERVER_PATTERN),
        Field(description="The carrier's registrar: a host, or host:port."),
    ]
    username: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.+-]{1,64}$")]
    password: Annotated[Secret, Field(description="Written only: no answer shows it.")]


class RegistrationModel(Told):
    server: str
    username: str


class NewTrunk(Body):
    name: Annotated[
        str, StringConstraints(pattern=NAME_PATTERN), Field(description="Small letters, digits and _; it stays.")
    ]
    carrier: Annotated[PersonName, Field(description="The company's name, for people.")]
    addresses: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=50), of_format("ip-network")], ...],
        Field(min_length=1, max_length=16, description="Where its calls come from: addresses or networks (CIDR)."),
    ]
    port: Annotated[int, Field(ge=1, le=65535, description="Where calls to the carrier go, at its first address.")] = (
        5060
    )
    codecs: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=20), Field(json_schema_extra={"enum": list(CODECS)})], ...],
        Field(max_length=32, description="Empty: every codec that Asterisk can transcode."),
    ] = ()
    queue: Annotated[QueueName | None, Field(description="Where its calls wait; null: the centre's own queue.")] = None
    channels: Annotated[int | None, Field(ge=1, le=10_000, description="Calls it carries at once; null: no limit.")] = (
        None
    )
    is_asked: Annotated[
        bool, Field(description="Ask it every half minute whether it is there (OPTIONS), if it answers that.")
    ] = False
    registration: NewRegistration | None = None
    transport: Annotated[
        Transport, Field(strict=False, description="How calls to the carrier, and a registration, are signalled.")
    ] = Transport.UDP
    sound_encryption: Annotated[
        SoundEncryption,
        Field(
            strict=False,
            description="SRTP with SDES: `none` refuses what offers nothing else, `required` what has it not.",
        ),
    ] = SoundEncryption.NONE


class TrunkModel(KeptModel):
    name: str
    carrier: str
    addresses: list[str]
    port: int
    codecs: list[str]
    queue: str | None
    channels: int | None
    is_asked: bool
    registration: RegistrationModel | None
    transport: Transport
    sound_encryption: SoundEncryption
    applied: Annotated[bool, Field(description="Whether Asterisk holds the trunk as it stands here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]
    is_up: Annotated[bool | None, Field(description="Whether the carrier answers; null where it is not asked.")]
    is_registered: Annotated[
        bool | None,
        Field(description="Whether the carrier holds the registration; null where there is none, or nobody knows yet."),
    ]
    calls: Annotated[int, Field(description="How many calls came in, ever.")]
    running: int
    last_arrived_at: Annotated[datetime | None, Field(description="Null before the first call.")]


async def _tell(context: Context, trunk: Trunk) -> TrunkModel:
    problem = trouble(context, trunk.name)
    summaries = await context.reads.trunk_summaries(context.feed.newest)
    seen = {summary.trunk: summary for summary in summaries}.get(trunk.name)
    there = trunk.registration
    told = None if there is None else RegistrationModel(server=there.server, username=there.username)
    return TrunkModel(
        **{name: getattr(trunk, name) for name in _OWN},
        registration=told,
        applied=problem is None,
        problem=problem,
        is_up=context.board.trunks_up.get(trunk.name) if trunk.is_asked else None,
        is_registered=None if there is None else context.board.trunks_registered.get(trunk.name),
        calls=seen.calls if seen else 0,
        running=seen.running if seen else 0,
        last_arrived_at=seen.last_arrived_at if seen else None,
    )


_OWN = (
    *("id", "version", "created_at", "retired_at", "name", "carrier"),
    *("addresses", "port", "codecs", "queue", "channels", "is_asked", "transport", "sound_encryption"),
)


def _registered(body: NewTrunk) -> Registration | None:
    wanted = body.registration
    return None if wanted is None else Registration(wanted.server, wanted.username, wanted.password)


def _make(body: NewTrunk, now: datetime) -> Trunk:
    fields = {name: getattr(body, name) for name in NewTrunk.model_fields if name != "registration"}
    return Trunk(**fields, registration=_registered(body), created_at=now)


def _patched(trunk: Trunk, body: Body) -> Trunk:
    named = given(body)
    if "registration" in named:
        named["registration"] = _registered(body)  # type: ignore[arg-type]  # a patch has the same fields
    return replace(trunk, **named)


ROUTES = routes_of(
    Subject(
        kind=Trunk,
        path="/v1/trunks",
        noun="trunk",
        model=TrunkModel,
        new=NewTrunk,
        tell=_tell,
        make=_make,
        patched=_patched,
        see=May.SEE_BOARD,
        change=May.SET_UP,
    )
)
