"""Asking an endpoint of this machine over HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

from stackyard.errors import InvalidInput, NotFound, Unavailable
from stackyard.loopback import HOST

APPLY = "/stackyard/apply"  # at the gateway and at the slots: the endpoint's state has changed


def ask(
    port: int, method: str, path: str, *, content: Any = None, seconds: float = 30.0
) -> Mapping[str, Any]:
    """Send one request and return what its answer says.

    Args:
        port: Of loopback.
        method: GET or POST.
        path: The path.
        content: What to send as JSON.
        seconds: How long the answer may take.

    Raises:
        InvalidInput: the request is refused, or is no JSON; says why.
        NotFound: there is no such model or version.
        Unavailable: nothing answers in time, or the endpoint cannot.
    """
    import msgspec

    try:
        body = None if content is None else msgspec.json.encode(content)
    except (TypeError, ValueError) as exc:
        raise InvalidInput(
            f"request: it is no JSON: {exc}. Make it with encode_request(rows)"
        ) from exc
    headers = {} if body is None else {"content-type": "application/json"}
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        raw = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        late = isinstance(exc, TimeoutError)
        how = f" within {seconds:g} s" if late else f" ({type(exc).__name__}: {exc})"
        raise Unavailable(f"http://{HOST}:{port}{path}: no answer{how}") from exc
    finally:
        connection.close()
    try:
        said = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        said = {"error": raw.decode("utf-8", "replace")}
    if answer.status < 400:
        return dict(said)
    reason = str(said.get("error", said)) if isinstance(said, dict) else str(said)
    if answer.status == 404:
        raise NotFound(reason)
    if answer.status < 500:
        raise InvalidInput(reason)
    raise Unavailable(f"http://{HOST}:{port}{path}: {answer.status}: {reason}")
