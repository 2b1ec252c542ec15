"""Agencies: the regency's services that the fallback hands callers on to, and their duty phones.

Counterpart: `gateway/domain/books.py` writes the phones into the notes that `dialplan/fallback.conf` reads.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.api.context import Context
from gateway.api.models import Body, OutsideNumber, PersonName, Told
from gateway.api.operators import trouble
from gateway.api.resources import KeptModel, Subject, given, routes_of
from gateway.domain.agencies import Agency, DutyPhone, Service
from gateway.domain.tokens import May
from gateway.domain.trunks import NAME_PATTERN


class NewDutyPhone(Body):
    number: Annotated[OutsideNumber, Field(description="An operator's phone, or, with a trunk, any number.")]
    trunk: Annotated[
        Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None,
        Field(description="Over which carrier's line the number is called; null for a phone of the centre's own."),
    ] = None


class DutyPhoneModel(Told):
    number: str
    trunk: str | None


class NewAgency(Body):
    name: Annotated[PersonName, Field(description="As people call it, such as Damkar Sidoarjo.")]
    service: Annotated[Service, Field(description="Which key of the menu leads to it; one agency each.")]
    phones: Annotated[
        tuple[NewDutyPhone, ...],
        Field(min_length=1, max_length=10, description="Rung one after the other."),
    ]
    ring_s: Annotated[int, Field(ge=5, le=120, description="How long each of them rings.")] = 20


class AgencyModel(KeptModel):
    name: str
    service: Service
    phones: list[DutyPhoneModel]
    ring_s: int
    applied: Annotated[bool, Field(description="Whether Asterisk has its phones as they stand here.")]
    problem: Annotated[str | None, Field(description="Why not, in Asterisk's words.")]


async def _tell(context: Context, agency: Agency) -> AgencyModel:
    problem = trouble(context, f"agency/{agency.service}/phones")
    phones = [DutyPhoneModel(number=phone.number, trunk=phone.trunk) for phone in agency.phones]
    return AgencyModel(
        **{name: getattr(agency, name) for name in _OWN}, phones=phones, applied=problem is None, problem=problem
    )


_OWN = ("id", "version", "created_at", "retired_at", "name", "service", "ring_s")


def _phones(body: NewAgency) -> tuple[DutyPhone, ...]:
    return tuple(DutyPhone(phone.number, phone.trunk) for phone in body.phones)


def _make(body: NewAgency, now: datetime) -> Agency:
    return Agency(name=body.name, service=body.service, phones=_phones(body), ring_s=body.ring_s, created_at=now)


def _patched(agency: Agency, body: Body) -> Agency:
    named = given(body)
    if "phones" in named:
        named["phones"] = _phones(body)  # type: ignore[arg-type]  # a patch has the same fields
    return replace(agency, **named)


ROUTES = routes_of(
    Subject(
        kind=Agency,
        path="/v1/agencies",
        noun="agency",
        plural="agencies",
        model=AgencyModel,
        new=NewAgency,
        tell=_tell,
        make=_make,
        patched=_patched,
        see=May.SEE_BOARD,
        change=May.SET_UP,
    )
)
