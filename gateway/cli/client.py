"""The HTTP side of the commands: one function that asks the API, and what can go wrong, in sentences for a person.

Counterpart: `gateway/api/`. Whatever a command does is asked of it; nothing here opens the database.
"""

import contextlib
import io
import json
import os
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from gateway.remedies import GATEWAY_LOG, START_GATEWAY
from gateway.settings import TOKEN_VARIABLE, Settings

CONNECT_S, ANSWER_S = 5.0, 120.0
"""A year's roster takes a while to be read in; a machine that is off is known at once."""
PAGE = 200
"""Items that are asked for at once: every list gives so many."""

Json = dict[str, Any]

_REMEDIES: Mapping[int, str] = {
    403: f"use the token of somebody who may, in {TOKEN_VARIABLE} or with --token",
    404: "look for it with the command `list`",
    409: "choose another one, or end first what stands in the way",
    412: "run the command again: it reads what is there now",
    422: "correct what is named below",
    429: "try again in a moment",
    500: f"read {GATEWAY_LOG}, and please report it",
    502: "`gateway112 doctor` says what Asterisk lacks",
    503: "try again in a moment; `gateway112 doctor` says what is down",
}


class Failed(Exception):
    """A command did not do what it was asked. The message says what, why and what to do about it."""


class Problem(Failed):
    """The API's answer was a problem document (RFC 9457). `errors` are its fields, each with what is wrong with it."""

    def __init__(self, status: int, detail: str, errors: list[tuple[str, str]]) -> None:
        remedy = _REMEDIES.get(status)
        super().__init__(f"{detail[:1].upper()}{detail[1:].rstrip('.')}.{f' Remedy: {remedy}.' if remedy else ''}")
        self.status = status
        self.errors = errors

    def about(self, message: str) -> "Problem":
        """The same problem with a message that knows what was asked for."""
        self.args = (message,)
        return self


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it came from: only that is ever shown."""

    secret: str = field(repr=False)
    source: str


def token_for(settings: Settings, url: str, given: str | None, environ: Mapping[str, str]) -> Token:
    """The token to ask the API at `url` with: the given one, the environment's, or for this centre's own API the one
    that lies in `var/admin-token`. Raises Failed where there is none."""
    file = settings.paths.var / "admin-token"
    if given is not None:
        token = Token(given.strip(), "the option --token")
    elif environ.get(TOKEN_VARIABLE, "").strip():
        token = Token(environ[TOKEN_VARIABLE].strip(), f"the environment variable {TOKEN_VARIABLE}")
    elif url != settings.api_url:
        # the admin's token of this centre is not for whoever answers at some address
        raise Failed(
            f"No token is named for {url}: that of {file} is for {settings.api_url} alone. Remedy: put one into "
            f"{TOKEN_VARIABLE}."
        )
    else:
        token = Token(_read(file), f"the file {file}")
    if not token.secret or not token.secret.isascii() or not token.secret.isprintable():
        raise Failed(f"What stands in {token.source} cannot be a token. Remedy: copy the token again, whole.")
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise Failed(
            f"The admin's token {file} cannot be read: {error.strerror}. Remedy: {START_GATEWAY}; "
            f"it makes it. Then run this as the same user; or put a token into {TOKEN_VARIABLE}."
        ) from None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came whole, and the heads of the answer that it came in."""

    size_bytes: int
    headers: Mapping[str, str]


class Api:
    """The API at `url`, asked in the name of one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: Token) -> None:
        self._session = session
        self._url = url
        self._token = token

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
        csv: bytes | None = None,
        seen: int | None = None,
        also: str = "text/csv",
    ) -> Any:
        """What the API answers: JSON as values, text as a string, None where it tells nothing.

        `query` leaves out what is None; `seen` is the version that a change is about (If-Match); `also` another
        media type of text that the answer may have. Raises Problem, and Failed where no API of ours answers.
        """
        headers = {"Authorization": f"Bearer {self._token.secret}"}
        if seen is not None:
            headers["If-Match"] = f'"{seen}"'
        if csv is not None:
            headers["Content-Type"] = "text/csv; charset=utf-8"
        try:
            async with self._session.request(
                method,
                self._url + path,
                params={name: _written(value) for name, value in (query or {}).items() if value is not None},
                json=body,
                data=None if csv is None else io.BytesIO(csv),
                headers=headers,
                allow_redirects=False,  # a token is for the API that was named, and for no other
            ) as answer:
                raw = await answer.read()
        except aiohttp.ClientConnectorCertificateError as error:
            raise Failed(self._untrusted(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise Failed(self._silent(error)) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failed(self._broken(method, error)) from None
        return self._told(answer, raw, also)

    async def fetch(
        self,
        method: str,
        path: str,
        file: BinaryIO,
        *,
        media: str,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
    ) -> Fetched:
        """Asks for something large whose media type begins so, and writes it to the file as it comes. Raises as `ask`,
        and Failed where it did not come whole; OSError where the file takes no more."""
        size_bytes = 0
        try:
            async with self._session.request(
                method,
                self._url + path,
                params={name: _written(value) for name, value in (query or {}).items() if value is not None},
                json=body,
                headers={"Authorization": f"Bearer {self._token.secret}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S),
                allow_redirects=False,
            ) as answer:
                if answer.status != 200 or not answer.content_type.startswith(media):
                    self._told(answer, await answer.read(), "text/csv")
                    raise Failed(f"{self._url} answers with no file. Remedy: use the gateway112 of the version there.")
                async for chunk in answer.content.iter_any():
                    file.write(chunk)
                    size_bytes += len(chunk)
        except aiohttp.ClientConnectorError as error:
            raise Failed(self._silent(error)) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failed(self._broken(method, error)) from None
        return Fetched(size_bytes, answer.headers)

    async def every(self, path: str, **query: object) -> Json:
        """A list to its end, as one page."""
        items: list[Json] = []
        cursor = None
        while True:
            page = await self.ask("GET", path, query={**query, "limit": PAGE, "cursor": cursor})
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return {"items": items, "next": None}

    async def retired(self, path: str, ids: Collection[int], **query: object) -> list[Json]:
        """Those things of the list, which are in use no more: each by itself, for there may be very many."""
        found: list[Json] = []
        for thing_id in ids:
            place = {"include_retired": True, "cursor": thing_id - 1 or None, "limit": 1}
            page = await self.ask("GET", path, query={**query, **place})
            found += [each for each in page["items"] if each["id"] == thing_id]
        return found

    async def one(self, noun: str, **wanted: str) -> Json:
        """The thing in use that has this field: `one("operator", phone="1001")`. Raises Failed where there is none."""
        [(name, value)] = wanted.items()
        for thing in (await self.every(f"/v1/{noun}s"))["items"]:
            if thing[name] == value:
                found: Json = thing
                return found
        called = "" if name == "name" else f"with the {name} "
        raise Failed(
            f"There is no {noun} {called}{value}. Remedy: see those that are there with `gateway112 {noun} list`."
        )

    def _told(self, answer: aiohttp.ClientResponse, raw: bytes, also: str) -> Any:
        text = raw.decode("utf-8", "replace")
        try:
            told = _content(answer, text, also)
            if answer.status < 300:
                return told
            detail = str(told["detail"])
            errors = [(str(each["field"]), str(each["reason"])) for each in told.get("errors", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Failed(
                f"What answers at {self._url} is not the gateway's API (status {answer.status}, "
                f"{answer.content_type}). Remedy: end what uses that port, or name the right address with --api."
            ) from None
        if answer.status == 401:
            raise Failed(
                f"{self._url} does not take the token of {self._token.source}: {detail.rstrip('.')}. "
                f"Remedy: put one that it knows into {TOKEN_VARIABLE}; without any, that of var/admin-token is used."
            )
        raise Problem(answer.status, detail, errors)

    def _silent(self, error: OSError) -> str:
        return (
            f"{self._url} does not answer: {_reason(error)}. Remedy: {START_GATEWAY}, "
            "or all of the centre with `make run`; or name another one with --api."
        )

    def _untrusted(self, error: aiohttp.ClientConnectorCertificateError) -> str:
        return (
            f"{self._url} shows a certificate that is not trusted here: {error.certificate_error}. Remedy: ask it by "
            "the name in its certificate, with the authority that signed it in SSL_CERT_FILE; a gateway on this "
            "machine is asked without --api."
        )

    def _broken(self, method: str, error: Exception) -> str:
        what = f"did not answer within {ANSWER_S:.0f} s" if isinstance(error, TimeoutError) else f"broke off: {error}"
        doubt = "" if method == "GET" else " Whether it was done is not known: look first."
        return f"{self._url} {what}.{doubt} Remedy: `gateway112 doctor` says what is wrong there."


@contextlib.asynccontextmanager
async def open_api(url: str, token: Token, tls: ssl.SSLContext | bool = True) -> AsyncIterator[Api]:
    """The API, to ask as often as a command needs; over HTTPS as `tls` says, or as is usual."""
    limits = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield Api(session, url, token)


def _content(answer: aiohttp.ClientResponse, text: str, also: str) -> Any:
    """What an answer of the API holds. Raises ValueError for one that is not the API's."""
    if answer.status == 204:
        return None
    if answer.content_type in ("text/csv", also):
        return text
    if answer.content_type in ("application/json", "application/problem+json"):
        return json.loads(text)
    raise ValueError(f"the gateway tells nothing as {answer.content_type}")


def _reason(error: OSError) -> str:
    """Why no connection came about, in the system's words."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
