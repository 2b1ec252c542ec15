"""The OpenAPI 3.1 document, made from the routes and the models that validate: it cannot say anything else.

Counterpart: `routes.py` for what is declared, `docs.py` for the same on a page.
"""

import inspect
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway.api import problems
from gateway.api.auth import roles_that
from gateway.api.models import ProblemModel
from gateway.api.routes import JSON, NoParameters, Route

Document = dict[str, Any]

ABOUT = (
    "Every call, every event and every operator of one 112 centre. Times are ISO 8601 with an offset. Whatever is not "
    "a success is a problem document (RFC 9457)."
)
ROLES = "x-roles"
"""Of an operation: the roles whose bearers are let in. `tests/api/rights.txt` holds the same, for people to look at
when it is changed."""
EVERYBODY = "everybody"
"""In place of roles: no token is asked for."""
_REF = "#/components/schemas/"
_TEXT: Document = {"type": "string"}


def document(routes: Sequence[Route], version: str) -> Document:
    """The whole document, as JSON values."""
    schemas = _Schemas(routes)
    paths: dict[str, Document] = {}
    for each in routes:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    used = sorted({status for each in routes for status in each.problems})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gateway 112",
            "version": version,
            "description": ABOUT,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.shared,
            "responses": {_component(status): _problem_response(status) for status in used},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A person's token: POST /v1/tokens."}
            },
        },
    }


class _Schemas:
    """Pydantic's JSON Schema (2020-12, which is OpenAPI 3.1's own) of every model: those of parameters apart."""

    def __init__(self, routes: Iterable[Route]) -> None:
        wanted: dict[type[BaseModel], JsonSchemaMode] = {ProblemModel: "validation"}
        parameters: dict[type[BaseModel], JsonSchemaMode] = {}
        for each in routes:
            for model in (each.path_model, each.query_model, each.headers_model):
                if model:
                    parameters[model] = "validation"
            if each.body_model:
                wanted[each.body_model] = "validation"
            if each.answer:
                wanted[each.answer] = "serialization"
        refs, found = models_json_schema([*wanted.items(), *parameters.items()], ref_template=_REF + "{model}")
        definitions: dict[str, Document] = _untitled(found.get("$defs", {}))
        self._names = {model: ref["$ref"].removeprefix(_REF) for (model, _), ref in refs.items() if "$ref" in ref}
        self._parameters = {model: definitions.pop(self._names[model]) for model in parameters}
        self.shared = dict(sorted(definitions.items()))

    def of(self, model: type[BaseModel]) -> Document:
        return {"$ref": _REF + self._names[model]}

    def parameters(self, model: type[BaseModel] | None, place: str) -> list[Document]:
        """The fields of `model` as parameters in `place`: path, query or header."""
        if model is None or model is NoParameters:
            return []
        schema = self._parameters[model]
        return [_parameter(name, field, place, schema) for name, field in schema["properties"].items()]


def _parameter(name: str, field: Document, place: str, schema: Document) -> Document:
    about = {"description": field["description"]} if "description" in field else {}
    return {
        "name": name,
        "in": place,
        "required": place == "path" or name in schema.get("required", ()),
        **about,
        "schema": _present({key: value for key, value in field.items() if key != "description"}),
    }


def _present(schema: Document) -> Document:
    """A parameter that is there is never null: it is left out instead."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, **({"anyOf": choices} if choices else {})}


def _operation(each: Route, schemas: _Schemas) -> Document:
    operation: Document = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.subject],
        "security": [] if each.may is None else [{"bearer": []}],
        ROLES: [EVERYBODY] if each.may is None else [str(role) for role in roles_that(each.may)],
        "parameters": [
            *schemas.parameters(each.path_model, "path"),
            *schemas.parameters(each.query_model, "query"),
            *schemas.parameters(each.headers_model, "header"),
        ],
        "responses": {
            **{str(status): _response(each, status, schemas) for status in each.statuses},
            **{
                str(status): {"$ref": f"#/components/responses/{_component(status)}"}
                for status in sorted(each.problems)
            },
        },
    }
    told = [inspect.getdoc(each.serve) or "", _who(each)]
    if any(told):
        operation["description"] = "\n\n".join(part.replace("\n", " ") for part in told if part)
    if each.body_model:
        content = {"schema": schemas.of(each.body_model)}
        operation["requestBody"] = {"required": each.needs_body, "content": {JSON: content}}
    if each.text_body:
        operation["requestBody"] = {"required": True, "content": {each.text_body.MEDIA_TYPE: {"schema": _TEXT}}}
    return operation


def _who(each: Route) -> str:
    if each.may is None:
        return ""
    return f"Roles that may {each.may}: {', '.join(roles_that(each.may))}."


def _response(each: Route, status: int, schemas: _Schemas) -> Document:
    response: Document = {"description": HTTPStatus(status).phrase}
    if each.answer:
        response["content"] = {JSON: {"schema": schemas.of(each.answer)}}
    elif status not in (204, 304):
        response["content"] = {each.media_type: {}}
    if "content" in response:
        response["content"] |= {media: {} for media in each.also}
    if status == 201 and each.method == "POST":
        response["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
    return response


def _component(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")


def _problem_response(status: int) -> Document:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {problems.CONTENT_TYPE: {"schema": {"$ref": _REF + ProblemModel.__name__}}},
    }


def _untitled(schema: Any) -> Any:
    """Without pydantic's titles, which only repeat the names. A property that is itself called title is no string."""
    if isinstance(schema, dict):
        return {
            key: _untitled(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))
        }
    return [_untitled(value) for value in schema] if isinstance(schema, list) else schema
