"""The endpoint as BentoML serves it: a gateway before two processes with a model each.

Run by ``bentoml serve stackyard_bentoml.gateway:Gateway``; nothing else imports this module.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import bentoml  # noqa: TID253 (BentoML itself imports this module)
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stackyard_bentoml import state as states
from stackyard_bentoml.host import open_stored
from stackyard_bentoml.model_app import MODEL, VERSION, about, error, live, make_app, refused
from stackyard_bentoml.routing import Router
from stackyard_bentoml.running import FOLDER
from stackyard_bentoml.slot import Slot
from stackyard_bentoml.wire import APPLY

logger = logging.getLogger("bentoml")  # which the server writes to its log

QUIET: Any = {"access": {"enabled": False}}
NO_METRICS: Any = {"enabled": False}  # the gateway counts each request already


def _traffic() -> Any:
    """BentoML's limit of a request: beyond all of ours, which tell and log what took too long."""
    state = states.read(Path(os.environ[FOLDER]))
    assert state is not None
    return {"timeout": state.settings.answer_within + state.settings.ready_within + 5.0}


TRAFFIC = _traffic()


class _Slot:
    """Holds the model that the endpoint's state gives to the slot."""

    def __init__(self, slot: str, app: Starlette) -> None:
        self._slot, self._app = slot, app

    def load(self) -> str:
        """Have the wanted version; return why that cannot be, or an empty text."""
        fault = ""
        while not fault and (lacks := self._lacks()):  # reading may outlast what was wanted
            version, folder = lacks
            try:
                self._app.state.hosted = open_stored(folder)
            except Exception as exc:  # whatever reading a model raises: the one before stays
                fault = f"version {version!r} cannot be read: {type(exc).__name__}: {exc}"
                logger.error("slot_%s: %s", self._slot, fault)
        self._app.state.fault = fault
        return fault

    def _lacks(self) -> tuple[str, Path] | None:
        """The version that is wanted, and where it is; None where there is nothing to do."""
        state = states.read(Path(os.environ[FOLDER]))
        if state is None or self._slot not in state.slots:
            return None
        version = state.slots[self._slot]
        hosted = self._app.state.hosted
        if hosted is not None and hosted.version == version:
            return None
        return version, Path(state.packages[version].uri).parent


def _slot_app(name: str) -> Starlette:
    async def apply(request: Request) -> Response:
        reason = await asyncio.to_thread(app.state.slot.load)
        return error(500, reason) if reason else JSONResponse({})

    app = make_app(Route(APPLY, apply, methods=["POST"]))
    app.state.slot = _Slot(name, app)
    return app


slot_a, slot_b = _slot_app("a"), _slot_app("b")


@bentoml.asgi_app(slot_a)
@bentoml.service(name="slot_a", logging=QUIET, metrics=NO_METRICS, traffic=TRAFFIC)
class SlotA:
    """The process of one version."""

    def __init__(self) -> None:
        slot_a.state.slot.load()


@bentoml.asgi_app(slot_b)
@bentoml.service(name="slot_b", logging=QUIET, metrics=NO_METRICS, traffic=TRAFFIC)
class SlotB:
    """The process of the other one."""

    def __init__(self) -> None:
        slot_b.state.slot.load()


def _router(request: Request) -> Router:
    router: Router = request.app.state.router
    return router


async def _infer(request: Request) -> Response:
    return await _router(request).infer(request)


async def _forward(request: Request) -> Response:
    return await _router(request).forward(request)


async def _apply(request: Request) -> Response:
    reason = await _router(request).apply(await request.json())
    return error(500, reason) if reason else JSONResponse({})


async def _flush(request: Request) -> Response:
    await _router(request).flush()
    return JSONResponse({})


async def _health(request: Request) -> Response:
    return JSONResponse(_router(request).health())


gateway = Starlette(
    routes=[
        Route("/v2", about),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", _forward),
        *(Route(path, _forward) for path in (MODEL, VERSION)),
        *(Route(f"{path}/ready", _forward) for path in (MODEL, VERSION)),
        *(Route(f"{path}/infer", _infer, methods=["POST"]) for path in (MODEL, VERSION)),
        Route(APPLY, _apply, methods=["POST"]),
        Route("/stackyard/flush", _flush, methods=["POST"]),
        Route("/stackyard/health", _health),
    ],
    exception_handlers={HTTPException: refused},
)


@bentoml.asgi_app(gateway)
@bentoml.service(name="gateway", logging=QUIET, traffic=TRAFFIC)
class Gateway:
    """The endpoint."""

    a = bentoml.depends(SlotA)
    b = bentoml.depends(SlotB)

    def __init__(self) -> None:
        slots = {"a": Slot("a", self.a.to_async.url), "b": Slot("b", self.b.to_async.url)}
        gateway.state.router = Router(Path(os.environ[FOLDER]), slots)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def finish(self) -> None:
        """Write the log before the process ends."""
        await gateway.state.router.close()
