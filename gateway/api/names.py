"""Names of receivers, looked up in threads of their own: a name server that is away holds each for half a minute, and
of those that all share there are few.

Counterpart: `deliveries.py`, whose session asks here. aiohttp looks up one name once, however many wait for it.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult


class Names(AbstractResolver):
    """Looks up at most `at_once` names at the same time."""

    def __init__(self, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, "names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of that name. Raises OSError."""

        def look() -> list[ResolveResult]:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for kind, _, protocol, _, address in found
            ]

        return await asyncio.get_running_loop().run_in_executor(self._threads, look)

    async def close(self) -> None:
        """Asks for nothing more. Does not wait for a name server that is away."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    aclose = close
