"""The server's contract, kept by BentoML as it really runs, also with a version that is sick."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from plugins.bentoml.tests.conftest import Served
from stackyard.components.base import Context
from stackyard.components.server import Server
from stackyard.errors import Unavailable
from stackyard.testing import ServerContract
from stackyard.testing.manners import until
from stackyard.testing.server_case import Models, ask
from stackyard_bentoml import state as states
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.server import BentomlServer
from stackyard_bentoml.state import State


def asked(server: Server, count: int = 20) -> set[str]:
    """The versions that answer."""
    return {ask(server, "shared")["model_version"] for _ in range(count)}


class TestBentomlServer(ServerContract):
    """The contract."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, Any]:
        return {"flavor": "bentoml"}

    def test_a_canary_that_hangs_is_rolled_back(
        self, server: BentomlServer, shared: str, context: Context
    ) -> None:
        """It cannot be promoted, and what was given up does not happen when it wakes up."""
        server.set_traffic(shared, {"1": 50, "2": 50})
        impatient = BentomlServer(BentomlConfig(ready_within=1), context)
        process = slot_of(server, "2")
        process.suspend()
        try:
            impatient.rollback(shared)
            assert asked(server) == {"1"}
            with pytest.raises(Unavailable, match="no answer within 1 s"):
                impatient.promote(shared, "2")
        finally:
            process.resume()
        time.sleep(1)  # in which it tells that it has its model
        assert asked(server) == {"1"}
        assert server.promote(shared, "2").champion == "2"
        assert asked(server) == {"2"}

    def test_a_canary_without_a_model_is_told(
        self, server: BentomlServer, shared: str, models: Models
    ) -> None:
        """In the status and the log; the champion answers, and gets everything again."""
        server.set_traffic(shared, {"1": 50, "2": 50})
        model, process = Path(state_of(server).packages["2"].uri), slot_of(server, "2")
        away = model.rename(model.with_name("away"))
        try:
            process.kill()
            until(lambda: "cannot be read: NotFound" in server.status(shared).reason, seconds=120)
            assert server.status(shared).status == "ready"
            assert asked(server) == {"1"}
            log = server._supervisor.log(server._service_name(shared), "bentoml").read_text()
            assert re.search("ERROR.*version '2' cannot be read", log)
            with pytest.raises(Unavailable, match="cannot be read"):
                server.promote(shared, "2")
            assert server.rollback(shared).traffic == {"1": 100, "2": 0}
        finally:
            away.rename(model)
        assert server.deploy(models(2), shared, "2").reason == ""

    def test_a_change_that_the_endpoint_was_not_told_is_told(
        self, server: BentomlServer, shared: str
    ) -> None:
        """As of a process that was killed between the two."""
        before = state_of(server)
        assert before.rollout is not None
        changed = replace(before, rollout=before.rollout.promoted("2"))
        states.write(server.context.state_dir / shared, changed)
        assert asked(server) == {"1"}
        assert server.promote(shared, "2") == server.status(shared)
        assert asked(server) == {"2"}


def state_of(server: BentomlServer) -> State:
    """What the shared endpoint serves."""
    state = states.read(server.context.state_dir / "shared")
    assert state is not None
    return state


def slot_of(server: BentomlServer, version: str) -> psutil.Process:
    """The process of a version of the shared endpoint."""
    state = state_of(server)
    slot = f"slot_{state.slot_of(version)}"
    served = Served(server, "shared", state.packages[version])
    (process,) = (one for one in served.processes() if slot in one.cmdline())
    return process
