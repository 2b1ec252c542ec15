"""The OpenAPI document and the page made of it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

from gateway.api import application
from gateway.domain.tokens import MAY, May, Role
from tests.api.house import House
from tests.api.schema import resolve


async def test_every_route_is_in_the_document_and_nothing_else(house: House) -> None:
    told = (await house.get("/v1/openapi.json", token=None)).json
    served = {
        (route.method, route.resource.canonical)
        for route in house.server.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }

    assert told == house.document
    assert told["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, methods in told["paths"].items() for method in methods} == served
    assert len(served) == len(application.SUBJECTS) + 3


async def test_the_endpoints_are_those_that_were_promised(house: House) -> None:
    promised = {
        "GET /v1/health",
        "GET /v1/calls",
        "GET /v1/calls/{id}",
        "GET /v1/calls/{id}/events",
        "GET /v1/calls/{id}/recording",
        "GET /v1/events",
        "GET /v1/events/stream",
        "POST /v1/webhooks",
        "GET /v1/webhooks",
        "DELETE /v1/webhooks/{id}",
        "GET /v1/operators",
        "POST /v1/operators",
        "PATCH /v1/operators/{id}",
        "DELETE /v1/operators/{id}",
        "PUT /v1/queues/{name}/members/{phone}",
        "DELETE /v1/queues/{name}/members/{phone}",
        "GET /v1/trunks",
        "GET /metrics",
        "GET /docs",
        "GET /v1/openapi.json",
    }
    paths = house.document["paths"]

    assert promised <= {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


async def test_every_reference_leads_somewhere_and_every_schema_is_used(house: House) -> None:
    refs = set(_refs(house.document))
    for ref in refs:
        resolve(ref, house.document)

    schemas = {f"#/components/schemas/{name}" for name in house.document["components"]["schemas"]}
    assert schemas <= refs


async def test_operations_have_unique_names_and_their_path_parameters(house: House) -> None:
    operations = [
        (path, operation) for path, methods in house.document["paths"].items() for operation in methods.values()
    ]

    names = [operation["operationId"] for _, operation in operations]
    assert len(names) == len(set(names))
    for path, operation in operations:
        parameters = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert parameters == set(re.findall(r"\{(.+?)\}", path))
        assert operation["summary"]
        assert any(status[0] in "23" for status in operation["responses"])


class _Page(HTMLParser):
    """What a page links to, and the ids that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


async def test_the_page_needs_nothing_from_outside(house: House) -> None:
    reply = await house.get("/docs", token=None)
    page = _Page(reply.text)

    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://", reply.text.replace("begin with http:// or https://", ""))
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert {link for link in page.links if not link.startswith("#")} == {"/v1/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert '<meta name="viewport"' in reply.text


async def test_the_page_has_a_strict_policy_that_its_own_style_meets(house: House) -> None:
    reply = await house.get("/docs", token=None)
    policy = reply.headers["Content-Security-Policy"]
    [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


async def test_the_page_tells_every_operation(house: House) -> None:
    text = (await house.get("/docs", token=None)).text

    for path, methods in house.document["paths"].items():
        assert f"<code>{path}</code>" in text
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in text


class _Folded(HTMLParser):
    """The ids that lie inside of a part which is folded away, and those that stand on it or in its summary."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.within: set[str] = set()
        self.on: set[str] = set()
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("id")
        if tag in ("details", "summary"):
            self._open.append(tag)
        if name:
            (self.within if self._open == ["details"] and tag != "details" else self.on).add(name)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("details", "summary"):
            self._open.pop()


async def test_a_link_to_an_operation_or_a_model_unfolds_it(house: House) -> None:
    """As the HTML standard has it, for what lies inside of the part that is folded away."""
    page = _Folded((await house.get("/docs", token=None)).text)
    operations = {each["operationId"] for methods in house.document["paths"].values() for each in methods.values()}

    assert operations | set(house.document["components"]["schemas"]) == page.within
    assert all(name.startswith("about-") for name in page.on)


async def test_the_page_says_of_each_field_whether_it_must_be_there_and_shows_no_pattern(house: House) -> None:
    text = (await house.get("/docs", token=None)).text

    assert '<code>phone</code> <span class="faint">required: string, 3 to 6 digits</span>' in text
    assert '<code>languages</code> <span class="faint">optional: ' in text
    assert '<code>limit</code> <span class="faint">query, optional: ' in text
    assert "^[" not in text


async def test_the_page_has_the_table_of_who_may_do_what(house: House) -> None:
    text = (await house.get("/docs", token=None)).text
    table = text[text.index("<table>") : text.index("</table>")]
    told = {}
    for may, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table):
        words = re.findall(r"<td>(\w+)</td>", cells)
        told[may] = {role for role, word in zip(Role, words, strict=True) if word == "yes"}

    assert told == {str(may): {role for role in Role if may in MAY[role]} for may in May}


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for each in value.values() for ref in _refs(each)]
    return [ref for each in value for ref in _refs(each)] if isinstance(value, list) else []
