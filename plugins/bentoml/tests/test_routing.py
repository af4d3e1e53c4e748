"""What the gateway does with processes that hang, fail, or are slow to change over."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.components.rollout import Rollout
from stackyard_bentoml import state as states
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.model_app import body_of
from stackyard_bentoml.routing import Router
from stackyard_bentoml.slot import Slot
from stackyard_bentoml.state import State

HANGS = 0  # in place of a status
SIGNATURE = Signature((Field("hour", "INT64"),))
TENSOR = {"name": "hour", "shape": [1], "datatype": "INT64", "data": [5]}
BODY = json.dumps({"inputs": [TENSOR]}).encode()
STATE = State(
    "f",
    1,
    BentomlConfig(answer_within=0.3, log_every=3600),
    Rollout("1", "2"),
    {"a": "1", "b": "2"},
    {version: ModelPackage("x", "/", "0", SIGNATURE) for version in "12"},
)


@dataclass
class Process:
    """The process of a slot: what it says to requests, and when it has its model."""

    version: str
    status: int = 200
    has_model: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: (\d+)", head.lower())
                await reader.readexactly(int(length[1]) if length else 0)
                if head.startswith(b"POST /stackyard/apply"):
                    await self.has_model.wait()
                elif self.status == HANGS:
                    await asyncio.sleep(60)
                writer.write(self.answer())

    def answer(self) -> bytes:
        """As bytes of HTTP."""
        said = {
            "model_version": self.version,
            "id": "i",
            "outputs": [{**TENSOR, "name": "predict"}],
        }
        body = json.dumps(said if self.status == 200 else {"error": "so it is"})
        return f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


@dataclass
class Endpoint:
    """A gateway before two processes, and what it needs of a server."""

    folder: Path
    router: Router
    champion: Process
    other: Process

    async def ask(self, body: bytes = BODY) -> tuple[int, str]:
        """Status and version of the answer to a request."""
        given = await self.router.infer(request(body))
        return given.status_code, json.loads(bytes(given.body)).get("model_version", "")

    async def change(self, rollout: Rollout, ready_within: float = 90.0) -> str:
        """Let it take over other shares."""
        settings = replace(STATE.settings, ready_within=ready_within)
        states.write(self.folder, replace(STATE, rollout=rollout, settings=settings))
        return await self.router.apply()

    def log(self) -> pd.DataFrame:
        """The inference log, after the gateway has ended."""
        files = (self.folder / states.INFERENCES).rglob("*.parquet")
        return pd.concat([pd.read_parquet(file) for file in files])


def request(*parts: bytes) -> Request:
    """A request in parts; without the last one, its sender has gone."""

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": len(parts) > 1}

    left = list(parts)
    path = "/v2/models/f/infer"
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "path_params": {}}
    return Request(scope, receive)


@asynccontextmanager
async def serving(folder: Path, state: State = STATE) -> AsyncIterator[Endpoint]:
    """An endpoint, while it is asked."""
    states.write(folder, state)
    processes = Process("1"), Process("2")
    servers = [await asyncio.start_server(one.serve, "127.0.0.1", 0) for one in processes]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    slots = {
        name: Slot(name, f"tcp://127.0.0.1:{port}") for name, port in zip("ab", ports, strict=True)
    }
    router = Router(folder, slots)
    yield Endpoint(folder, router, *processes)
    await router.close()
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("status", "said"),
    [(HANGS, "503.*no answer within 0.3 s"), (500, "500.*so it is"), (404, "404.*so it is")],
)
def test_the_champion_answers_for_a_sick_challenger(tmp_path: Path, status: int, said: str) -> None:
    """In time; the log has what was wrong, so that the challenger can be judged by it."""

    async def run() -> Endpoint:
        async with serving(tmp_path, replace(STATE, rollout=Rollout("1", "2", 100))) as endpoint:
            endpoint.other.status = status
            began = time.monotonic()
            assert await endpoint.ask() == (200, "1")
            assert time.monotonic() - began < 5
            return endpoint

    rows = asyncio.run(run()).log().set_index("role")
    assert list(rows["version"].loc[["challenger", "champion"]]) == ["2", "1"]
    assert re.search(said, rows["error"]["challenger"])
    assert pd.isna(rows["error"]["champion"])


def test_what_a_challenger_refuses_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, replace(STATE, rollout=Rollout("1", "2", 100))) as endpoint:
            endpoint.other.status = 400
            assert (await endpoint.ask())[0] == 400

    asyncio.run(run())


def test_copies_for_a_shadow_that_hangs_are_limited(tmp_path: Path) -> None:
    """In bytes and in time; what was refused is not copied."""
    settings = replace(STATE.settings, log_memory=3 * len(BODY))
    watched = replace(STATE, rollout=Rollout("1", "2", watching=True), settings=settings)

    async def run() -> None:
        async with serving(tmp_path, watched) as endpoint:
            endpoint.other.status = HANGS
            endpoint.champion.status = 400
            for _ in range(5):
                await endpoint.ask()
            assert endpoint.router.health()["copies"] == 0
            endpoint.champion.status = 200
            for _ in range(5):
                await endpoint.ask()
            assert endpoint.router.health()["copies"] == 2
            await asyncio.wait_for(endpoint.router.flush(), 5)
            await endpoint.ask()
            assert endpoint.router.health()["copies"] == 2

    asyncio.run(run())


def test_a_version_that_hangs_gets_less_and_never_more(tmp_path: Path) -> None:
    """Nobody waits for it where requests are taken from it."""
    half, watching = Rollout("1", "2", 50), Rollout("1", "2", watching=True)

    async def run() -> None:
        async with serving(tmp_path, replace(STATE, rollout=half)) as endpoint:
            endpoint.champion.has_model.set()
            assert await endpoint.change(Rollout("1", "2", 20)) == ""
            assert await endpoint.change(Rollout("1", "2")) == ""
            for more in (Rollout("1", "2", 1), watching, Rollout("2", "1", dethroned=True)):
                assert "'b' gave no answer within 0.6 s" in await endpoint.change(more, 0.6)
            assert await endpoint.ask() == (200, "1")
            assert await endpoint.change(Rollout("1", "2"), 0.6) == ""
            assert "'b' gave no answer" in await endpoint.router.apply(["2"])
            endpoint.other.has_model.set()
            assert await endpoint.change(watching) == ""
            endpoint.other.has_model.clear()
            assert await endpoint.change(Rollout("1", "2")) == ""

    asyncio.run(run())


def test_a_change_that_was_given_up_does_not_happen(tmp_path: Path) -> None:
    """When the process wakes up at last, the endpoint's state is what it was."""

    async def run() -> None:
        async with serving(tmp_path) as endpoint:
            promotion = endpoint.change(Rollout("2", "1", dethroned=True))
            told = asyncio.create_task(promotion)
            await asyncio.sleep(0.1)
            states.write(tmp_path, STATE)
            endpoint.other.has_model.set()
            assert "changed meanwhile" in await told
            assert await endpoint.ask() == (200, "1")

    asyncio.run(run())


def test_a_client_that_goes_is_no_error(tmp_path: Path) -> None:
    with pytest.raises(HTTPException) as raised:
        asyncio.run(body_of(request(b"{", b'"inputs"'), 1000))
    assert raised.value.status_code == 400
