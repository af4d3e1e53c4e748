"""A process with a model, as the gateway reaches it."""

from __future__ import annotations

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


class Slot:
    """Sends requests to the address that BentoML gave to a dependency.

    BentoML's own client of a dependency closes its session after every hundred requests, and with
    it those that are under way (proxy2.py, SessionManager); so this one keeps its connections.

    Args:
        address: ``file:///path/of/a.sock`` or ``tcp://host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, path: str, content: bytes | None = None, **headers: str
    ) -> Answer | None:
        """The answer to one request; None where the process gives none."""
        session = self._opened()
        for _ in range(TRIES):
            try:
                async with session.request(method, path, data=content, headers=headers) as given:
                    return Answer(given.status, await given.read())
            except aiohttp.ClientError:
                continue
        return None

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
            # BentoML ends what takes too long.
            patience = aiohttp.ClientTimeout(total=None)
            self._session = aiohttp.ClientSession(base, connector=connector, timeout=patience)
        return self._session
