"""The MLflow server of this machine, as ``stack up`` starts it."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from stackyard.components.base import Command, Context, Service
from stackyard.errors import ConfigError
from stackyard_mlflow.address import embedded_folder
from stackyard_mlflow.config import MlflowConfig, MlflowTrackerConfig
from stackyard_mlflow.connection import Connection

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # Workers for judging language models: 8 of 10 processes, two thirds of start-up and memory.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def describe(config: MlflowTrackerConfig, context: Context) -> Service:
    """The server at ``tracking_uri``, over the project's own database and files.

    Raises:
        ConfigError: ``tracking_uri`` is no ``http`` address of this machine with a port.
    """
    address = urlsplit(config.tracking_uri or "")
    if address.scheme != "http" or address.hostname not in LOOPBACK or address.port is None:
        raise ConfigError(
            f"{context.name} serve: true needs a tracking_uri of this machine with a port, such as "
            f"http://127.0.0.1:5001; it is {config.tracking_uri!r}"
        )
    folder = embedded_folder(context)
    url = f"http://127.0.0.1:{address.port}"
    argv = [
        sys.executable, "-m", "mlflow", "server",
        "--host", "127.0.0.1",
        "--port", str(address.port),
        "--workers", "1",
        "--backend-store-uri", _database(folder),
        "--no-serve-artifacts",  # clients of this machine write the files themselves
        "--default-artifact-root", (folder / "artifacts").as_uri(),
    ]  # fmt: skip
    command = Command(
        name="mlflow",
        argv=argv,
        env=ENVIRONMENT,
        ready=f"{url}/health",
        port=address.port,
    )
    return Service(
        name="mlflow", commands=(command,), url=url, note=f"experiments and models of {folder}"
    )


def prepare(config: MlflowTrackerConfig, context: Context) -> None:
    """Make folder and tables before the server does, which it does in several processes."""
    folder = embedded_folder(context)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "artifacts").mkdir(exist_ok=True)
    database = Connection(MlflowConfig(tracking_uri=_database(folder)), context)
    with database.call("making the tables") as client:
        client.search_experiments(max_results=1)


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"
