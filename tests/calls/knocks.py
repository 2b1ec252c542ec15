"""Whoever knocks at the SIP door: requests as bytes, from any loopback address, and what Asterisk says to them.

Counterpart: `tests/sip.py` for carriers and phones that keep to the rules; these need not.
"""

import asyncio
import hashlib
import re
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from gateway.ports import SIP_REALM

SILENT_S = 3.0
FINAL = tuple(f"SIP/2.0 {kind}" for kind in range(2, 7))


class Knocker:
    """A socket at an address that nobody knows. `asked` sends one request and returns what was said to it."""

    def __init__(self, own: socket.socket, port: int) -> None:
        self._own = own
        self._centre = ("127.0.0.1", port)
        self.host, self.port = own.getsockname()

    def request(
        self,
        method: str,
        user: str,
        *,
        to: str = "112",
        headers: tuple[str, ...] = (),
        body: str = "",
        cseq: int = 1,
        contact: str = "",
    ) -> bytes:
        """A request that is as it should be."""
        each = secrets.token_hex(8)
        centre = f"127.0.0.1:{self._centre[1]}"
        target = f"sip:{centre}" if method == "REGISTER" else f"sip:{to}@{centre}"
        to_whom = f"sip:{user}@{centre}" if method == "REGISTER" else target
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{each}",
            "Max-Forwards: 70",
            f"From: <sip:{user}@{self.host}>;tag=a",
            f"To: <{to_whom}>",
            f"Call-ID: {each}",
            f"CSeq: {cseq} {method}",
            f"Contact: <{contact or f'sip:{user}@{self.host}:{self.port}'}>",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendto(self._own, data, self._centre)

    async def heard(self, wait_s: float = SILENT_S) -> str:
        """The next thing that Asterisk says; empty where it is silent for so long."""
        try:
            async with asyncio.timeout(wait_s):
                return (await asyncio.get_running_loop().sock_recv(self._own, 65535)).decode(errors="replace")
        except TimeoutError:
            return ""

    async def asked(self, data: bytes) -> str:
        """What is said to it in the end; empty for silence. Asterisk's own requests (OPTIONS to a phone) are none."""
        await self.send(data)
        while (said := await self.heard()) and not said.startswith(FINAL):
            pass
        return said

    async def tries_a_password(self, phone: str, secret: str, **request: Any) -> str:
        """Registers as the phone with that password; returns the status of the answer to it."""
        return status(await self.asked_with_password("REGISTER", phone, secret, **request))

    async def asked_with_password(
        self,
        method: str,
        phone: str,
        secret: str,
        *,
        user: str = "",
        algorithm: Literal["MD5", "SHA-256"] = "MD5",
        **request: Any,
    ) -> str:
        """Sends a request, and, once it is asked for the password, that (RFC 7616); returns what is said in the end.
        `user` is who gives it, where that is not the phone."""
        challenge = await self.asked(self.request(method, phone, **request))
        asked = next((line for line in challenge.splitlines() if f"algorithm={algorithm}," in line), "")
        nonce, opaque = re.search(r'nonce="([^"]+)"', asked), re.search(r'opaque="([^"]+)"', asked)
        if nonce is None or opaque is None:
            return challenge
        user = user or phone
        if method == "INVITE":
            await self.send(self.request("ACK", phone, **request))
        uri = f"sip:127.0.0.1:{self._centre[1]}"
        ha1, ha2 = (_hashed(text, algorithm) for text in (f"{user}:{SIP_REALM}:{secret}", f"{method}:{uri}"))
        answer = _hashed(f"{ha1}:{nonce[1]}:00000001:c:auth:{ha2}", algorithm)
        given = (
            f'Authorization: Digest username="{user}", realm="{SIP_REALM}", nonce="{nonce[1]}", uri="{uri}", '
            f'response="{answer}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="c", opaque="{opaque[1]}"'
        )
        headers = (*request.pop("headers", ()), given)
        return await self.asked(self.request(method, phone, headers=headers, cseq=2, **request))


def status(said: str) -> str:
    """The three digits of an answer; empty for silence."""
    return said[8:11]


def _hashed(text: str, algorithm: str) -> str:
    return hashlib.new(algorithm.replace("-", ""), text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def a_knocker(port: int, address: str) -> AsyncIterator[Knocker]:
    """One at that address, which knocks at the centre's port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((address, 0))
        own.setblocking(False)
        yield Knocker(own, port)
