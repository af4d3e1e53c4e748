"""An endpoint that really runs, and raw requests to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.models import package_model
from stackyard.processes import MARK
from stackyard.testing.server_case import model, rows
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.server import BentomlServer


@dataclass
class Served:
    """An endpoint with version 1, its server, and what was deployed."""

    server: BentomlServer
    name: str
    package: ModelPackage

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.server.context.state_dir / self.name

    def send(
        self, body: bytes, path: str | None = None, method: str = "POST"
    ) -> tuple[int, dict[str, Any]]:
        """What it answers to raw bytes."""
        url = urlsplit(self.server.status(self.name).url)
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        connection.request(method, path or f"/v2/models/{self.name}/infer", body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def processes(self) -> list[psutil.Process]:
        """Every process of it."""
        mark = self.server._supervisor._mark(self.server._service_name(self.name))
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(MARK) == mark:
                    found.append(process)
            except (psutil.Error, OSError):  # it has just ended, or is another user's
                continue
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One endpoint for the tests of a module."""
    project = tmp_path_factory.mktemp("project")
    context = Context(name="server", project=project, state_dir=project / "state")
    server = BentomlServer(BentomlConfig(log_every=0.5), context)
    package = package_model(model(1), example=rows(), folder=project / "model")
    server.deploy(package, "flights", "1")
    yield Served(server, "flights", package)
    server.undeploy("flights")
