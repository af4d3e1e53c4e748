"""A real MLflow server on loopback, one for all tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard_mlflow.service import ENVIRONMENT
from tests.ports import free_port

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


class Server:
    """An MLflow server that can be stopped and started again on its port."""

    def __init__(self, folder: Path, *, proxied: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._proxied = proxied
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        where = "--artifacts-destination" if self._proxied else "--default-artifact-root"
        argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        argv += ["--port", str(self.port), "--workers", "1"]
        argv += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        argv += [where, (self.folder / "artifacts").as_uri()]
        env = {**os.environ, **ENVIRONMENT}
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                argv, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                    assert answer.status == 200
                break
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log.txt").read_text()[-3000:]) from None
                time.sleep(0.2)
        # The first question takes seconds, whatever it is.
        first = f"{self.uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
        urllib.request.urlopen(first, timeout=60).close()

    def stop(self) -> None:
        """Stop it and all its processes."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps running; each test uses runs and names of its own."""
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield int(listening.getsockname()[1])


@pytest.fixture
def port() -> int:
    """A port that nothing listens on."""
    return free_port()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One SQLite database for the tests that do not need a fresh one: making one takes a second."""
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/mlflow.db"


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    made = Server(tmp_path / "server")
    made.start()
    yield made
    made.stop()
