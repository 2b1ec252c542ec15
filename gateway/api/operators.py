"""Operators: the people who answer, and their phones.

Counterpart: `gateway/centre.py` stores a change and has Asterisk take it over at once.
"""

import ipaddress
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from gateway.api.auth import Role
from gateway.api.context import Context
from gateway.api.models import Body, OperatorId, OperatorModel, Parameters, PersonName, PhoneNumber, Told
from gateway.api.problems import unprocessable
from gateway.api.routes import Answer, route
from gateway.centre import Centre, Unknown
from gateway.domain.operators import BadContact, Operator, contact_host

NOT_YET = "Asterisk cannot be reached; it will be applied as soon as it can."

Contact = Annotated[
    str,
    StringConstraints(max_length=300),
    Field(description="A fixed SIP address such as sip:1001@127.0.0.21:5070, for a phone that does not register."),
]


class OperatorPath(Parameters):
    id: OperatorId


class NewOperator(Body):
    name: PersonName
    phone: PhoneNumber
    contact: Contact | None = None


def without_defaults(schema: dict[str, Any]) -> None:
    """A patch has none: what is not named is not set to anything."""
    for field in schema["properties"].values():
        field.pop("default", None)


class OperatorPatch(Body):
    """A merge patch (RFC 7396): what is not named stays."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: PersonName = ""
    contact: Annotated[Contact | None, Field(description="Null makes it a phone that registers.")] = None
    renew_secret: Annotated[bool, Field(description="True makes a new secret; the old one ends.")] = False


class OperatorList(Told):
    items: list[OperatorModel]
    next: None = None


class OperatorWithSecret(OperatorModel):
    """An operator, and the phone's password where it is new: it is shown this once and never again."""

    secret: Annotated[str | None, Field(description="The phone's password; null where it did not change.")]


async def list_operators(context: Context) -> OperatorList:
    """Everyone who has a phone now."""
    return OperatorList(items=[_model(context, operator) for operator in await context.store.operators()])


async def get_operator(context: Context, path: OperatorPath) -> OperatorModel:
    for operator in await context.store.operators():
        if operator.id == path.id:
            return _model(context, operator)
    raise Unknown(f"there is no operator {path.id}")


async def create_operator(context: Context, body: NewOperator) -> Answer[OperatorWithSecret]:
    """Makes the phone known to Asterisk. `applied` tells whether Asterisk holds it already."""
    _check(context, body.contact)
    operator, secret = await context.centre.create_operator(body.name, body.phone, body.contact)
    content = OperatorWithSecret(**_model(context, operator).model_dump(), secret=secret)
    return Answer(content, 201, {"Location": f"/v1/operators/{operator.id}"})


async def change_operator(context: Context, path: OperatorPath, body: OperatorPatch) -> OperatorWithSecret:
    """Changes what is named. The phone's number stays: make a new operator for another one."""
    _check(context, body.contact)
    operator, secret = await context.centre.change_operator(
        path.id,
        name=body.name if "name" in body.model_fields_set else None,
        contact=body.contact,
        keeps_contact="contact" not in body.model_fields_set,
        renews_secret=body.renew_secret,
    )
    return OperatorWithSecret(**_model(context, operator).model_dump(), secret=secret)


async def retire_operator(context: Context, path: OperatorPath) -> None:
    """Takes the phone and its places in queues away. The history keeps the name."""
    await context.centre.retire_operator(path.id)


def trouble(centre: Centre, subject: str) -> str | None:
    """Why Asterisk does not hold a phone, or a place `queue/phone`, as it should; None when it does."""
    return centre.applied.problems.get(subject) or (NOT_YET if centre.applied.at is None else None)


def _model(context: Context, operator: Operator) -> OperatorModel:
    return OperatorModel.of(operator, context.phone_states(), trouble(context.centre, operator.phone))


def _check(context: Context, contact: str | None) -> None:
    """Raises Problem when no phone can be at that address, or a trunk is: its calls are known by their address."""
    if contact is None:
        return
    if any(not character.isprintable() for character in contact):
        raise unprocessable("/contact", "holds a character that cannot be printed")
    try:
        host = contact_host(contact)
        if not host.strip("0123456789."):  # looks like an address: then it is to be one, in its only form
            ipaddress.IPv4Address(host)
    except BadContact as error:
        raise unprocessable("/contact", str(error)) from None
    except ValueError as error:
        raise unprocessable("/contact", f"has no usable address: {error}") from None
    if host in context.trunk_addresses:
        raise unprocessable("/contact", f"{host} is the address of a trunk")


ROUTES = (
    route("GET", "/v1/operators", list_operators, "Everyone who answers", role=Role.READER),
    route("GET", "/v1/operators/{id}", get_operator, "One operator", role=Role.READER),
    route(
        "POST",
        "/v1/operators",
        create_operator,
        "A new operator and phone",
        role=Role.ADMIN,
        statuses=(201,),
        problems=(409,),
    ),
    route("PATCH", "/v1/operators/{id}", change_operator, "Change an operator", role=Role.ADMIN),
    route("DELETE", "/v1/operators/{id}", retire_operator, "Retire an operator", role=Role.ADMIN),
)
