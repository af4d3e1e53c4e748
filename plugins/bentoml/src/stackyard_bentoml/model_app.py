"""The Open Inference Protocol V2 over HTTP, for one model."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    from stackyard_bentoml.host import Hosted

ID = "stackyard-id"  # header: the answer's id where the request has none
MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"

logger = logging.getLogger("bentoml")  # which the server writes to its log

LIMIT = 64 * 1024 * 1024  # bytes of a request to a bento by itself


def make_app(*more: Route) -> Starlette:
    """An application that asks the model in its ``state.hosted``."""
    routes = [
        Route("/v2", about),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", _ready),
        *(Route(path, _metadata) for path in (MODEL, VERSION)),
        *(Route(f"{path}/ready", _ready) for path in (MODEL, VERSION)),
        *(Route(f"{path}/infer", _infer, methods=["POST"]) for path in (MODEL, VERSION)),
        *more,
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refused})
    app.state.hosted = None
    app.state.fault = ""  # why there is none
    app.state.one = anyio.CapacityLimiter(1)  # a model is asked by one thread at a time
    return app


def error(status: int, reason: str) -> Response:
    """An error as the protocol has it."""
    return JSONResponse({"error": reason}, status)


async def refused(request: Request, exc: Exception) -> Response:
    """What no route takes."""
    assert isinstance(exc, HTTPException)
    return error(exc.status_code, f"{request.method} {request.url.path}: {exc.detail}")


async def body_of(request: Request, limit: int) -> bytes:
    """The body, if it is no larger than ``limit`` bytes; of a larger one no more is read."""
    told = request.headers.get("content-length", "0")
    parts = []
    size = int(told) if told.isdigit() else 0
    if size <= limit:
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    break
                parts.append(part)
        except ClientDisconnect as exc:
            raise HTTPException(400, "the client has gone") from exc
    if size > limit:
        raise HTTPException(413, f"the request has more than {limit} bytes; send fewer rows")
    return b"".join(parts)


async def about(request: Request) -> Response:
    """What the protocol wants to know of a server."""
    return JSONResponse({"name": "stackyard-bentoml", "extensions": []})


async def live(request: Request) -> Response:
    """That the process answers."""
    return JSONResponse({"live": True})


async def _ready(request: Request) -> Response:
    hosted = _hosted(request)
    return JSONResponse({"name": hosted.name, "ready": True})


async def _metadata(request: Request) -> Response:
    return JSONResponse(_hosted(request).metadata())


async def _infer(request: Request) -> Response:
    hosted = _hosted(request)
    body = await body_of(request, LIMIT)
    id = request.headers.get(ID) or str(uuid.uuid4())
    try:
        given = await run_sync(hosted.infer, body, id, limiter=request.app.state.one)
    except InvalidInput as exc:
        return error(400, str(exc))
    except Exception:  # whatever an estimator raises: the connection stays, the log says what
        logger.exception("%s:%s could not answer", hosted.name, hosted.version)
        return error(500, "the model failed; the server's log says how")
    return Response(given, media_type="application/json")


def _hosted(request: Request) -> Hosted:
    """The model, if it is the one that is asked for."""
    hosted: Hosted | None = request.app.state.hosted
    if hosted is None:
        raise HTTPException(503, request.app.state.fault or "no model is ready")
    asked: dict[str, Any] = request.path_params
    for key, has in (("name", hosted.name), ("version", hosted.version)):
        if asked.get(key, has) != has:
            raise HTTPException(404, f"there is no {key} {asked[key]!r} here, but {has!r}")
    return hosted
