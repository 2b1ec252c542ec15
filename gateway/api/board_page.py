"""The board as a page for the centre's wall: one file that needs nothing else. It asks for a token once, and keeps it
as long as the browser's tab is open.

Counterparts: `board.html` is the page, which follows the stream of `board.py`; its style and its script are named by
their hashes in the policy, and no other may run.
"""

import base64
import hashlib
import re
from html import escape
from importlib import resources
from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.api.context import Context
from gateway.api.models import Parameters
from gateway.api.month_words import Language
from gateway.api.routes import route

PAGE = resources.files("gateway.api").joinpath("board.html").read_text(encoding="utf-8")


def _hash(element: str) -> str:
    """The hash of what stands in the page's one element of that name, as a policy names it."""
    [text] = re.findall(rf"<{element}>(.*?)</{element}>", PAGE, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash('style')}; script-src {_hash('script')}; connect-src 'self'; "
    "require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class BoardPageQuery(Parameters):
    lang: Annotated[Language | None, Field(description="Bahasa Indonesia, or English; else the browser's.")] = None


async def get_board_page(context: Context, query: BoardPageQuery) -> web.StreamResponse:
    """The board as a page for a wall. It shows nothing but the centre's title before it is given a token that may see
    the board."""
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    text = PAGE.replace("{lang}", query.lang or "").replace("{title}", escape(context.title))
    return web.Response(text=text, content_type="text/html", headers=headers)


ROUTES = (
    route("GET", "/board", get_board_page, "The board's page", may=None, media_type="text/html", subject="board"),
)
