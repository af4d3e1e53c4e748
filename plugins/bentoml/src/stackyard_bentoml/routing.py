"""Which version answers a request, and what becomes of the copies and the log."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stackyard.components.rollout import Rollout
from stackyard.components.server import signature_of
from stackyard.inference_writer import Role
from stackyard_bentoml import state as states
from stackyard_bentoml.log import Exchange, Log
from stackyard_bentoml.model_app import ID, body_of
from stackyard_bentoml.slot import Answer, Slot, no_answer
from stackyard_bentoml.state import State
from stackyard_bentoml.wire import APPLY

AWAKE = 3.0  # seconds in which a process that is well tells about its model
REASON = 500  # bytes of what a model says it cannot answer, in the log
COPIES = 256  # that may wait for the shadow; beyond them, or their bytes, copies are left out


@dataclass(frozen=True)
class _Asked:
    """A request as it came, and when: seconds since the epoch, and of the clock for durations."""

    body: bytes
    id: str
    came: float
    began: float


class Router:
    """The endpoint: sends each request to the slot of a version, as the state says.

    Args:
        folder: The endpoint's, with its state.
        slots: The model processes by the names that the state has for them.
    """

    def __init__(self, folder: Path, slots: Mapping[str, Slot]) -> None:
        state = states.read(folder)
        assert state is not None, f"{folder}: there is no endpoint"
        self._folder = folder
        self._slots = slots
        self._state = state
        self._signatures = {v: signature_of(p) for v, p in state.packages.items()}
        self._copies: set[asyncio.Task[None]] = set()
        self._copies_bytes = 0
        self._copies_left_out = 0
        settings = state.settings
        self._log = None
        if settings.log:
            self._log = Log(
                folder / states.INFERENCES,
                lambda: self._signatures,
                every=settings.log_every,
                memory=settings.log_memory,
            )

    async def apply(self, ready: Collection[str] = ()) -> str:
        """Take over the state as it is now; return why it cannot be, or an empty text.

        A version that gets more than before has its model ready before any request goes another
        way. The others are not asked: one that hangs must not stop what takes requests from it.

        Args:
            ready: Versions that have to be ready, too.
        """
        state = states.read(self._folder)
        if state is None:
            return "there is no endpoint any more"
        for slot, version in state.slots.items():
            if version in ready or _gets(state, version) > _gets(self._state, version):
                patience = state.settings.ready_within
                given = await self._slots[slot].ask("POST", APPLY, within=patience)
                if not given.ok:
                    return str(json.loads(given.content)["error"])
        if states.read(self._folder) != state:  # who asked for it has given up
            return "what the endpoint shall serve was changed meanwhile"
        # Of a version that has gone, answers may still wait for the log.
        self._signatures |= {v: signature_of(p) for v, p in state.packages.items()}
        self._state = state
        return ""

    async def infer(self, request: Request) -> Response:
        """Answer a request by the version that it names, or that the traffic chooses."""
        came, began = time.time(), time.perf_counter()
        self._check_name(request)
        body = await body_of(request, self._state.settings.max_request)
        asked = _Asked(body, str(uuid.uuid4()), came, began)
        rollout = self._rollout()
        wanted = request.path_params.get("version")
        version = wanted or _chosen(rollout)
        self._check_version(version)
        given = await self._ask(version, asked)
        if given.failed and wanted is None and version != rollout.champion:
            self._keep(version, "challenger", asked, given)
            version, asked = rollout.champion, replace(asked, began=time.perf_counter())
            given = await self._ask(version, asked)
        self._keep(
            version, "champion" if version == rollout.champion else "challenger", asked, given
        )
        refused = 400 <= given.status < 500
        if rollout.shadow is not None and wanted is None and not refused:
            self._copy(rollout.shadow, asked)
        return _response(given)

    async def forward(self, request: Request) -> Response:
        """Let a slot tell what is asked about a version, or about the champion."""
        self._check_name(request)
        version = request.path_params.get("version") or self._rollout().champion
        self._check_version(version)
        slot = self._slots[self._state.slot_of(version)]
        return _response(await slot.ask("GET", request.url.path, within=AWAKE))

    async def flush(self) -> None:
        """Have in the log what was answered until now, and what the shadow said of it."""
        if self._copies:
            await asyncio.wait(set(self._copies))
        if self._log is not None:
            await asyncio.to_thread(self._log.flush)

    def health(self) -> dict[str, Any]:
        """What does not work although the endpoint answers."""
        log = self._log
        return {
            "copies": self._copies_left_out,
            "answers": log.left_out if log else 0,
            "fault": log.fault if log else "",
        }

    async def close(self) -> None:
        """Finish the copies, and the log."""
        if self._copies:
            await asyncio.wait(self._copies, timeout=5)
        for slot in self._slots.values():
            await slot.close()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    def _rollout(self) -> Rollout:
        if self._state.rollout is None:
            raise HTTPException(503, "no model is ready")
        return self._state.rollout

    async def _ask(self, version: str, asked: _Asked) -> Answer:
        """The answer of a version. The champion's process may be started again meanwhile."""
        state = self._state
        if version not in state.slots.values():
            return no_answer(f"there is no version {version!r} any more")
        last = version == self._rollout().champion
        return await self._slots[state.slot_of(version)].ask(
            "POST",
            f"/v2/models/{state.name}/versions/{version}/infer",
            asked.body,
            within=state.settings.ready_within if last else state.settings.answer_within,
            headers={ID: asked.id},
        )

    def _check_version(self, version: str) -> None:
        if version not in (ready := self._state.slots.values()):
            have = ", ".join(ready)
            raise HTTPException(404, f"there is no version {version!r} here. Versions: {have}")

    def _check_name(self, request: Request) -> None:
        name = self._state.name
        if (asked := request.path_params.get("name", name)) != name:
            raise HTTPException(404, f"there is no model {asked!r} here, but {name!r}")

    def _copy(self, version: str, asked: _Asked) -> None:
        room = self._state.settings.log_memory - self._copies_bytes
        if len(self._copies) >= COPIES or len(asked.body) > room:
            self._copies_left_out += 1
            return
        self._copies_bytes += len(asked.body)
        task = asyncio.create_task(self._shadow(version, replace(asked, began=time.perf_counter())))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _shadow(self, version: str, asked: _Asked) -> None:
        try:
            self._keep(version, "shadow", asked, await self._ask(version, asked))
        finally:
            self._copies_bytes -= len(asked.body)

    def _keep(self, version: str, role: Role, asked: _Asked, given: Answer) -> None:
        """Have in the log what a version answered, or that it did not."""
        if self._log is None:
            return
        took = time.perf_counter() - asked.began
        facts = (asked.came, version, role, took, asked.id)
        if given.ok:
            self._log.put(Exchange(*facts, asked.body, given.content))
        else:
            why = given.content[:REASON].decode(errors="replace")
            self._log.put(Exchange(*facts, error=f"{given.status}: {why}"))


def _chosen(rollout: Rollout) -> str:
    """The version that a request goes to, by chance."""
    if rollout.beside is not None and random.random() * 100 < rollout.percent:
        return rollout.beside
    return rollout.champion


def _gets(state: State, version: str) -> tuple[int, bool]:
    """How much a version has to do: its percent of the requests, and whether it watches."""
    if state.rollout is None:
        return 0, False
    return state.rollout.traffic.get(version, 0), version == state.rollout.shadow


def _response(given: Answer) -> Response:
    return Response(given.content, given.status, media_type="application/json")
