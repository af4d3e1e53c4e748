"""One inference request over HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from stackyard.errors import InvalidInput, NotFound, Unavailable

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ask(
    url: str,
    name: str,
    request: Mapping[str, Any],
    *,
    seconds: float,
    gateway: str | None = None,
) -> dict[str, Any]:
    """Send a V2 inference request and return the answer.

    Args:
        url: The endpoint's address.
        name: The model's name there.
        request: ``{"inputs": [...]}``.
        seconds: Within which it must be answered.
        gateway: Address to send it to instead, with the endpoint's host as that of the request.

    Raises:
        InvalidInput: the server refuses it; says why.
        NotFound: there is no such model.
        Unavailable: it was not answered; the reason is in the message.
    """
    try:
        body = json.dumps(request, allow_nan=False).encode()
    except (TypeError, ValueError) as exc:
        raise InvalidInput(f"request to {name!r}: it is no JSON ({exc})") from exc
    base = gateway or url
    asked = urllib.request.Request(
        f"{base.rstrip('/')}/v2/models/{name}/infer", body, {"Content-Type": "application/json"}
    )
    if gateway is not None:
        asked.add_header("Host", urlsplit(url).netloc)
    direct = urlsplit(base).hostname in _LOOPBACK  # no proxy reaches this machine
    proxies = [urllib.request.ProxyHandler({})] if direct else []
    opener = urllib.request.build_opener(_Straight(), *proxies)
    try:
        with opener.open(asked, timeout=seconds) as answer:
            return _document(base, answer.read())
    except urllib.error.HTTPError as exc:
        with exc:
            reason = _reason(exc.read(), exc.reason)
        where = f"{name!r} at {base}"
        if exc.code == 404:
            raise NotFound(f"{where}: {reason}") from exc
        if 400 <= exc.code < 500 and exc.code not in (408, 425, 429):
            raise InvalidInput(f"{where}: {reason}") from exc
        raise Unavailable(f"{where} answered {exc.code}: {reason}") from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = str(getattr(exc, "reason", None) or exc or type(exc).__name__)
        raise Unavailable(f"{name!r} at {base} does not answer ({reason})") from exc


class _Straight(urllib.request.HTTPRedirectHandler):
    """A request goes where it was sent and nowhere else: a redirected one would lose its body."""

    def redirect_request(self, *_: Any) -> None:
        """Take the redirect for the answer."""


def _document(base: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{base} does not answer as a model server: {data[:200]!r}")
    return found


def _reason(data: bytes, reason: str) -> str:
    """What the server says, in the words of the Open Inference Protocol or of FastAPI."""
    try:
        found = json.loads(data)
        told = found.get("error") or found.get("detail")
    except (ValueError, AttributeError):
        told = data.decode("utf-8", "replace")[:300].strip()
    return str(told or reason)
