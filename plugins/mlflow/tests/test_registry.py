"""The registry's contract on a real MLflow: an SQLite database, and a server."""

from __future__ import annotations

from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import Registry
from stackyard.testing import RegistryContract
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.registry import MlflowRegistry


class MlflowContract(RegistryContract):
    """What both backends share."""

    uri: str

    def connect(self, context: Context) -> Registry:
        return MlflowRegistry(MlflowRegistryConfig(tracking_uri=self.uri), context)


class TestDatabase(MlflowContract):
    """On SQLite."""

    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        self.uri = database


class TestServer(MlflowContract):
    """On a server over REST, files proxied by it."""

    @pytest.fixture(autouse=True)
    def _server(self, server: Any, silent_port: int) -> None:
        self.uri = server.uri
        self.silent = f"http://127.0.0.1:{silent_port}"

    def unreachable(self, context: Context) -> Registry:
        return MlflowRegistry(MlflowRegistryConfig(tracking_uri=self.silent), context)
