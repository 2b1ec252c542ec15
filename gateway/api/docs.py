"""The documentation page: the OpenAPI document as one HTML page that needs nothing else, no script and no network.

Counterpart: `openapi.py`. Both are made once, when somebody asks for them: a start has no time for what nobody may
read. The only style is inside, named by its hash in the policy.
"""

import asyncio
import base64
import hashlib
import json
from functools import cache, lru_cache
from html import escape
from threading import Lock
from typing import Any

from aiohttp import web

from gateway.api import openapi
from gateway.api.context import Context
from gateway.api.openapi import Document
from gateway.api.routes import JSON, Route, route
from gateway.api.wording import in_words
from gateway.domain.tokens import MAY, May, Role

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #57606a; --line: #d0d7de; --soft: #f3f5f7;
  --link: #0b57b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14171a; --faint: #a0a8b0; --line: #3a4047;
  --soft: #1f2429; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; text-transform: capitalize; }
code { font: 0.92em ui-monospace, monospace; }
nav ul { list-style: none; padding: 0; } nav li { padding: 0.2rem 0; }
details { border: 1px solid var(--line); border-radius: 0.4rem; margin: 0.6rem 0; }
summary { padding: 0.7rem; cursor: pointer; background: var(--soft); border-radius: 0.4rem; }
summary span { color: var(--faint); }
details > div { padding: 0 0.8rem 0.8rem; scroll-margin-top: 4rem; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.6rem; }
th { text-align: left; } td { text-align: center; } tbody th { font-weight: 400; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 700; }
dt { font-weight: 600; margin-top: 0.6rem; } dd { margin: 0 0 0 1rem; }
dd, .faint { color: var(--faint); }
h3 { font-size: 1rem; margin: 1rem 0 0.2rem; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_FIRST_STEP = "curl -H 'Authorization: Bearer TOKEN' "


@lru_cache(maxsize=1)
def with_description(subjects: tuple[Route, ...], version: str) -> tuple[Route, ...]:
    """The routes and the two that describe them all, themselves too."""
    turn = Lock()

    @cache
    def made() -> tuple[bytes, str]:
        described = openapi.document(routes, version)
        return json.dumps(described, ensure_ascii=False).encode(), page(described)

    def told() -> tuple[bytes, str]:
        with turn:
            return made()

    async def get_openapi(context: Context) -> web.StreamResponse:
        """This API as an OpenAPI 3.1 document."""
        machine_readable, _ = await asyncio.to_thread(told)
        return web.Response(body=machine_readable, content_type=JSON)

    async def get_docs(context: Context) -> web.StreamResponse:
        """This API as a page to read."""
        _, html = await asyncio.to_thread(told)
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def get_root(context: Context) -> web.StreamResponse:
        """Leads to the page."""
        return web.Response(status=302, headers={"Location": "/docs"}, text="See /docs.\n")

    routes = (
        *subjects,
        route(
            "GET", "/", get_root, "The front door", may=None, statuses=(302,), media_type="text/plain", subject="docs"
        ),
        route("GET", "/v1/openapi.json", get_openapi, "The OpenAPI document", may=None),
        route("GET", "/docs", get_docs, "The documentation page", may=None, media_type="text/html"),
    )
    return routes


def page(document: Document) -> str:
    """The page, whole."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}: API</title><style>{STYLE}</style></head><body><main>",
            f"<h1>{title}: API</h1><p>{_prose(info['description'])}</p>",
            f"<p>Ask with a token: <code>{escape(_FIRST_STEP)}…/v1/calls</code>. ",
            'The same for machines: <a href="/v1/openapi.json">/v1/openapi.json</a>.</p>',
            _contents(document),
            _roles(),
            *(_subject(tag, document) for tag in _tags(document)),
            '<h2 id="about-models">Models</h2>',
            *(_model(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</main></body></html>",
        ]
    )


def _operations(document: Document) -> list[tuple[str, str, Document]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _tags(document: Document) -> list[str]:
    return list(dict.fromkeys(operation["tags"][0] for _, _, operation in _operations(document)))


def _contents(document: Document) -> str:
    items = "".join(
        f'<li><a href="#about-{escape(tag)}">{escape(tag)}</a></li>' for tag in ["roles", *_tags(document), "models"]
    )
    return f'<nav aria-label="Subjects"><ul>{items}</ul></nav>'


def _roles() -> str:
    """Who may do what, from the one table that every request is checked against."""
    head = "".join(f'<th scope="col">{role}</th>' for role in Role)
    rows = "".join(
        f'<tr><th scope="row">{escape(may)}</th>'
        + "".join(f"<td>{'yes' if may in MAY[role] else 'no'}</td>" for role in Role)
        + "</tr>"
        for may in May
    )
    return (
        '<section><h2 id="about-roles">roles</h2><p>What a token\'s role lets its bearer do.</p>'
        f'<table><thead><tr><th scope="col">may</th>{head}</tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _subject(tag: str, document: Document) -> str:
    operations = "".join(
        _operation(method, path, operation, document)
        for method, path, operation in _operations(document)
        if operation["tags"][0] == tag
    )
    return f'<section><h2 id="about-{escape(tag)}">{escape(tag)}</h2>{operations}</section>'


def _operation(method: str, path: str, operation: Document, document: Document) -> str:
    parts = [
        f'<details><summary><span class="method">{method}</span> ',
        f"<code>{escape(path)}</code> <span>{escape(operation['summary'])}</span></summary>",
        _inside(operation["operationId"]),
    ]
    parts += [f"<p>{_prose(part)}</p>" for part in operation.get("description", "Open to everybody.").split("\n\n")]
    if operation["parameters"]:
        parts += ["<h3>Parameters</h3><dl>", *map(_parameter, operation["parameters"]), "</dl>"]
    if "requestBody" in operation:
        need = "" if operation["requestBody"]["required"] else " <span class=faint>(may be left out)</span>"
        parts += [f"<h3>Body{need}</h3>", _content(operation["requestBody"])]
    parts.append("<h3>Answers</h3><dl>")
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        parts.append(f"<dt>{escape(status)} {escape(response['description'])}</dt><dd>{_content(response)}</dd>")
    return "".join([*parts, "</dl></div></details>"])


def _inside(name: str) -> str:
    """The beginning of what a part folds away. The name stands here and not on the part itself: a browser that is led
    to something folded away unfolds it."""
    return f'<div id="{escape(name)}">'


def _need(is_required: bool) -> str:
    return "required" if is_required else "optional"


def _parameter(parameter: Document) -> str:
    need = _need(parameter["required"])
    return (
        f"<dt><code>{escape(parameter['name'])}</code> "
        f'<span class="faint">{escape(parameter["in"])}, {need}: {_kind(parameter["schema"])}</span></dt>'
        f"<dd>{_prose(parameter.get('description', ''))}</dd>"
    )


def _content(part: Document) -> str:
    return ", ".join(
        f"<code>{escape(media)}</code>" + (f" {_kind(content['schema'])}" if "schema" in content else "")
        for media, content in part.get("content", {}).items()
    )


def _model(name: str, schema: Document) -> str:
    required = schema.get("required", ())
    fields = "".join(
        f'<dt><code>{escape(field)}</code> <span class="faint">{_need(field in required)}: {_kind(about)}</span></dt>'
        f"<dd>{_prose(about.get('description', ''))}</dd>"
        for field, about in schema.get("properties", {}).items()
    )
    values = f"<p>{_kind(schema)}</p>" if "enum" in schema else ""
    return (
        f"<details><summary><code>{escape(name)}</code></summary>{_inside(name)}"
        f"<p>{_prose(schema.get('description', ''))}</p>{values}<dl>{fields}</dl></div></details>"
    )


def _kind(schema: Document) -> str:
    """A schema in a few words, with a link to the model that it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    words = [str(schema.get("format") or schema.get("const") or schema.get("type", "any"))]
    words += [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    if "pattern" in schema:
        words.append(in_words(schema["pattern"]))
    return escape(", ".join(words))


_LIMITS: dict[str, str] = {
    "minimum": "at least",
    "maximum": "at most",
    "maxLength": "length at most",
    "default": "default",
}


def _prose(text: Any) -> str:
    """Text with `code` in it, as HTML."""
    pieces = escape(str(text)).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
