"""A process with a model, as the gateway reaches it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

TRIES = 3  # a process that ends takes its connections with it; the next one has the same socket
KEPT = 4.0  # seconds that a connection may lie idle; the process closes it after five


@dataclass(frozen=True)
class Answer:
    """What a slot answered."""

    status: int
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return self.status == 200

    @property
    def failed(self) -> bool:
        """Whether another version may do better: it failed, or is not the version asked for."""
        return self.status >= 500 or self.status == 404


def no_answer(reason: str) -> Answer:
    """What stands for the answer that a process does not give."""
    return Answer(503, json.dumps({"error": reason}).encode())


class Slot:
    """Sends requests to the address that BentoML gave to a dependency.

    BentoML's own client of a dependency closes its session after every hundred requests, and with
    it those that are under way (proxy2.py, SessionManager); so this one keeps its connections.

    Args:
        name: What the endpoint's state calls it.
        address: ``file:///path/of/a.sock`` or ``tcp://host:port``.
    """

    def __init__(self, name: str, address: str) -> None:
        self._name = name
        self._address = urlsplit(address)
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        within: float,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to one request; ``no_answer`` where none comes within so many seconds."""
        session = self._opened()
        try:
            async with asyncio.timeout(within):
                for _ in range(TRIES):
                    try:
                        async with session.request(
                            method, path, data=content, headers=headers
                        ) as given:
                            return Answer(given.status, await given.read())
                    except aiohttp.ClientError:
                        continue
        except TimeoutError:
            return no_answer(f"model process {self._name!r} gave no answer within {within:g} s")
        return no_answer(f"model process {self._name!r} does not answer")

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made in the event loop that uses it."""
        if self._session is None:
            limits: dict[str, Any] = {"limit": 0, "keepalive_timeout": KEPT}
            if self._address.scheme == "file":
                path = unquote(self._address.path)
                connector: aiohttp.BaseConnector = aiohttp.UnixConnector(path=path, **limits)
                base = "http://localhost"
            else:
                connector = aiohttp.TCPConnector(**limits)
                base = f"http://{self._address.netloc}"
            patience = aiohttp.ClientTimeout(total=None)  # each request has its own
            self._session = aiohttp.ClientSession(base, connector=connector, timeout=patience)
        return self._session
