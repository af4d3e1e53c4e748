"""Requests that are too large are refused, and not kept in memory."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_PATIENCE = 8  # times the limit that is read, and thrown away, for the client to see the answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Limit:
    """ASGI middleware that answers 413 to a body of more than ``largest`` bytes."""

    def __init__(self, app: App, largest: int) -> None:
        self._app, self._largest = app, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts: list[Message] = []
        size, more = 0, True
        while more and size <= self._largest * _PATIENCE:
            part = await receive()
            size += len(part.get("body", b""))
            more = part.get("more_body", False)
            if size <= self._largest:
                parts.append(part)
        if size > self._largest:
            await self._refuse(send)
            return
        waiting = iter(parts)

        async def again() -> Message:
            return next(waiting, None) or await receive()

        await self._app(scope, again, send)

    async def _refuse(self, send: Send) -> None:
        text = f"request: more than {self._largest} bytes; send fewer rows at a time"
        body = json.dumps({"error": text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
