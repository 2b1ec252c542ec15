"""The board as a page for the centre's wall: one file that needs nothing else. It asks for a token once, and keeps it
as long as the browser's tab is open.

Counterparts: `board.html` is the page, which follows the stream of `board.py`; its style and its script are named by
their hashes in the policy, and no other may run.
"""

import base64
import hashlib
import re
from importlib import resources

from aiohttp import web

from gateway.api.context import Context
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


async def get_board_page(context: Context) -> web.StreamResponse:
    """The board as a page for a wall. It shows nothing before it is given a token that may see the board."""
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(text=PAGE, content_type="text/html", headers=headers)


ROUTES = (
    route("GET", "/board", get_board_page, "The board's page", may=None, media_type="text/html", subject="board"),
)
