"""A route, declared once: what it takes and tells is read from the signature of the function that serves it.

Counterpart: `application.py` makes aiohttp's routes and the validation of these, `openapi.py` the document, so that
the two cannot differ.

A serving function takes the `Context`, and what it names of `path`, `query`, `headers` and `body` (pydantic models; a
body may also be a `TextBody`), `request`, `token` (whoever asks) and `actor` (the same for the audit log). It returns a
model, an `Answer` around one, None (204), or a response of its own; one that returns either a model or a response tells
the same in another form, which `also` names.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from gateway.api.auth import actor, admit, refuse_numbers
from gateway.api.context import Context
from gateway.api.models import FieldFault, Parameters, TextBody
from gateway.api.problems import Problem, faults
from gateway.api.telling import told_json
from gateway.domain.tokens import May, Token

BODY_LIMIT_BYTES = 64 * 1024
BODY_TIMEOUT_S = 10.0
MOST_PARAMETERS = 64
"""Of a query: no operation has so many."""
JSON = "application/json"
BODY_TYPES = (JSON, "application/merge-patch+json")

Content = TypeVar("Content", bound=BaseModel)


class NoParameters(Parameters):
    """Nothing may be given."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Content]):
    """A model to tell, with a status and headers of its own."""

    content: Content
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `may` None is open to everybody; `answer` None tells nothing, or `media_type` and no model."""

    method: str
    path: str
    serve: Callable[..., Awaitable[object]]
    summary: str
    may: May | None
    statuses: tuple[int, ...]
    problems: frozenset[int]
    media_type: str
    also: tuple[str, ...]
    """Other media types in which it tells the same."""
    subject: str
    """What it is about; the documentation has a part for each."""
    answer: type[BaseModel] | None
    path_model: type[BaseModel] | None
    query_model: type[BaseModel]
    headers_model: type[BaseModel] | None
    body_model: type[BaseModel] | None
    text_body: type[TextBody] | None
    takes: frozenset[str]
    """What else of the request it takes: `request`, `token`, `actor`."""

    @property
    def name(self) -> str:
        return self.serve.__name__

    @property
    def needs_body(self) -> bool:
        """Whether the body has a field that must be there; else no body is the same as {}."""
        return self.body_model is not None and any(each.is_required() for each in self.body_model.model_fields.values())


def route(
    method: str,
    path: str,
    serve: Callable[..., Awaitable[object]],
    summary: str,
    *,
    may: May | None,
    statuses: tuple[int, ...] = (),
    problems: tuple[int, ...] = (),
    media_type: str = JSON,
    also: tuple[str, ...] = (),
    subject: str = "",
) -> Route:
    """The route that `serve` serves. `statuses` are its answers' (default 200; 204 where it returns nothing);
    `problems` are those that do not follow from its signature."""
    hints = get_type_hints(serve)
    told = hints["return"]
    if get_origin(told) is UnionType:
        told = next((each for each in get_args(told) if _is_of(each, BaseModel)), told)
    if get_origin(told) is Answer:
        told = get_args(told)[0]
    answer = told if isinstance(told, type) and issubclass(told, BaseModel) else None
    models = {name: hints.get(name) for name in ("path", "query", "headers", "body")}
    return Route(
        method=method,
        path=path,
        serve=serve,
        summary=summary,
        may=may,
        statuses=statuses or ((204,) if told is NoneType else (200,)),
        problems=frozenset(problems) | _problems(may, models),
        media_type=media_type,
        also=also,
        subject=subject or serve.__module__.rpartition(".")[2].replace("_", " "),
        answer=answer,
        path_model=models["path"],
        query_model=models["query"] or NoParameters,
        headers_model=models["headers"],
        body_model=models["body"] if _is_of(models["body"], BaseModel) else None,
        text_body=models["body"] if _is_of(models["body"], TextBody) else None,
        takes=frozenset(hints) & {"request", "token", "actor"},
    )


def _is_of(kind: object, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _problems(may: May | None, models: Mapping[str, Any]) -> frozenset[int]:
    """The problems that follow from what a route takes. Unknown query parameters are refused everywhere, and so is who
    asks too often."""
    found = {422, 429, 500}
    if may is not None:
        found |= {401, 403, 503}
    if models["path"]:
        found |= {404}
    if models["body"]:
        found |= {400, 408, 413, 415}
    return frozenset(found)


def answering(each: Route, context: Context) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What aiohttp calls for this route: admit, validate, serve, tell."""

    async def answer(request: web.Request) -> web.StreamResponse:
        _refuse_long_queries(request)
        token = None if each.may is None else await admit(request, context, each.may)
        hides = token is not None and not token.may(May.SEE_NUMBERS)
        if token is not None and hides:
            refuse_numbers(token, request.query)
        told = await each.serve(context, **await _arguments(each, request, token))
        if isinstance(told, web.StreamResponse):
            return told
        if told is None:
            return web.Response(status=204)
        reply = told if isinstance(told, Answer) else Answer(_model(told))
        body = told_json(reply.content, hides_numbers=hides)
        return web.Response(status=reply.status, headers=reply.headers, body=body, content_type=JSON)

    return answer


def _model(told: object) -> BaseModel:
    if not isinstance(told, BaseModel):
        raise TypeError(f"a route returned {type(told).__name__}")
    return told


async def _arguments(each: Route, request: web.Request, token: Token | None) -> dict[str, object]:
    """What to call `serve` with. Raises Problem with every fault of a part at once."""
    found: dict[str, object] = {}
    if each.path_model:
        found["path"] = _validated(each.path_model, dict(request.match_info), "{")
    query = _validated(each.query_model, _query(request), "?")
    if each.query_model is not NoParameters:
        found["query"] = query
    if each.headers_model:
        found["headers"] = _validated(each.headers_model, _headers(each.headers_model, request), "")
    if each.body_model:
        found["body"] = await _body(each, each.body_model, request)
    if each.text_body:
        found["body"] = await _text(each.text_body, request)
    if "request" in each.takes:
        found["request"] = request
    if token is not None and "token" in each.takes:
        found["token"] = token
    if token is not None and "actor" in each.takes:
        found["actor"] = actor(token, request)
    return found


def _refuse_long_queries(request: web.Request) -> None:
    """Raises Problem before anybody takes one apart: whoever has no token may send thousands of names."""
    if request.rel_url.raw_query_string.count("&") >= MOST_PARAMETERS:
        raise _unusable([FieldFault(field="?", reason=f"has more than {MOST_PARAMETERS} parameters")])


def _query(request: web.Request) -> dict[str, str]:
    twice = sorted(name for name, count in Counter(request.query.keys()).items() if count > 1)
    if twice:
        raise _unusable([FieldFault(field=f"?{name}", reason="is given twice") for name in twice])
    return dict(request.query)


def _headers(model: type[BaseModel], request: web.Request) -> dict[str, str]:
    """The headers that the model names by its aliases; others are none of its business."""
    names = [info.alias or name for name, info in model.model_fields.items()]
    return {name: request.headers[name] for name in names if name in request.headers}


async def _body(each: Route, model: type[BaseModel], request: web.Request) -> BaseModel:
    _refuse_packed(request)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await request.read()
    except TimeoutError:
        raise Problem(408, f"The body did not come within {BODY_TIMEOUT_S:.0f} seconds.") from None
    if not raw and not each.needs_body:
        raw = b"{}"
    elif request.content_type not in BODY_TYPES:
        raise Problem(415, f"The body must be {JSON}.", headers={"Accept": JSON})
    try:
        return model.model_validate_json(_with_whole_numbers(raw))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Problem(400, f"The body is not JSON: {_where(raw)}.") from None
        raise _unusable(faults(found, "/")) from None


async def _text(kind: type[TextBody], request: web.Request) -> TextBody:
    """The body as text. Raises Problem before the whole of one that is too large has been read."""
    if request.content_type != kind.MEDIA_TYPE or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Problem(415, f"The body must be {kind.MEDIA_TYPE}, in UTF-8.", headers={"Accept": kind.MEDIA_TYPE})
    _refuse_packed(request)
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > kind.LIMIT_BYTES:
                    raise Problem(413, f"The body is larger than {kind.LIMIT_BYTES // 2**20} MiB.")
    except TimeoutError:
        raise Problem(408, f"The body did not come within {BODY_TIMEOUT_S:.0f} seconds.") from None
    try:
        return kind(bytes(raw))
    except UnicodeDecodeError as error:
        said = f"The body is not text in UTF-8: its byte {error.start + 1} cannot be read. {kind.HOW_TO_SAVE}"
        raise Problem(400, said) from None


def _refuse_packed(request: web.Request) -> None:
    """Raises Problem for a body that would have to be unpacked (RFC 9110, 15.5.16): nobody needs that here."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Problem(
            415, "The body must come as it is, without a Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )


def _with_whole_numbers(raw: bytes) -> bytes:
    """The same with 3.0 written as 3: JSON has one kind of number, pydantic two. What is not JSON stays as it is."""
    try:
        return json.dumps(json.loads(raw, parse_float=_number)).encode()
    except (ValueError, RecursionError):
        return raw


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _where(raw: bytes) -> str:
    """Where JSON goes wrong, in the words of the standard library."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError) as error:
        return str(error) or "it is nested too deeply"
    return "it cannot be read"


def _validated(model: type[BaseModel], values: Mapping[str, str], prefix: str) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _unusable(faults(error.errors(include_url=False, include_input=False), prefix)) from None


def _unusable(errors: list[FieldFault]) -> Problem:
    return Problem(422, "The request cannot be used.", errors=errors)
