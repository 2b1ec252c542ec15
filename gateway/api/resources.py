"""What admins keep, over HTTP: list, read, create, change and retire, the same for every kind, declared once for each.

Counterparts: `gateway/office.py` stores changes; `operators.py`, `shifts.py` and their like declare the kinds.

Two admins never overwrite each other unseen: each thing has a version, which is its ETag (RFC 9110, 8.8.3); whoever
changes or retires it says in If-Match which version he saw, and gets 412 where it is not that one any more.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import ConfigDict, Field, create_model

from gateway.api.context import Context
from gateway.api.models import Body, Parameters, Told
from gateway.api.problems import Problem
from gateway.api.routes import Answer, Route, route
from gateway.domain.audit import Actor
from gateway.domain.kept import Kept
from gateway.domain.tokens import May
from gateway.store.kept_reads import Condition

Thing = TypeVar("Thing", bound=Kept)

ThingId = Annotated[int, Field(ge=1, le=2**31 - 1)]
_ENTITY_TAG = r'(W/)?"[\x21\x23-\x7e]{0,64}"'
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')


class ThingPath(Parameters):
    id: ThingId


class ListQuery(Parameters):
    include_retired: Annotated[bool, Field(description="With those that are retired.")] = False
    cursor: Annotated[ThingId | None, Field(description="The `next` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many items at most.")] = 200


class MatchHeaders(Parameters):
    if_match: Annotated[
        str | None,
        Field(
            alias="If-Match",
            pattern=rf"^(\*|{_ENTITY_TAG})$",
            description='The ETag of what you saw, such as "3"; `*` for whatever is there.',
        ),
    ] = None

    # it is answered with 428 where it is missing, so the model takes that, and the document says that it must be there
    model_config = ConfigDict(json_schema_extra={"required": ["If-Match"]})


class GapQuery(Parameters):
    allow_gaps: Annotated[
        bool, Field(description="True takes a hole in the roster, which is then an alarm; else it is a 409.")
    ] = False


class KeptModel(Told):
    """What every kept thing tells."""

    id: int
    version: Annotated[int, Field(description="Its ETag: counts its changes.")]
    created_at: datetime
    retired_at: Annotated[datetime | None, Field(description="Null while it is in use.")]

    @classmethod
    def of(cls, thing: Kept, **more: Any) -> Self:
        """The model of a thing whose fields have the same names; `more` are those that it does not have."""
        own = {field.name for field in fields(thing)}
        return cls(**{name: getattr(thing, name) for name in cls.model_fields if name in own}, **more)


Model = TypeVar("Model", bound=KeptModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Generic[Thing, Model]):
    """One kind over HTTP. `tell` makes the answer's model of a thing; `make` a thing of a body and the time now."""

    kind: type[Thing]
    path: str
    noun: str
    model: type[Model]
    new: type[Body]
    tell: Callable[[Context, Thing], Awaitable[Model]]
    see: May
    change: May
    plural: str = ""
    """The noun's, where that is not the noun and an s."""
    query: type[ListQuery] = ListQuery
    conditions: Callable[[Any], Mapping[str, Condition]] = lambda _: {}
    """Which things a query means: a condition by each column."""
    is_of_roster: bool = False
    """Whether a change may leave a hole in the roster."""
    patch: type[Body] | None = None
    patched: Callable[[Thing, Body], Thing] | None = None
    """The thing with a patch applied, where its fields are not simply the patch's."""
    order: Callable[[Thing], Any] | None = None
    """By what the things of a page are told one after the other, where that is not their id."""
    make: Callable[[Any, datetime], Thing] | None = None
    """A new thing, where its fields are not simply the body's."""

    @property
    def nouns(self) -> str:
        return self.plural or f"{self.noun}s"

    @property
    def tag(self) -> str:
        """What the documentation calls it, and its path's last word."""
        return self.path.removeprefix("/v1/").replace("-", " ")


def version_of(headers: MatchHeaders) -> int | None:
    """The version that If-Match names; None for any. Raises Problem: 428 without one, 412 for one that never was."""
    if headers.if_match is None:
        raise Problem(
            428, 'Say in If-Match which version you saw (its ETag, such as "3"), or "*" for whatever is there.'
        )
    if headers.if_match == "*":
        return None
    found = _ETAG.fullmatch(headers.if_match)
    if found is None:
        raise Problem(412, "If-Match names no version of it.")
    return int(found[1])


def etag(model: KeptModel) -> dict[str, str]:
    return {"ETag": f'"{model.version}"'}


def without_defaults(schema: dict[str, Any]) -> None:
    """A patch has none: what is not named is not set to anything."""
    for field in schema["properties"].values():
        field.pop("default", None)


def patch_of(new: type[Body]) -> type[Body]:
    """The merge patch (RFC 7396) of a body: each field may be left out, and then stays."""
    every: dict[str, Any] = {}
    for name, info in new.model_fields.items():
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        every[name] = (annotation, Field(default=None, description=info.description))
    name = new.__name__.removeprefix("New") + "Patch"
    base = type(
        "_Patch",
        (Body,),
        {"model_config": ConfigDict(json_schema_extra=without_defaults), "__module__": __name__},
    )
    made: type[Body] = create_model(
        name, __base__=base, __doc__="A merge patch (RFC 7396): what is not named stays.", **every
    )
    return made


def given(body: Body) -> dict[str, Any]:
    """The fields that the body names, as they are in the domain."""
    return {name: getattr(body, name) for name in body.model_fields_set}


def routes_of(subject: Subject[Thing, Model]) -> tuple[Route, ...]:
    """The five routes of a kind, and their descriptions."""
    model, new, query = subject.model, subject.new, subject.query
    patch = subject.patch or patch_of(new)
    gaps: Any = GapQuery if subject.is_of_roster else None
    page = create_model(
        f"{model.__name__.removesuffix('Model')}List",
        __base__=Told,
        items=(list[model], ...),  # type: ignore[valid-type]
        next=(int | None, Field(description="The cursor of the next page; null on the last one.")),
    )

    async def list_all(context: Context, query: query) -> page:  # type: ignore[valid-type]
        things, following = await context.kept.page(
            subject.kind,
            subject.conditions(query),
            include_retired=query.include_retired,  # type: ignore[attr-defined]
            after=query.cursor,  # type: ignore[attr-defined]
            limit=query.limit,  # type: ignore[attr-defined]
        )
        if subject.order:
            things.sort(key=subject.order)
        items = [await subject.tell(context, thing) for thing in things]
        return page(items=items, next=following)  # type: ignore[call-arg]  # made above

    async def get_one(context: Context, path: ThingPath) -> Answer[model]:  # type: ignore[valid-type]
        told = await subject.tell(context, await context.office.find(subject.kind, path.id))
        return Answer(told, headers=etag(told))

    async def create(context: Context, body: new, actor: Actor, **options: Any) -> Answer[model]:  # type: ignore[valid-type]
        make = subject.make or _made_of_fields(subject.kind)
        thing = make(body, context.clock())
        stored = await context.office.create(thing, actor, allow_gaps=_allows(subject, options))
        told = await subject.tell(context, stored)
        return Answer(told, 201, {"Location": f"{subject.path}/{told.id}", **etag(told)})

    async def change(
        context: Context,
        path: ThingPath,
        headers: MatchHeaders,
        body: patch,  # type: ignore[valid-type]
        actor: Actor,
        **options: Any,
    ) -> Answer[model]:  # type: ignore[valid-type]
        before = await context.office.find(subject.kind, path.id, version_of(headers))
        after = subject.patched(before, body) if subject.patched else replace(before, **given(body))
        stored = await context.office.change(before, after, actor, allow_gaps=_allows(subject, options))
        told = await subject.tell(context, stored)
        return Answer(told, headers=etag(told))

    async def retire(context: Context, path: ThingPath, headers: MatchHeaders, actor: Actor, **options: Any) -> None:
        thing = await context.office.find(subject.kind, path.id, version_of(headers))
        await context.office.retire(thing, actor, allow_gaps=_allows(subject, options))

    one = f"{subject.path}/{{id}}"
    name, nouns = subject.noun.replace(" ", "_"), subject.nouns.replace(" ", "_")
    declared: list[
        tuple[str, str, Callable[..., Awaitable[object]], str, str, May, tuple[int, ...], tuple[int, ...]]
    ] = [
        ("GET", subject.path, list_all, f"list_{nouns}", f"All {subject.nouns}", subject.see, (), ()),
        ("GET", one, get_one, f"get_{name}", f"One {subject.noun}", subject.see, (), ()),
        (
            "POST",
            subject.path,
            create,
            f"create_{name}",
            f"A new {subject.noun}",
            subject.change,
            (201,),
            (409,),
        ),
        ("PATCH", one, change, f"change_{name}", f"Change the {subject.noun}", subject.change, (), (409, 412, 428)),
        ("DELETE", one, retire, f"retire_{name}", f"Retire the {subject.noun}", subject.change, (), (409, 412, 428)),
    ]
    found = []
    for method, path, serve, operation, summary, may, statuses, problems in declared:
        serve.__name__ = operation
        if gaps and method in ("POST", "PATCH", "DELETE"):
            serve.__annotations__["query"] = gaps
        found.append(
            route(
                method,
                path,
                serve,
                summary,
                may=may,
                statuses=statuses,
                problems=problems,
                subject=subject.tag,
            )
        )
    return tuple(found)


def _made_of_fields(kind: type[Thing]) -> Callable[[Body, datetime], Thing]:
    return lambda body, now: kind(**{name: getattr(body, name) for name in type(body).model_fields}, created_at=now)


def _allows(subject: Subject[Any, Any], options: Mapping[str, Any]) -> bool:
    query = options.get("query")
    return not subject.is_of_roster or bool(query and query.allow_gaps)


def telling(model: type[Model]) -> Callable[[Context, Kept], Awaitable[Model]]:
    """Tells things of which everything is in their own fields."""

    async def tell(_: Context, thing: Kept) -> Model:
        return model.of(thing)

    return tell
